#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "text.h"

static const char *const level_names[] = {"error", "warn", "info", "debug"};

static const char *log_name = "mvm";
static int log_fd = STDERR_FILENO;
static enum mvm_log_level log_level = MVM_LOG_ERROR;

void mvm_log_open(const char *name, int fd, enum mvm_log_level level)
{
	const char *wanted = getenv("MVM_LOG");

	log_name = name;
	log_fd = fd;
	log_level = level;
	for (size_t i = 0; wanted && i < sizeof(level_names) / sizeof(level_names[0]); i++)
		if (!strcmp(wanted, level_names[i]))
			log_level = (enum mvm_log_level)i;
}

void mvm_log(enum mvm_log_level level, const char *format, ...)
{
	char line[1024];
	struct timespec now;
	int saved = errno, length;
	va_list args;

	if (level > log_level)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	length = snprintf(line, sizeof(line), "%s[%d] %ld.%06ld %s: ", log_name, (int)getpid(), (long)now.tv_sec,
			  now.tv_nsec / 1000, level_names[level]);
	va_start(args, format);
	vsnprintf(line + length, sizeof(line) - (size_t)length - 1, format, args);
	va_end(args);
	mvm_mask_controls(line);
	strcat(line, "\n");
	if (write(log_fd, line, strlen(line)) < 0)
		errno = saved;
	errno = saved;
}
