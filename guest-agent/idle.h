/*
 * A container that does nothing gives back to the host what its kernel keeps of files that nobody has used for long:
 * the host has them in its own cache, if anywhere, and the balloon's reporting passes on what is free.
 */
#ifndef AGENT_IDLE_H
#define AGENT_IDLE_H

/* Looks twice a minute from now on. To be called when a container runs; more than once is fine. */
void idle_watch(void);

#endif
