#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "image/platform.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"

static void normalises(void **state)
{
	static const struct {
		const char *text, *normal;
	} cases[] = {
		{"linux/amd64", "linux/amd64"},
		{"linux/x86_64", "linux/amd64"},
		{"x86-64", "linux/amd64"},
		{"LINUX/AMD64", "linux/amd64"},
		{"aarch64", "linux/arm64"},
		{"linux/arm64/v8", "linux/arm64"},
		{"linux/arm64/8", "linux/arm64"},
		{"linux/arm64/v9", "linux/arm64/v9"},
		{"linux/arm", "linux/arm/v7"},
		{"linux/arm/6", "linux/arm/v6"},
		{"armhf", "linux/arm/v7"},
		{"armel", "linux/arm/v6"},
		{"i386", "linux/386"},
		{"linux/amd64/v1", "linux/amd64"},
		{"linux/amd64/v3", "linux/amd64/v3"},
		{"macos/arm64", "darwin/arm64"},
		{"windows/amd64", "windows/amd64"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		char *text MVM_CLEAN_FREE = NULL;
		struct mvm_platform platform;

		assert_int_equal(mvm_platform_parse(cases[i].text, &platform, NULL), 0);
		text = mvm_platform_format(&platform);
		assert_string_equal(text, cases[i].normal);
	}
}

static void refuses(void **state)
{
	static const char *const wrong[] = {"",
					    "/",
					    "linux/",
					    "/amd64",
					    "a/b/c/d",
					    "linux//v8",
					    "lin ux/amd64",
					    "linux/am*d64",
					    "linux/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
					    "\xc3\xa9"};

	for (size_t i = 0; i < MVM_COUNT(wrong); i++) {
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;
		struct mvm_platform platform;

		assert_int_equal(mvm_platform_parse(wrong[i], &platform, &err), -1);
		assert_int_equal(mvm_error_code(err), MVM_ERR_INVALID);
	}
}

static int match(const char *wanted, const char *offered)
{
	struct mvm_platform a, b;

	assert_int_equal(mvm_platform_parse(wanted, &a, NULL), 0);
	assert_int_equal(mvm_platform_parse(offered, &b, NULL), 0);
	return mvm_platform_match(&a, &b);
}

static void matches_what_runs(void **state)
{
	assert_true(match("linux/amd64", "linux/amd64"));
	assert_true(match("linux/amd64/v3", "linux/amd64/v2"));
	assert_true(match("linux/amd64/v3", "linux/amd64"));
	assert_true(match("linux/arm/v7", "linux/arm/v6"));
	assert_true(match("linux/arm64/v8.2", "linux/arm64"));
	assert_true(match("linux/arm64/v9", "linux/arm64/v8.5"));
	assert_false(match("linux/amd64", "linux/amd64/v2"));
	assert_false(match("linux/amd64", "linux/arm64"));
	assert_false(match("linux/amd64", "windows/amd64"));
	assert_false(match("linux/arm/v6", "linux/arm/v7"));
	assert_false(match("linux/arm64", "linux/arm64/v9"));
	assert_false(match("linux/arm64/v9", "linux/arm64/v8.6"));
	assert_false(match("linux/amd64/v3", "linux/amd64/next"));
}

static void prefers_the_nearest(void **state)
{
	assert_true(match("linux/arm/v7", "linux/arm/v7") > match("linux/arm/v7", "linux/arm/v6"));
	assert_true(match("linux/arm/v7", "linux/arm/v6") > match("linux/arm/v7", "linux/arm/v5"));
	assert_true(match("linux/arm64/v9", "linux/arm64/v8.5") > match("linux/arm64/v9", "linux/arm64"));
	assert_true(match("linux/amd64/odd", "linux/amd64/odd") > 0);
}

static void default_is_the_hosts(void **state)
{
	char *text MVM_CLEAN_FREE = NULL;
	struct mvm_platform platform;

	mvm_platform_default(&platform);
	text = mvm_platform_format(&platform);
#ifdef __x86_64__
	assert_string_equal(text, "linux/amd64");
#else
	assert_string_equal(text, "linux/arm64");
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(normalises),		cmocka_unit_test(refuses),
		cmocka_unit_test(matches_what_runs),	cmocka_unit_test(prefers_the_nearest),
		cmocka_unit_test(default_is_the_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
