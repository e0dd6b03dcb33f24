/* Shared by the publish files only. */
#ifndef AGENT_PUBLISH_INTERNAL_H
#define AGENT_PUBLISH_INTERNAL_H

#include <stdint.h>
#include <stddef.h>

/* Bytes on their way. It is everybody's, and empty again when a callback returns. */
enum { PUBLISH_BUFFER = 128 * 1024 };
extern char publish_buffer[PUBLISH_BUFFER];

/* A socket that is or is being connected to `port` at one of the container's addresses, from *target on, which is set
 * to the one after it. *done: it is connected. -1 where there is none left. */
int publish_dial(unsigned *target, int type, uint16_t port, int *done);

/* As much of a unix socket of the container's. *done false: its backlog is full, of which the kernel tells nothing, and
 * what is returned is a timer to try again by. */
int publish_dial_socket(uint16_t number, int *done);

/* So many TCP connections are open. */
void publish_count(unsigned connections);

/* Both take `socket`, a connection of the host's that is for this port of the container. */
void publish_tcp(int socket, uint16_t port);
void publish_udp(int socket, uint16_t port);
/* One that is for a unix socket of the container's, by its number; and a connection of the container's that is for this
 * port of the host. */
void publish_socket(int socket, uint16_t number);
void publish_outward(int socket, uint16_t port);

#endif
