/*
 * The base of a walk: what the image's disk holds, read from a connection while the tree is walked. The format is that
 * of guest-agent/proto/listing.h.
 */
#ifndef AGENT_BASE_H
#define AGENT_BASE_H

#include <stdbool.h>

#include "guest-agent/proto/listing.h"

struct failure;

/* What became of an entry: BASE_FOLDER is one that both have, and whose content is still to be compared. */
enum base_met { BASE_NOT_MET, BASE_MET, BASE_FOLDER };

/* One folder, zeroed where there is nothing. */
struct base_folder {
	uint32_t count;
	uint8_t *bytes;	  /* the entries as they came */
	uint32_t *starts; /* of each of them */
	uint8_t *met;	  /* enum base_met, of each of them */
};

/* All but base_find() and base_entry() read from a blocking descriptor. */
int base_read_root(int fd, uint8_t bytes[MVM_LISTING_ENTRY_MAX], struct mvm_listing_entry *root,
		   struct failure *failure);
int base_read(int fd, struct base_folder *folder, struct failure *failure);
/* A folder and all that is below it. */
int base_skip(int fd, struct failure *failure);
void base_finish(struct base_folder *folder);

bool base_find(const struct base_folder *folder, const char *name, size_t length, uint32_t *at);
void base_entry(const struct base_folder *folder, uint32_t at, struct mvm_listing_entry *entry);

#endif
