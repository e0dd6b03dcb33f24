/*
 * The TCP ports that the container's programs listen at, for a host that makes them reachable as they appear.
 */
#ifndef AGENT_PORTS_H
#define AGENT_PORTS_H

#include <stdint.h>

enum { PORTS_SET = 65536 / 8, PORTS_MAX = 256 };

/* Adds those of the kernel's table (/proc/net/tcp, tcp6), as far as it is there; all of them stand at its top. Loopback
 * addresses but the usual ones are left out: what listens there is meant for nobody else. */
void ports_add(const char *table, uint8_t set[PORTS_SET]);
/* Leaves the first PORTS_MAX: what both the host and publish.c follow. */
void ports_limit(uint8_t set[PORTS_SET]);
/* "22 8080"; what there is no room for is left out. */
void ports_format(const uint8_t set[PORTS_SET], char *text, unsigned size);

/* Tells the host from now on whenever they have changed. */
void ports_watch(void);

#endif
