/*
 * Files of the host's that the kernel knows: each is a descriptor of the server's, who has so many. Where they would
 * run out the kernel is made to forget what nobody uses, as it does by itself only for want of memory.
 */
#ifndef AGENT_FORGET_H
#define AGENT_FORGET_H

/* `list` is a container's mounts, with the server's limit as "limit=N"; nothing is watched without one. */
void forget_watch(char *const *list);

#endif
