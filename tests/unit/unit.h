/*
 * What unit tests share: cmocka with the headers it wants before it, errors that are checked and freed, and a
 * scratch folder of the test program's own.
 */
#ifndef MVM_TESTS_UNIT_H
#define MVM_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"

/* The call succeeded; what it says otherwise is shown. */
#define assert_ok(call) check_ok((call), &err, __FILE__, __LINE__)
/* It failed with this code and a message that holds `text`. Frees the error for the next call. */
#define assert_error(call, code, text) check_error((call), &err, (code), (text), __FILE__, __LINE__)

static inline void check_ok(int result, struct mvm_error *const *err, const char *file, int line)
{
	if (result == 0 && !*err)
		return;
	print_error("%d: %s\n", result, mvm_error_message(*err));
	_fail(file, line);
}

static inline void check_error(int result, struct mvm_error **err, enum mvm_error_code code, const char *text,
			       const char *file, int line)
{
	if (result >= 0 || !*err || mvm_error_code(*err) != code || !strstr(mvm_error_message(*err), text)) {
		print_error("%d, %s: %s\n", result, mvm_error_code_name(mvm_error_code(*err)), mvm_error_message(*err));
		_fail(file, line);
	}
	mvm_error_clear(err);
}

/* A new folder, in memory where there is such a place: the code under test flushes much. Give it to scratch_remove().
 */
static inline char *scratch_create(void)
{
	const char *base = getenv("TMPDIR");
	char *folder;

	if (!base)
		base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	folder = mvm_format("%s/mvm-unit.XXXXXX", base);
	assert_non_null(mkdtemp(folder));
	return folder;
}

static inline void scratch_remove(char *folder)
{
	struct mvm_error *err = NULL;

	assert_ok(mvm_remove_tree(folder, &err));
	free(folder);
}

/* The program's own scratch folder: group set-up and tear-down with the folder as *state. */
static inline int scratch_setup(void **state)
{
	*state = scratch_create();
	return 0;
}

static inline int scratch_teardown(void **state)
{
	scratch_remove(*state);
	return 0;
}

/* Waits for a child that must end by itself, and gives its exit status. */
static inline int wait_for_exit(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Until the kernel says that the process waits for something. Where it cannot be asked, tests that use this prove less.
 */
static inline void wait_until_asleep(pid_t pid)
{
#ifdef __linux__
	char *path MVM_CLEAN_FREE = mvm_format("/proc/%d/stat", (int)pid), state = 'R';
	struct mvm_error *err = NULL;

	while (state == 'R') {
		char *text MVM_CLEAN_FREE = NULL;

		assert_ok(mvm_read_file(path, 4096, &text, NULL, &err));
		state = strrchr(text, ')')[2];
		sched_yield();
	}
#else
	(void)pid;
#endif
}

#endif
