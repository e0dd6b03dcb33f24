/*
 * Rosetta, where the machine's host is a Mac and has given it: a device with the program, and from macOS 14 on with a
 * daemon that keeps what has been translated. Programs find the daemon by a socket in their container's /dev; without
 * it they run, too, and are translated anew each time.
 */
#ifndef AGENT_ROSETTA_H
#define AGENT_ROSETTA_H

struct failure;

/* In the agent, once: mounts the device, and starts the daemon where there is one. */
int rosetta_mount(struct failure *failure);
/* In a container's first process, before its root: the socket into the staged /dev. */
int rosetta_place(struct failure *failure);

#endif
