#include "../unit.h"

#include "image/budget.h"
#include "runtime/base/config.h"

static void test_defaults(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_budget budget;

	assert_ok(mvm_budget_init(&budget, NULL, &err));
	assert_int_equal(budget.max_size, 32ULL << 30);
	assert_int_equal(budget.max_entries, 2000000);
}

/* To the last byte, and not beyond whatever the numbers. */
static void test_limits(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_budget budget = {.max_size = 1 << 30, .max_entries = 2};

	assert_ok(mvm_budget_take_size(&budget, (1 << 30) - 1, &err));
	assert_ok(mvm_budget_take_size(&budget, 1, &err));
	assert_error(mvm_budget_take_size(&budget, 1, &err), MVM_ERR_UNSUPPORTED, "unpacks to more than 1 GiB");
	assert_error(mvm_budget_take_size(&budget, UINT64_MAX, &err), MVM_ERR_UNSUPPORTED, "\"maxUnpackedSize\"");
	assert_error(mvm_budget_take_piece(&budget, &err), MVM_ERR_UNSUPPORTED, "\"maxUnpackedSize\"");
	assert_ok(mvm_budget_take_entry(&budget, 0, &err));
	assert_error(mvm_budget_take_entry(&budget, SIZE_MAX / 2, &err), MVM_ERR_UNSUPPORTED, "KiB of memory");
	assert_error(mvm_budget_take_entry(&budget, 0, &err), MVM_ERR_UNSUPPORTED, "more than 2 entries");
}

static void test_budget_settings(void **state)
{
	static const char *const bad[] = {"{\"images\": []}",
					  "{\"images\": {\"maxUnpackedSize\": \"much\"}}",
					  "{\"images\": {\"maxUnpackedSize\": 5}}",
					  "{\"images\": {\"maxUnpackedSize\": \"0\"}}",
					  "{\"images\": {\"maxEntries\": 0}}",
					  "{\"images\": {\"maxEntries\": \"1\"}}"};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *path MVM_CLEAN_FREE = mvm_format("%s/config.json", (char *)*state);
	struct mvm_config *config = NULL;
	struct mvm_budget budget;

	setenv("MVM_CONFIG", path, 1);
	for (size_t i = 0; i < MVM_COUNT(bad); i++) {
		assert_ok(mvm_replace_file(path, bad[i], strlen(bad[i]), 0600, &err));
		assert_ok(mvm_config_load(&config, &err));
		assert_error(mvm_budget_init(&budget, config, &err), MVM_ERR_INVALID, "\"images\"");
		mvm_config_destroy(config);
	}
	static const char good[] = "{\"images\": {\"maxUnpackedSize\": \"1.5g\", \"maxEntries\": 7, \"new\": 1}}";

	assert_ok(mvm_replace_file(path, good, strlen(good), 0600, &err));
	assert_ok(mvm_config_load(&config, &err));
	assert_ok(mvm_budget_init(&budget, config, &err));
	assert_int_equal(budget.max_size, 3ULL << 29);
	assert_int_equal(budget.max_entries, 7);
	mvm_config_destroy(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_budget_settings),
	};

	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
