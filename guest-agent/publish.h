/*
 * The container's published ports, as far as the guest is concerned: connections that the host makes are passed on to
 * the container's services. PROTOCOL.md, "Published ports".
 *
 *   publish.c      listens, and knows the addresses at which a service may be
 *   publish_tcp.c  one TCP connection
 *   publish_udp.c  the datagrams of one peer
 */
#ifndef AGENT_PUBLISH_H
#define AGENT_PUBLISH_H

#include <stdint.h>

struct failure;

/* `kinds` are MVM_PUBLISH_*; 0 is nothing. `interfaces` as in MACHINE. */
int publish_start(uint64_t kinds, char *const *interfaces, struct failure *failure);

#endif
