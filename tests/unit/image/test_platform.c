#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "image/platform.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"

/* The cases of containerd's own tests, on an amd64 or arm64 host. */
static void parses(void **state)
{
	static const struct {
		const char *text, *parsed, *normal;
	} cases[] = {
		{"linux/amd64", "linux/amd64", "linux/amd64"},
		{"linux/x86_64", "linux/amd64", "linux/amd64"},
		{"x86-64", "linux/amd64", "linux/amd64"},
		{"LINUX/AMD64", "linux/amd64", "linux/amd64"},
		{"linux/amd64/v1", "linux/amd64", "linux/amd64"},
		{"linux/amd64/v2", "linux/amd64/v2", "linux/amd64/v2"},
		{"linux/x86_64/V3", "linux/amd64/v3", "linux/amd64/v3"},
		{"arm64", "linux/arm64", "linux/arm64"},
		{"aarch64", "linux/arm64", "linux/arm64"},
		{"linux/arm64/v8", "linux/arm64/v8", "linux/arm64"},
		{"linux/arm64/8", "linux/arm64/v8", "linux/arm64"},
		{"linux/arm64/v9", "linux/arm64/v9", "linux/arm64/v9"},
		{"arm", "linux/arm", "linux/arm/v7"},
		{"linux/arm", "linux/arm", "linux/arm/v7"},
		{"linux/arm/v7", "linux/arm/v7", "linux/arm/v7"},
		{"linux/arm/7", "linux/arm/v7", "linux/arm/v7"},
		{"linux/arm/6", "linux/arm/v6", "linux/arm/v6"},
		{"linux/arm/v9", "linux/arm/v9", "linux/arm/v9"},
		{"armhf", "linux/arm", "linux/arm/v7"},
		{"armel", "linux/arm/v6", "linux/arm/v6"},
		{"linux/armhf", "linux/arm", "linux/arm/v7"},
		{"i386", "linux/386", "linux/386"},
		{"linux/i386/v2", "linux/386", "linux/386"},
		{"386", "linux/386", "linux/386"},
		{"s390x", "linux/s390x", "linux/s390x"},
		{"linux/s390x", "linux/s390x", "linux/s390x"},
		{"macOS/arm64", "darwin/arm64", "darwin/arm64"},
		{"windows/amd64", "windows/amd64", "windows/amd64"},
		{"linux/of-my-own", "linux/of-my-own", "linux/of-my-own"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		char *parsed MVM_CLEAN_FREE = NULL, *normal MVM_CLEAN_FREE = NULL;
		struct mvm_platform platform;

		assert_int_equal(mvm_platform_parse(cases[i].text, &platform, NULL), 0);
		parsed = mvm_platform_format(&platform);
		assert_string_equal(parsed, cases[i].parsed);
		mvm_platform_normalise(&platform);
		normal = mvm_platform_format(&platform);
		assert_string_equal(normal, cases[i].normal);
	}
}

static void a_lone_system_is_on_the_hosts_processor(void **state)
{
	struct mvm_platform platform, host;

	mvm_platform_default(&host);
	assert_int_equal(mvm_platform_parse("Linux", &platform, NULL), 0);
	assert_true(mvm_platform_same(&platform, &host));
	assert_int_equal(mvm_platform_parse("macos", &platform, NULL), 0);
	assert_string_equal(platform.os, "darwin");
	assert_string_equal(platform.architecture, host.architecture);
}

static void what_is_said_is_kept(void **state)
{
	struct mvm_platform platform;
	char *text MVM_CLEAN_FREE = NULL;

	assert_int_equal(mvm_platform_set("Linux", "aarch64", "v8", &platform, NULL), 0);
	text = mvm_platform_format(&platform);
	assert_string_equal(text, "Linux/aarch64/v8");
	assert_int_equal(mvm_platform_set("linux", "x", "far too long to be one", &platform, NULL), -1);
	assert_string_equal(platform.architecture, "aarch64");
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
					    "*",
					    "linux/*",
					    "nosuch",
					    "linux(1.2)/amd64",
					    "linux/amd64/",
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
	static const struct {
		const char *wanted, *offered;
		bool runs;
	} cases[] = {
		{"linux/amd64", "linux/amd64", true},
		{"linux/amd64", "linux/amd64/v1", true},
		{"linux/amd64/v3", "linux/amd64/v2", true},
		{"linux/amd64/v3", "linux/amd64", true},
		{"linux/amd64", "linux/386", true},
		{"linux/amd64/v2", "linux/386", true},
		{"linux/amd64", "linux/amd64/v2", false},
		{"linux/amd64/v3", "linux/amd64/next", false},
		{"linux/amd64/v3", "linux/amd64/v2.5", false},
		{"linux/amd64/v3", "linux/amd64/v0", false},
		{"linux/386", "linux/amd64", false},
		{"linux/arm/v7", "linux/arm", true},
		{"linux/arm", "linux/arm/v5", true},
		{"linux/arm/v8", "linux/arm/v7", true},
		{"linux/arm/v7", "linux/arm/v6", true},
		{"linux/arm/v6", "linux/arm/v5", true},
		{"linux/arm/v6", "linux/arm/v7", false},
		{"linux/arm/v7", "linux/arm/v4", false},
		{"linux/arm64", "linux/arm64/v8", true},
		{"linux/arm64/v8.2", "linux/arm64", true},
		{"linux/arm64/v8.2", "linux/arm64/v8.1", true},
		{"linux/arm64/v9", "linux/arm64", true},
		{"linux/arm64/v9", "linux/arm64/v8.5", true},
		{"linux/arm64/v9.2", "linux/arm64/v9.1", true},
		{"linux/arm64/v9.5", "linux/arm64/v8.9", true},
		{"linux/arm64", "linux/arm/v8", true},
		{"linux/arm64", "linux/arm", true},
		{"linux/arm64/v9.1", "linux/arm/v5", true},
		{"linux/arm64", "linux/arm/v9", false},
		{"linux/arm64", "linux/arm64/v9", false},
		{"linux/arm64", "linux/arm64/v8.1", false},
		{"linux/arm64/v9", "linux/arm64/v8.6", false},
		{"linux/arm64/v10", "linux/arm64", false},
		{"linux/arm64/v9.6", "linux/arm64/v8.11", false},
		{"linux/arm/v8", "linux/arm64", false},
		{"linux/amd64", "linux/arm64", false},
		{"linux/amd64", "windows/amd64", false},
		{"linux/riscv64/a", "linux/riscv64/b", false},
		{"linux/riscv64/a", "linux/riscv64/a", true},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++)
		if (!!match(cases[i].wanted, cases[i].offered) != cases[i].runs)
			fail_msg("%s by %s", cases[i].wanted, cases[i].offered);
}

static void prefers_the_nearest(void **state)
{
	/* Best first. */
	static const char *const orders[][6] = {
		{"linux/amd64/v3", "linux/amd64/v3", "linux/amd64/v2", "linux/amd64", "linux/386", NULL},
		{"linux/arm/v8", "linux/arm/v8", "linux/arm/v7", "linux/arm/v6", "linux/arm/v5", NULL},
		{"linux/arm64/v9.1", "linux/arm64/v9", "linux/arm64/v8.6", "linux/arm64", "linux/arm/v8",
		 "linux/arm/v7"},
	};

	for (size_t i = 0; i < MVM_COUNT(orders); i++)
		for (size_t at = 2; at < MVM_COUNT(orders[i]) && orders[i][at]; at++)
			assert_true(match(orders[i][0], orders[i][at - 1]) > match(orders[i][0], orders[i][at]));
}

static void a_config_without_variant_suits(void **state)
{
	struct mvm_platform v5, v6, bare, other;

	mvm_platform_set("linux", "arm", "v5", &v5, NULL);
	mvm_platform_set("linux", "arm", "v6", &v6, NULL);
	mvm_platform_set("linux", "arm", "", &bare, NULL);
	mvm_platform_set("linux", "amd64", "", &other, NULL);
	assert_false(mvm_platform_match(&v5, &bare));
	assert_true(mvm_platform_suits(&v5, &bare));
	assert_false(mvm_platform_suits(&v5, &v6));
	assert_true(mvm_platform_suits(&v6, &v5));
	assert_false(mvm_platform_suits(&v5, &other));
	assert_false(mvm_platform_same(&v6, &v5));
	mvm_platform_set("linux", "armhf", "", &other, NULL);
	assert_true(mvm_platform_same(&bare, &other));
}

static void default_is_the_hosts(void **state)
{
	char *text MVM_CLEAN_FREE = NULL;
	struct mvm_platform platform, host;

	mvm_platform_default(&platform);
	text = mvm_platform_format(&platform);
#ifdef __x86_64__
	assert_string_equal(text, "linux/amd64");
#else
	assert_string_equal(text, "linux/arm64");
#endif
	mvm_platform_host(&host);
	assert_true(mvm_platform_match(&host, &platform));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses),
		cmocka_unit_test(a_lone_system_is_on_the_hosts_processor),
		cmocka_unit_test(what_is_said_is_kept),
		cmocka_unit_test(refuses),
		cmocka_unit_test(matches_what_runs),
		cmocka_unit_test(prefers_the_nearest),
		cmocka_unit_test(a_config_without_variant_suits),
		cmocka_unit_test(default_is_the_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
