/*
 * One standard stream: bytes from a pipe or terminal to a vsock connection, or
 * the other way. A relay owns its descriptors and lives until its stream has
 * ended and every byte is delivered, or the reading side has gone; then it
 * closes both and frees itself. PROTOCOL.md, "Connections".
 *
 * Back-pressure is per stream: at most one buffer is read ahead of what the other side takes.
 */
#ifndef AGENT_RELAY_H
#define AGENT_RELAY_H

#include <stdbool.h>
#include <stdint.h>

struct failure;

/* Both take `local`, also on failure. The connection is made while the process is being set up; when it
 * cannot be, the process sees a broken pipe or the end of its input. */
int relay_output(int local, uint32_t port, struct failure *failure);
int relay_input(int local, uint32_t port, struct failure *failure);

/* A connection on its way to a port of the host, on which the host may send much or not; -1 with errno set on failure.
 */
int vsock_connect(uint32_t port, bool flood);
/* 0 when it has come about, else the errno. */
int vsock_connected(int socket);

#endif
