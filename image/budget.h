/*
 * What one image may take while its layers are unpacked: bytes, entries, and the memory in which names wait for the
 * disk to be finished. A layer is compressed a thousandfold and more by whoever wants to fill a disk with it; docker
 * leaves that to the file system, here it ends at a figure from the configuration file:
 *
 *   {"images": {"maxUnpackedSize": "32GiB", "maxEntries": 2000000}}
 *
 * Counted over all layers of an image, and never given back when a later layer removes what an earlier one brought.
 * One thread at a time. Taking too much is MVM_ERR_UNSUPPORTED and names the setting.
 */
#ifndef MVM_IMAGE_BUDGET_H
#define MVM_IMAGE_BUDGET_H

#include <stddef.h>
#include <stdint.h>

struct mvm_config;
struct mvm_error;

#define MVM_BUDGET_SIZE	   (32ULL << 30)
#define MVM_BUDGET_ENTRIES 2000000ULL
/* For each entry that is allowed, of memory: its own share, names, targets and attributes. */
enum { MVM_BUDGET_ENTRY_MEMORY = 512, MVM_BUDGET_NODE_MEMORY = 256 };

struct mvm_budget {
	uint64_t max_size; /* bytes of the uncompressed layers; a hole costs nothing, what interrupts it a block */
	uint64_t max_entries;
	uint64_t size;
	uint64_t content; /* of the files alone, holes too: what docker calls a layer's size; not limited */
	uint64_t entries;
	uint64_t memory;
};

/* Nothing taken yet. `config` may be NULL; INVALID where a setting is no size or number. */
int mvm_budget_init(struct mvm_budget *budget, const struct mvm_config *config, struct mvm_error **err);

int mvm_budget_take_size(struct mvm_budget *budget, uint64_t bytes, struct mvm_error **err);
/* A file, folder or link with `extra` bytes of names and attributes. */
int mvm_budget_take_entry(struct mvm_budget *budget, size_t extra, struct mvm_error **err);
/* One more range of a sparse file. */
int mvm_budget_take_piece(struct mvm_budget *budget, struct mvm_error **err);

#endif
