/* One packet with descriptors over a socket between the agent and its children. */
#ifndef AGENT_PACKET_H
#define AGENT_PACKET_H

#include <stddef.h>
#include <sys/types.h>

enum { PACKET_FDS = 5 };

/* As sendmsg() and recvmsg() return. Received descriptors are close-on-exec; what is not there is -1. */
ssize_t packet_send(int socket, const void *data, size_t length, const int *fds, size_t count);
ssize_t packet_receive(int socket, void *data, size_t length, int fds[PACKET_FDS], int flags);

#endif
