/* REFRESH: what the host has changed in a share is told to those who watch it in the container. */
#ifndef AGENT_REFRESH_H
#define AGENT_REFRESH_H

#include <stdint.h>

struct failure;
struct mvm_proto_refresh;

int refresh_start(const struct mvm_proto_refresh *order, uint32_t request, struct failure *failure);

#endif
