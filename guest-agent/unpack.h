/*
 * Makes files, folders and links in a folder of a container's disk, as they come (proto/stream.h), with docker's
 * rules: a folder is never replaced by something else, nor something else by a folder; whatever else is in the way
 * goes; parents that are missing are made. Permissions, owners, times and attributes are as the entry says.
 *
 * Names are untrusted: one that leads out of the folder is refused. Links in the disk are followed on the way to an
 * entry as the container's processes would follow them, so none leads out of the disk, whoever changes it meanwhile;
 * the entry itself is never followed. Attributes of other name spaces than ext4 knows are left out.
 */
#ifndef AGENT_UNPACK_H
#define AGENT_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "guest-agent/proto/stream.h"

struct failure;
struct unpack;

struct unpack_owner {
	uint32_t uid, gid;
};

/* `root`: the disk's, which stays the caller's. `path`: a folder there, links followed; NO_FILE or NOT_POSSIBLE where
 * it is none. `owner`: of all that is made; NULL: as the entries say. */
struct unpack *unpack_begin(int root, const char *path, const struct unpack_owner *owner, struct failure *failure);
/* For a stream's reader, with the struct unpack. They leave the failure where unpack_begin() was told. */
extern const struct mvm_stream_ops unpack_ops;
/* What comes last: the times of folders. 0, or -1 with the failure. */
int unpack_end(struct unpack *unpack);
void unpack_free(struct unpack *unpack);

#endif
