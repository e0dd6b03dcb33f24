/* STAT: what is at a path of the root disk. */
#ifndef AGENT_STATUS_H
#define AGENT_STATUS_H

#include <stdint.h>

struct failure;
struct mvm_proto_stat;

/* 0: it is on its way, and answers the request by itself. */
int status_start(const struct mvm_proto_stat *order, uint32_t request, struct failure *failure);

#endif
