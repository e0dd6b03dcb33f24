/* A process as a line of PROCESSES (PROTOCOL.md), from what /proc says of it. Pure. */
#ifndef AGENT_PROCINFO_H
#define AGENT_PROCINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct procinfo {
	uint32_t pid, ppid;			  /* in the machine */
	uint32_t own_pid, own_group, own_session; /* in the container */
	uint32_t uid, gid;			  /* effective ones */
	char state;
	bool foreground;
	long long tty, priority, nice, threads;
	unsigned long long size, resident; /* KiB */
	unsigned long long start, used;	   /* ticks */
	char name[64];
};

/* From the texts of stat and status. false: it is no container's, or they are not what they should be. */
bool procinfo_read(const char *stat, const char *status, struct procinfo *info);
/* Text of others on its way into a field, `length` bytes: control characters become '?', and NUL a blank. */
void procinfo_clean(char *text, size_t length);
/* All but the arguments. The length; cut where it does not fit. */
size_t procinfo_print(const struct procinfo *info, const char *user, const char *group, char *line, size_t size);

#endif
