#include "procinfo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of /proc/PID/stat, by their numbers in proc(5); the first two stand before the name's end. */
enum {
	STAT_STATE = 3,
	STAT_PPID = 4,
	STAT_GROUP = 5,
	STAT_TTY = 7,
	STAT_FOREGROUND = 8,
	STAT_USER_TIME = 14,
	STAT_SYSTEM_TIME = 15,
	STAT_PRIORITY = 18,
	STAT_NICE = 19,
	STAT_THREADS = 20,
	STAT_START = 22,
	STAT_SIZE = 23,	    /* bytes */
	STAT_RESIDENT = 24, /* pages */
	STAT_COUNT = 25,
	PAGE_KIB = 4,
};

/* A name may hold anything, blanks and brackets included: it ends at the last one. */
static bool read_stat(const char *stat, struct procinfo *info)
{
	const char *begin = strchr(stat, '('), *end = strrchr(stat, ')');
	long long values[STAT_COUNT] = {0};
	char *at;

	if (!begin || !end || end < begin || end[1] != ' ' || !end[2])
		return false;
	snprintf(info->name, sizeof(info->name), "%.*s", (int)(end - begin - 1), begin + 1);
	info->pid = (uint32_t)strtoul(stat, NULL, 10);
	info->state = end[2];
	at = (char *)(uintptr_t)(end + 3);
	for (int i = STAT_STATE + 1; i < STAT_COUNT; i++)
		values[i] = i == STAT_SIZE ? (long long)strtoull(at, &at, 10) : strtoll(at, &at, 10);
	info->ppid = (uint32_t)values[STAT_PPID];
	info->tty = values[STAT_TTY];
	info->foreground = info->tty && values[STAT_GROUP] == values[STAT_FOREGROUND];
	info->priority = values[STAT_PRIORITY];
	info->nice = values[STAT_NICE];
	info->threads = values[STAT_THREADS];
	info->size = (unsigned long long)values[STAT_SIZE] / 1024;
	info->resident = (unsigned long long)values[STAT_RESIDENT] * PAGE_KIB;
	info->start = (unsigned long long)values[STAT_START];
	info->used = (unsigned long long)(values[STAT_USER_TIME] + values[STAT_SYSTEM_TIME]);
	return true;
}

/* The second number of a line of status: "NSpid:\t17\t1" is 17 in the machine and 1 in its container, "Uid:" has the
 * effective one there. */
static bool second(const char *status, const char *key, uint32_t *value)
{
	const char *line = status;
	size_t length = strlen(key);
	char *at, *end;

	while (line && strncmp(line, key, length) != 0) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	if (!line)
		return false;
	strtoul(line + length, &at, 10);
	if (*at != '\t')
		return false;
	*value = (uint32_t)strtoul(at + 1, &end, 10);
	return end != at + 1;
}

bool procinfo_read(const char *stat, const char *status, struct procinfo *info)
{
	*info = (struct procinfo){0};
	return second(status, "NSpid:", &info->own_pid) && second(status, "NSpgid:", &info->own_group) &&
	       second(status, "NSsid:", &info->own_session) && second(status, "Uid:", &info->uid) &&
	       second(status, "Gid:", &info->gid) && read_stat(stat, info);
}

void procinfo_clean(char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!text[i])
			text[i] = ' ';
		else if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
}

size_t procinfo_print(const struct procinfo *info, const char *user, const char *group, char *line, size_t size)
{
	int length = snprintf(
		line, size,
		"%u\t%u\t%u\t%u\t%u\t%u\t%s\t%u\t%s\t%c\t%d\t%lld\t%lld\t%lld\t%lld\t%llu\t%llu\t%llu\t%llu\t%s\t",
		info->pid, info->own_pid, info->ppid, info->own_group, info->own_session, info->uid, user, info->gid,
		group, info->state, info->foreground, info->tty, info->priority, info->nice, info->threads, info->size,
		info->resident, info->start, info->used, info->name);

	return length < 0 ? 0 : (size_t)length < size ? (size_t)length : size - 1;
}
