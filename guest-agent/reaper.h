/* PID 1 of a container that wants one beside its program (docker's --init). */
#ifndef AGENT_REAPER_H
#define AGENT_REAPER_H

#include <signal.h>
#include <sys/types.h>

/* What to do before the fork: no signal may be missed. */
void reaper_block(sigset_t *old);
/* Passes signals on to `child`, reaps what is left to it, and ends as the child does. */
_Noreturn void reaper_run(pid_t child);

#endif
