/*
 * Preloaded, it gives the supervisor another wall clock than the system's: later by the seconds that stand in the file
 * that JUMP_FILE names. Nobody else is told, as when a host's clock is set.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long seconds_ahead(void)
{
	const char *path = getenv("JUMP_FILE");
	FILE *file = path ? fopen(path, "re") : NULL;
	char text[32] = "0";

	if (!file)
		return 0;
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	return strtol(text, NULL, 10);
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, time);

	if (rc == 0 && clock == CLOCK_REALTIME && strcmp(program_invocation_short_name, "mvm-supervisor") == 0)
		time->tv_sec += seconds_ahead();
	return rc;
}
