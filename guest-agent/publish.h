/*
 * What is published, as far as the guest is concerned: connections that the host makes are passed on to the container's
 * services, and those that the container makes to sockets of the host to the host. PROTOCOL.md, "Published ports" and
 * "Sockets".
 *
 *   publish.c      listens, and knows where a service may be
 *   publish_tcp.c  one connection, of TCP or of unix sockets
 *   publish_udp.c  the datagrams of one peer
 */
#ifndef AGENT_PUBLISH_H
#define AGENT_PUBLISH_H

#include <stdint.h>

struct failure;
struct mvm_proto_machine;

/* Whatever the order asks for, which may be nothing. */
int publish_start(const struct mvm_proto_machine *order, struct failure *failure);

/* The set of ports (ports.h), PORTS_MAX at most, at which programs listen: it takes connections for them. */
void publish_follow(const uint8_t *set);

/* Whether or not there are any: the addresses have changed. */
void publish_aim(char *const *interfaces);

#endif
