/*
 * The list of changes that a guest sends (guest-agent/proto/listing.h): bytes in, changes out, no I/O.
 *
 * Untrusted: a guest that became root may send anything. What is kept is bounded.
 */
#ifndef MVM_ENGINE_CHANGES_H
#define MVM_ENGINE_CHANGES_H

#include <stddef.h>

#include "engine.h"
#include "runtime/base/mem.h"

enum { CHANGES_BYTES_MAX = 512 * 1024 * 1024, CHANGES_PATH_MAX = 64 * 1024 };

/* Zeroed at first. */
struct changes_reader {
	struct mvm_changes *changes;
	size_t bytes;
	struct mvm_buf rest; /* of a change that has not come whole */
};

/* INVALID where it is no list. */
int changes_feed(struct changes_reader *reader, const char *data, size_t length, struct mvm_error **err);
/* At the end of the list: sorts it and adds the folders around what has changed, as docker has them. */
int changes_complete(struct changes_reader *reader, struct mvm_error **err);
void changes_reader_finish(struct changes_reader *reader);

#endif
