/* UNPACK: files and folders from the host into a folder of the root disk. */
#ifndef AGENT_RECEIVE_H
#define AGENT_RECEIVE_H

#include <stdint.h>

struct failure;
struct mvm_proto_unpack;

/* 0: it is on its way, and answers the request by itself. */
int receive_start(const struct mvm_proto_unpack *order, uint32_t request, struct failure *failure);

#endif
