/* --filter name=value. */
#include "capture.h"

#include "runtime/cli/filter.h"

static const char *const known[] = {"label", "label!", "until", NULL};

static void only_known_names_with_a_value(void **state)
{
	struct mvm_strv filters MVM_CLEAN_STRV = {0};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	mvm_strv_add(&filters, "label=a=b");
	mvm_strv_add(&filters, "label!=c");
	mvm_strv_add(&filters, "until=");
	assert_ok(cli_filters_check(&filters, known, &err));
	mvm_strv_add(&filters, "labels=a");
	assert_error(cli_filters_check(&filters, known, &err), MVM_ERR_USAGE, "invalid filter 'labels'");
	free(filters.items[3]);
	filters.items[3] = mvm_strdup("label");
	assert_error(cli_filters_check(&filters, known, &err), MVM_ERR_USAGE, "expected name=value");
}

static void values_of_one_name(void **state)
{
	struct mvm_prune_filter filter MVM_CLEAN_PRUNE_FILTER = {0};
	struct mvm_strv filters MVM_CLEAN_STRV = {0};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	mvm_strv_add(&filters, "label=a=b");
	mvm_strv_add(&filters, "label!=c");
	mvm_strv_add(&filters, "label=d");
	mvm_strv_add(&filters, "until=1000");
	assert_ok(cli_prune_filter(&filters, &filter, &err));
	assert_int_equal(filter.labels.count, 2);
	assert_string_equal(filter.labels.items[0], "a=b");
	assert_string_equal(filter.labels.items[1], "d");
	assert_int_equal(filter.other_labels.count, 1);
	assert_string_equal(filter.other_labels.items[0], "c");
	assert_int_equal(filter.until, 1000);
}

static void until_must_be_a_time(void **state)
{
	struct mvm_prune_filter filter MVM_CLEAN_PRUNE_FILTER = {0};
	struct mvm_strv filters MVM_CLEAN_STRV = {0};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	mvm_strv_add(&filters, "until=never");
	assert_error(cli_prune_filter(&filters, &filter, &err), MVM_ERR_USAGE, "invalid filter 'until=never'");
}

static bool shows(const char *pattern, const char *reference)
{
	struct cli_image_filter filter = {0};
	bool result;

	mvm_strv_add(&filter.references, pattern);
	result = cli_image_filter_shows(&filter, reference);
	cli_image_filter_finish(&filter);
	return result;
}

/* As Go's path.Match, on the short name with its tag and without. */
static void patterns(void **state)
{
	static const char *const alpine = "docker.io/library/alpine:3.20", *const team = "example.org/team/app:v1";

	assert_true(shows("alpine", alpine));
	assert_true(shows("alpine:3.20", alpine));
	assert_true(shows("alp*", alpine));
	assert_true(shows("alpine:3.*", alpine));
	assert_true(shows("al?ine", alpine));
	assert_true(shows("[a-b]lpine", alpine));
	assert_true(shows("*/*/*", team));
	assert_true(shows("example.org/*/app:v?", team));
	assert_false(shows("alpine:latest", alpine));
	assert_false(shows("docker.io/library/alpine", alpine));
	assert_false(shows("*", team));
	assert_false(shows("*/app", team));
	assert_false(shows("", alpine));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_known_names_with_a_value),
		cmocka_unit_test(values_of_one_name),
		cmocka_unit_test(until_must_be_a_time),
		cmocka_unit_test(patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
