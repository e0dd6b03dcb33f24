/*
 * The container as its processes see it: its root, /proc, /sys, /dev and the
 * files of /etc, as docker arranges them. Runs in the new process.
 */
#ifndef AGENT_CONTAINER_H
#define AGENT_CONTAINER_H

struct failure;

/* For the first process, which has its own name spaces: makes it, and is inside afterwards. */
int container_make(struct failure *failure);
/* For later ones. */
int container_join(int pidfd, struct failure *failure);
/* Once nothing of the root has to be made any more. */
int container_seal(struct failure *failure);
/* A terminal of the container: *master and *slave are open afterwards. */
int container_terminal(int *master, int *slave, struct failure *failure);
/* It also is /dev/console. */
int container_console(int slave, struct failure *failure);

#endif
