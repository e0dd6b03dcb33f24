#include "tests/unit/unit.h"

#include "runtime/state/restart_policy.h"

static void policies_are_read(void **state)
{
	static const struct {
		const char *text, *name;
		int64_t max;
	} cases[] = {
		{NULL, "no", 0},
		{"", "no", 0},
		{"no", "no", 0},
		{"always", "always", 0},
		{"always:0", "always", 0},
		{"unless-stopped", "unless-stopped", 0},
		{"on-failure", "on-failure", 0},
		{"on-failure:", "on-failure", 0},
		{"on-failure:3", "on-failure", 3},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct mvm_error *err = NULL;
		const char *name;
		int64_t max = -1;

		assert_ok(mvm_restart_policy_parse(cases[i].text, &name, &max, &err));
		assert_string_equal(name, cases[i].name);
		assert_int_equal(max, cases[i].max);
	}
}

static void others_are_refused_with_dockers_words(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{":1", "invalid restart policy format: no policy provided before colon"},
		{"on-failure:x", "invalid restart policy format: maximum retry count must be an integer"},
		{"on-failure:1:2", "invalid restart policy format: maximum retry count must be an integer"},
		{"on-failure:-1", "invalid restart policy: maximum retry count cannot be negative"},
		{"always:3", "invalid restart policy: maximum retry count can only be used with 'on-failure'"},
		{"no:-3",
		 "invalid restart policy: maximum retry count can only be used with 'on-failure' and cannot be "
		 "negative"},
		{"sometimes", "invalid restart policy: unknown policy 'sometimes'; use one of 'no', 'always', "
			      "'on-failure', or 'unless-stopped'"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;
		const char *name;
		int64_t max;

		assert_int_equal(mvm_restart_policy_parse(cases[i].text, &name, &max, &err), -1);
		assert_int_equal(mvm_error_code(err), MVM_ERR_USAGE);
		assert_string_equal(mvm_error_message(err), cases[i].message);
	}
}

static void an_end_is_judged(void **state)
{
	static const struct {
		const char *policy;
		int64_t max, exit_code, count;
		bool stopped, wanted;
	} cases[] = {
		{NULL, 0, 1, 0, false, false},
		{"no", 0, 1, 0, false, false},
		{"always", 0, 0, 100, false, true},
		{"always", 0, 0, 0, true, true},
		{"unless-stopped", 0, 0, 0, false, true},
		{"unless-stopped", 0, 1, 0, true, false},
		{"on-failure", 0, 0, 0, false, false},
		{"on-failure", 0, 1, 1000, false, true},
		{"on-failure", 3, 1, 2, false, true},
		{"on-failure", 3, 1, 3, false, false},
		/* Of a later mvm: what is not known does nothing. */
		{"on-tuesdays", 0, 1, 0, false, false},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct mvm_container_config config = {.restart_policy = (char *)cases[i].policy,
						      .restart_max = cases[i].max};
		struct mvm_container_state its = {.status = MVM_STATUS_EXITED,
						  .exit_code = cases[i].exit_code,
						  .restart_count = cases[i].count,
						  .stopped_by_user = cases[i].stopped};

		assert_int_equal(mvm_restart_wanted(&config, &its), cases[i].wanted);
		/* One that never ran has nothing to go on with, and one that runs is there. */
		assert_false(mvm_restart_at_boot(&config, &its));
		its.started.tv_sec = 1;
		assert_int_equal(mvm_restart_at_boot(&config, &its), cases[i].wanted);
		its.status = MVM_STATUS_RUNNING;
		assert_false(mvm_restart_at_boot(&config, &its));
	}
}

static void waits_double_up_to_a_minute(void **state)
{
	static const uint64_t expected[] = {100,   200,	  400,	 800,	1600,  3200, 6400,
					    12800, 25600, 51200, 60000, 60000, 60000};
	uint64_t wait = 0;

	for (size_t i = 0; i < MVM_COUNT(expected); i++) {
		wait = mvm_restart_delay(wait, 9999);
		assert_int_equal(wait, expected[i]);
	}
	assert_int_equal(mvm_restart_delay(wait, 10000), 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(policies_are_read),
		cmocka_unit_test(others_are_refused_with_dockers_words),
		cmocka_unit_test(an_end_is_judged),
		cmocka_unit_test(waits_double_up_to_a_minute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
