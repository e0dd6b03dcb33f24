/* What the fakes of a test have been asked to do, in one line of text. */
#ifndef MVM_TESTS_SUPERVISOR_CALLS_H
#define MVM_TESTS_SUPERVISOR_CALLS_H

#include "tests/unit/unit.h"

static struct mvm_buf calls;

static inline void called(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline void called(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = mvm_vformat(format, args);
	va_end(args);
	mvm_buf_addf(&calls, "%s%s", calls.length ? " " : "", text);
	free(text);
}

static inline void forget_calls(void)
{
	mvm_buf_consume(&calls, calls.length);
}

static inline void expect_calls(const char *expected)
{
	assert_string_equal(calls.data ? calls.data : "", expected);
	forget_calls();
}

#endif
