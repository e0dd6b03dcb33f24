/* The guest's network as far as no order is needed for it, and settings below /proc/sys. */
#ifndef AGENT_NETWORK_H
#define AGENT_NETWORK_H

#include <stdbool.h>

struct failure;

/* The loopback interface, and docker's defaults. */
int network_prepare(struct failure *failure);

/* "net.ipv4.ip_forward=1" */
int sysctl_set(const char *setting, struct failure *failure);
/* It belongs to an IPC name space, and so has to be set in the container's. */
bool sysctl_is_ipc(const char *setting);

#endif
