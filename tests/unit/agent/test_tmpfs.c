/* The options of a tmpfs: flags of the mount, and what is left to the file system. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/mount.h>

#include "guest-agent/failure.h"
#include "guest-agent/tmpfs.h"

#define USUAL (MS_NOSUID | MS_NODEV | MS_NOEXEC)

static struct tmpfs tmpfs;
static struct failure failure;

static void test_options(void **state)
{
	static const struct {
		const char *text, *path;
		unsigned long flags;
		const char *data;
	} cases[] = {
		{"/run", "/run", USUAL, ""},
		{"/run:", "/run", USUAL, ""},
		{"/a b/c:size=64m,mode=1777", "/a b/c", USUAL, "size=64m,mode=1777"},
		{"/run:exec,suid,dev", "/run", 0, ""},
		{"/run:size=1,ro,exec,uid=5", "/run", MS_NOSUID | MS_NODEV | MS_RDONLY, "size=1,uid=5"},
		/* The last word counts. */
		{"/run:ro,rw,exec,noexec", "/run", USUAL, ""},
		{"/run:,noatime,,defaults", "/run", USUAL | MS_NOATIME, ""},
		{"/run:mpol=bind:1-3", "/run", USUAL, "mpol=bind:1-3"},
		/* A word is itself, not its beginning. */
		{"/run:r,execs", "/run", USUAL, "r,execs"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(tmpfs_parse(cases[i].text, &tmpfs, &failure), 0);
		assert_string_equal(tmpfs.path, cases[i].path);
		assert_int_equal(tmpfs.flags, cases[i].flags);
		assert_string_equal(tmpfs.data, cases[i].data);
	}
}

static void test_what_does_not_fit_is_refused(void **state)
{
	static char text[5000];

	memset(text, 'x', sizeof(text) - 1);
	text[0] = '/';
	assert_int_equal(tmpfs_parse(text, &tmpfs, &failure), -1);
	memcpy(text, "/run:", 5);
	assert_int_equal(tmpfs_parse(text, &tmpfs, &failure), -1);
	assert_string_equal(failure.message, "the options of tmpfs /run are too long");
	assert_int_equal(tmpfs_parse("run", &tmpfs, &failure), -1);
	assert_int_equal(tmpfs_parse("", &tmpfs, &failure), -1);
	assert_int_equal(failure.code, MVM_PROTO_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_what_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
