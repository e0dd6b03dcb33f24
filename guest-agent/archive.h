/* ARCHIVE: a part of the root disk as a tar stream. */
#ifndef AGENT_ARCHIVE_H
#define AGENT_ARCHIVE_H

#include <stdint.h>

struct failure;
struct mvm_proto_archive;

/* 0: it is on its way, and answers the request by itself. */
int archive_start(const struct mvm_proto_archive *order, uint32_t request, struct failure *failure);

#endif
