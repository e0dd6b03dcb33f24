/* STATS: what the container has used and uses, from the files that the kernel keeps of it. */
#ifndef AGENT_STATS_H
#define AGENT_STATS_H

struct mvm_proto_figures;

/* What cannot be read is 0. */
void stats_read(struct mvm_proto_figures *figures);

#endif
