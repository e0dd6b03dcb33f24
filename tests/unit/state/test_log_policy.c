/* --log-driver and --log-opt. */
#include "tests/unit/unit.h"

#include "runtime/state/log_policy.h"

static int parse(const char *driver, const char *first, const char *second, struct mvm_log_policy *policy,
		 struct mvm_error **err)
{
	struct mvm_strv options MVM_CLEAN_STRV = {0};

	if (first)
		mvm_strv_add(&options, first);
	if (second)
		mvm_strv_add(&options, second);
	return mvm_log_policy_parse(driver, &options, policy, err);
}

static void drivers(void **state)
{
	struct mvm_log_policy policy;
	struct mvm_error *err = NULL;

	assert_ok(mvm_log_policy_parse(NULL, NULL, &policy, &err));
	assert_true(policy.kept);
	assert_int_equal(policy.max_size, 0);
	assert_int_equal(policy.max_files, 1);
	assert_ok(parse("local", NULL, NULL, &policy, &err));
	assert_int_equal(policy.max_size, 20000000);
	assert_int_equal(policy.max_files, 5);
	assert_ok(parse("none", "anything=goes", NULL, &policy, &err));
	assert_false(policy.kept);
	assert_error(parse("syslog", NULL, NULL, &policy, &err), MVM_ERR_USAGE,
		     "no log driver named 'syslog' is registered");
}

/* Docker counts these in units of 1000. */
static void options(void **state)
{
	struct mvm_log_policy policy;
	struct mvm_error *err = NULL;

	assert_ok(parse("json-file", "max-size=10m", "max-file=3", &policy, &err));
	assert_int_equal(policy.max_size, 10000000);
	assert_int_equal(policy.max_files, 3);
	assert_ok(parse("local", "max-size=1k", "mode=non-blocking", &policy, &err));
	assert_int_equal(policy.max_size, 1000);
	assert_int_equal(policy.max_files, 5);
}

static void what_is_refused(void **state)
{
	static const struct {
		const char *option, *says;
	} cases[] = {
		{"max-size=0", "max-size must be a positive number"},
		{"max-size=-1", "max-size must be a positive number"},
		{"max-size", "max-size must be a positive number"},
		{"max-size=lots", "max-size must be a positive number"},
		{"max-file=0", "max-file must be a number from 1"},
		{"max-file=x", "max-file must be a number from 1"},
		{"mode=lazy", "logging mode not supported: lazy"},
		{"colour=red", "unknown log opt 'colour' for json-file log driver"},
		{"", "unknown log opt ''"},
	};
	struct mvm_log_policy policy = {.max_files = 42};
	struct mvm_error *err = NULL;

	for (size_t i = 0; i < MVM_COUNT(cases); i++)
		assert_error(parse(NULL, cases[i].option, NULL, &policy, &err), MVM_ERR_USAGE, cases[i].says);
	assert_int_equal(policy.max_files, 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drivers),
		cmocka_unit_test(options),
		cmocka_unit_test(what_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
