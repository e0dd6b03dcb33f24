/* Numbers out of the texts in which the kernel has them. Pure. */
#ifndef AGENT_FIGURES_H
#define AGENT_FIGURES_H

#include <stdint.h>

struct mvm_proto_figures;

/* Of a text whose lines are "key value": 0 where there is no such line. */
uint64_t figures_value(const char *text, const char *key);
/* /proc/net/dev: all interfaces but loopback. */
void figures_add_network(const char *text, struct mvm_proto_figures *figures);
/* io.stat: all disks. */
void figures_add_blocks(const char *text, struct mvm_proto_figures *figures);

#endif
