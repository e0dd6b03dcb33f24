/*
 * cgroup v2: one group holds the container, the agent stays in the root of the hierarchy.
 */
#ifndef AGENT_CGROUP_H
#define AGENT_CGROUP_H

#include <stdint.h>
#include <sys/types.h>

struct failure;
struct mvm_proto_limits;

int cgroup_make(struct failure *failure);
/* In each process that uses what follows. */
int cgroup_open(struct failure *failure);
int cgroup_limit(const struct mvm_proto_limits *limits, struct failure *failure);
/* The container's group, for CLONE_INTO_CGROUP. */
int cgroup_fd(void);
/* The group that a process of the container is in, to be closed; -1 with errno set. */
int cgroup_open_of(pid_t pid);
void cgroup_kill(void);
/* Of a file of the container's group: its text, "" where it cannot be read, which lasts until the next call; or the
 * value of a key in it. */
const char *cgroup_text(const char *file);
uint64_t cgroup_value(const char *file, const char *key);
/* Has the kernel take back so many bytes of memory, which are files' only, as there is no swap. -1: not as many. */
int cgroup_reclaim(uint64_t bytes);
/* How often the kernel has killed in the container for lack of memory. */
uint64_t cgroup_oom_kills(void);

/* All processes of the container stand still when it returns, by their paths: for a child without the agent's
 * descriptors. */
int cgroup_freeze(struct failure *failure);
void cgroup_thaw(void);

#endif
