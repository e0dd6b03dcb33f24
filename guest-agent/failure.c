#include "failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool tracing;

uint64_t uptime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int set(struct failure *failure, enum mvm_proto_code code, const char *format, va_list args)
{
	failure->code = code;
	failure->errnum = 0;
	vsnprintf(failure->message, sizeof(failure->message), format, args);
	return -1;
}

int failure_set(struct failure *failure, enum mvm_proto_code code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	set(failure, code, format, args);
	va_end(args);
	return -1;
}

/* Where musl's words differ from Go's by more than the first letter. */
static const char *errno_text(int errnum)
{
	switch (errnum) {
	case ELOOP:
		return "Too many levels of symbolic links";
	case ENAMETOOLONG:
		return "File name too long";
	case ENOMEM:
		return "Cannot allocate memory";
	default:
		return strerror(errnum);
	}
}

int failure_set_errno(struct failure *failure, enum mvm_proto_code code, const char *format, ...)
{
	int errnum = errno;
	const char *reason = errno_text(errnum);
	size_t length;
	va_list args;

	va_start(args, format);
	set(failure, code, format, args);
	va_end(args);
	failure->errnum = errnum;
	length = strlen(failure->message);
	snprintf(failure->message + length, sizeof(failure->message) - length, ": %c%s", reason[0] | 0x20, reason + 1);
	return -1;
}

static void print(const char *start, const char *format, va_list args)
{
	char line[1100];
	int length = snprintf(line, sizeof(line), "%s", start);

	length += vsnprintf(line + length, sizeof(line) - (size_t)length - 1, format, args);
	if ((size_t)length > sizeof(line) - 2)
		length = sizeof(line) - 2;
	line[length++] = '\n';
	/* Nothing can be done where there is no console. */
	if (write(STDERR_FILENO, line, (size_t)length) < 0)
		return;
}

void complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print("mvm-agent: ", format, args);
	va_end(args);
}

void trace_enable(void)
{
	tracing = true;
}

void trace(const char *format, ...)
{
	uint64_t now;
	char start[48];
	va_list args;

	if (!tracing)
		return;
	now = uptime_ns() / 1000;
	snprintf(start, sizeof(start), "mvm-agent: [%5u.%06u] ", (unsigned)(now / 1000000), (unsigned)(now % 1000000));
	va_start(args, format);
	print(start, format, args);
	va_end(args);
}
