/*
 * The machine as a whole: what is mounted before any order, what MACHINE asks
 * for, and the end.
 */
#ifndef AGENT_MACHINE_H
#define AGENT_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

struct failure;
struct mvm_proto_machine;
struct mvm_proto_network;

/* In the agent's own name space. */
#define MACHINE_ROOT	  "/rootfs"
#define MACHINE_STAGE	  "/stage"
#define MACHINE_CONTAINER "/cgroup/container"
#define MACHINE_HOSTS	  "/etc/hosts"
#define MACHINE_HOSTNAME  "/etc/hostname"
#define MACHINE_RESOLV	  "/etc/resolv.conf"
#define MACHINE_SOCKET	  "/etc/socket" /* and a number: where the container meets a socket of the host */

/* Before any order: a root of the agent's own, with the devices; and all else that it works with, which takes longer
 * and which the agent's helper does (stage.h). */
int machine_make_root(struct failure *failure);
int machine_fill_root(struct failure *failure);
/* Whether there is a root to start processes in. */
bool machine_ready(void);
/* Nanoseconds since 1970; 0 leaves it alone. */
int machine_set_clock(uint64_t clock, struct failure *failure);
int machine_prepare(const struct mvm_proto_machine *order, struct failure *failure);
int machine_set_network(const struct mvm_proto_network *order, struct failure *failure);

/* Kills what runs; when all of it has ended, the root is made clean and the request answered. */
void machine_shut_down(uint32_t request);
/* The same, and then the power. */
void machine_power_off(void);
/* To be called whenever the last process, or a job, has ended. */
void machine_processes_gone(void);

#endif
