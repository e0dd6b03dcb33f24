/*
 * What the store's own files, pull.c and push.c share: index.json in memory, blobs on their way in, locks.
 *
 * Order of locks: an ingest, use.lock, index.lock. Whoever holds a later one does not wait for an earlier one.
 */
#ifndef MVM_IMAGE_STORE_INTERNAL_H
#define MVM_IMAGE_STORE_INTERNAL_H

#include <signal.h>

#include "runtime/base/mem.h"
#include "store.h"

struct mvm_hash;

#define MVM_ANNOTATION_NAME   "org.opencontainers.image.ref.name"
#define MVM_ANNOTATION_DOCKER "io.containerd.image.name"
#define MVM_ANNOTATION_SOURCE "io.mvm.image.source"

struct mvm_store {
	char *home;
	char *folder; /* home/images, or home/kernels (kernel.h) */
};

/* The same layout in another folder of the home. */
int mvm_store_open_folder(const char *home, const char *name, struct mvm_store **store, struct mvm_error **err);

/* An entry of index.json. */
struct mvm_entry {
	struct mvm_descriptor descriptor;
	char *name;   /* full, NULL where it has none */
	char *source; /* repository@digest, NULL where it came from no registry */
	json_t *json; /* as read, so that what others wrote there stays */
};

struct mvm_entries {
	struct mvm_entry *items;
	size_t count;
};

/* Call both under index.lock. */
int mvm_entries_load(const struct mvm_store *store, struct mvm_entries *entries, struct mvm_error **err);
int mvm_entries_save(const struct mvm_store *store, const struct mvm_entries *entries, struct mvm_error **err);
void mvm_entries_remove(struct mvm_entries *entries, size_t index);
/* name and source may be NULL; all is copied. */
void mvm_entries_add(struct mvm_entries *entries, const struct mvm_descriptor *descriptor,
		     const struct mvm_platform *platform, const char *name, const char *source);
/* In memory and in what will be written; NULL takes it away. */
void mvm_entry_set_name(struct mvm_entry *entry, const char *name);
void mvm_entry_set_source(struct mvm_entry *entry, const char *source);
void mvm_entries_finish(struct mvm_entries *entries);
#define MVM_CLEAN_ENTRIES __attribute__((cleanup(mvm_entries_finish)))

/* `flags` are mvm_lock()'s. */
int mvm_store_lock_index(const struct mvm_store *store, unsigned flags, int *fd, struct mvm_error **err);
int mvm_store_lock_use(const struct mvm_store *store, unsigned flags, int *fd, struct mvm_error **err);

/* Every image that index.json names, once, with its names and sources. One that cannot be read is left out with a
 * word in the log. */
int mvm_store_load_images(const struct mvm_store *store, const struct mvm_entries *entries, struct mvm_image_list *list,
			  struct mvm_error **err);
/* The image of that ID, or the prefix of one, in a list: CONFLICT where several fit, NOT_FOUND where none does. */
int mvm_store_match_id(const struct mvm_image_list *list, const char *text, size_t *index, struct mvm_error **err);
int mvm_store_no_such_image(const char *text, struct mvm_error **err);

/* Gives a manifest whose config and layers are in the store the name; the caller holds use.lock. `source` may be NULL.
 */
int mvm_store_put(struct mvm_store *store, const struct mvm_descriptor *descriptor, const struct mvm_platform *platform,
		  const char *name, const char *source, struct mvm_error **err);

/* Notes where an image with that name can be had, for as long as the name is the manifest's. */
int mvm_store_set_source(struct mvm_store *store, const struct mvm_digest *manifest, const char *name,
			 const char *source, struct mvm_error **err);

/* True where the blob is in the store with that size. */
bool mvm_store_has_blob(const struct mvm_store *store, const struct mvm_descriptor *descriptor);
/* Reads the whole blob again: 0 as it should be, 1 damaged and therefore removed. */
int mvm_store_check_blob(const struct mvm_store *store, const struct mvm_descriptor *descriptor,
			 struct mvm_error **err);
/* A small blob into memory, its digest and size checked again; a damaged one is removed. */
int mvm_store_read_blob(const struct mvm_store *store, const struct mvm_descriptor *descriptor, size_t max,
			struct mvm_buf *blob, struct mvm_error **err);

/*
 * A blob on its way in: images/ingest/<hex>, locked by flock() for as long as it is being written, so that two
 * processes never fetch one blob twice and what a killed one left is known by its lock being free.
 * A process goes on where another ended, and trusts nothing of it before the whole has its digest. The caller holds
 * use.lock, shared.
 */
struct mvm_ingest {
	const struct mvm_store *store;
	struct mvm_descriptor descriptor; /* media_type is not set */
	char *path;
	int fd;
	struct mvm_hash *hash;
	uint64_t received;
	uint64_t unwritten; /* for mvm_write_back() */
	bool unknown;	    /* size and digest are found, not given */
};

enum { MVM_INGEST_PRESENT = 1, MVM_INGEST_BUSY = 2 };

/* 0 begun, with what an earlier process has left taken up and hashed (`received` says how much); PRESENT: the store has
 * the blob; BUSY: another process is at it, and `wait` is false. With `wait` it blocks until that process is done. Ends
 * early when `interrupted` is set (INTERRUPTED). */
int mvm_ingest_begin(const struct mvm_store *store, const struct mvm_descriptor *descriptor, bool wait,
		     const volatile sig_atomic_t *interrupted, struct mvm_ingest **ingest, struct mvm_error **err);
/* A blob of which nothing is known before its end: commit finds size and digest, and sets them in the descriptor. */
int mvm_ingest_begin_unknown(const struct mvm_store *store, struct mvm_ingest **ingest, struct mvm_error **err);
/* CORRUPT where it would grow past its size. */
int mvm_ingest_write(struct mvm_ingest *ingest, const void *data, size_t length, struct mvm_error **err);
/* Begins again at the first byte, over what has been written: somebody may be reading it. */
void mvm_ingest_restart(struct mvm_ingest *ingest);
/* Checks size and digest (CORRUPT), makes it durable and gives it its final name. With another digest than its own it
 * begins again at the first byte: nothing of it is worth keeping. */
int mvm_ingest_commit(struct mvm_ingest *ingest, struct mvm_error **err);
/* Lets go of it: what was not committed is the next process's to take up, or mvm_store_collect()'s. NULL is fine. */
void mvm_ingest_destroy(struct mvm_ingest *ingest);

/* All of that, from the first byte, for a blob that is in memory already. */
int mvm_store_write_blob(const struct mvm_store *store, const struct mvm_descriptor *descriptor, const void *data,
			 size_t length, struct mvm_error **err);

/* mvm_store_collect(), but what has been fetched of the image stays, though nothing names it yet. NULL: no image. */
int mvm_store_collect_but(struct mvm_store *store, const struct mvm_image *spared, struct mvm_error **err);

#endif
