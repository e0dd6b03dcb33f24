/*
 * ARCHIVE: a part of the root disk as a tar stream. A child process of each archive reads the disk and writes to a
 * connection of its own, both of which block; the order is answered when it has ended.
 */
#ifndef AGENT_ARCHIVE_H
#define AGENT_ARCHIVE_H

#include <stdint.h>

struct failure;
struct mvm_proto_archive;

/* 0: it is on its way, and answers the request by itself. */
int archive_start(const struct mvm_proto_archive *order, uint32_t request, struct failure *failure);

#endif
