/* Where a program is looked for, and what is said when it cannot be run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "guest-agent/failure.h"
#include "guest-agent/program.h"

static struct failure failure;

static void assert_candidates(const char *path, const char *const *expected)
{
	char candidate[32];

	for (; *expected; expected++) {
		assert_true(path_next(&path, "prog", candidate, sizeof(candidate)));
		assert_string_equal(candidate, *expected);
	}
	assert_false(path_next(&path, "prog", candidate, sizeof(candidate)));
}

static void test_candidates_of_a_path(void **state)
{
	assert_candidates("/bin", (const char *const[]){"/bin/prog", NULL});
	assert_candidates("/usr/bin:/bin", (const char *const[]){"/usr/bin/prog", "/bin/prog", NULL});
	assert_candidates("", (const char *const[]){"./prog", NULL});
	assert_candidates(":/bin::", (const char *const[]){"./prog", "/bin/prog", "./prog", "./prog", NULL});
	assert_candidates(NULL, (const char *const[]){NULL});
	/* One that is too long for any buffer does not hide the others. */
	assert_candidates("/a/very/long/folder/that/does/not/fit:/bin", (const char *const[]){"/bin/prog", NULL});
}

static void test_env(void **state)
{
	static char *const env[] = {(char *)"PATHS=no", (char *)"PATH=/bin",  (char *)"HOME",
				    (char *)"EMPTY=",	(char *)"PATH=/last", NULL};

	assert_string_equal(env_get(env, "PATH"), "/last");
	assert_string_equal(env_get(env, "EMPTY"), "");
	assert_null(env_get(env, "HOME"));
	assert_null(env_get(env, "PAT"));
	assert_null(env_get(NULL, "PATH"));
}

static void test_finds_in_path(void **state)
{
	char file[64];

	assert_int_equal(program_find("sh", "/nowhere:/bin", file, sizeof(file), &failure), 0);
	assert_string_equal(file, "/bin/sh");
	assert_int_equal(program_find("/bin/sh", "", file, sizeof(file), &failure), 0);
	assert_string_equal(file, "/bin/sh");
}

static void assert_not_found(const char *name, const char *path, enum mvm_proto_code code, const char *message)
{
	char file[64];

	assert_int_equal(program_find(name, path, file, sizeof(file), &failure), -1);
	assert_string_equal(failure.message, message);
	assert_int_equal(failure.code, code);
}

static void test_what_is_not_found(void **state)
{
	assert_not_found("no-such-program", "/bin:/usr/bin", MVM_PROTO_NO_PROGRAM,
			 "exec: \"no-such-program\": executable file not found in $PATH");
	assert_not_found("", "/bin", MVM_PROTO_NO_PROGRAM, "exec: \"\": executable file not found in $PATH");
	assert_not_found("/no/such", "/bin", MVM_PROTO_NO_PROGRAM,
			 "exec: \"/no/such\": stat /no/such: no such file or directory");
	assert_not_found("/etc/passwd/x", "/bin", MVM_PROTO_NO_PROGRAM,
			 "exec: \"/etc/passwd/x\": stat /etc/passwd/x: not a directory");
}

static void test_what_is_no_program(void **state)
{
	assert_not_found("/etc", "/bin", MVM_PROTO_CANNOT_RUN, "exec: \"/etc\": is a directory");
	assert_not_found("/etc/passwd", "/bin", MVM_PROTO_CANNOT_RUN, "exec: \"/etc/passwd\": permission denied");
	/* In a PATH it is passed over. */
	assert_not_found("passwd", "/etc", MVM_PROTO_NO_PROGRAM,
			 "exec: \"passwd\": executable file not found in $PATH");
}

static void test_endless_names_fit_in_messages(void **state)
{
	static char name[100000];
	char file[64];

	memset(name, 'n', sizeof(name) - 1);
	assert_int_equal(program_find(name, "/bin", file, sizeof(file), &failure), -1);
	assert_int_equal(failure.code, MVM_PROTO_NO_PROGRAM);
	name[0] = '/';
	assert_int_equal(program_find(name, "/bin", file, sizeof(file), &failure), -1);
	assert_non_null(strstr(failure.message, "file name too long"));
	assert_int_equal(failure.errnum, ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_candidates_of_a_path), cmocka_unit_test(test_env),
		cmocka_unit_test(test_finds_in_path),	     cmocka_unit_test(test_what_is_not_found),
		cmocka_unit_test(test_what_is_no_program),   cmocka_unit_test(test_endless_names_fit_in_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
