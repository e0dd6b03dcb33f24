/* A home of an older mvm is taken up, that of a newer one is left alone. */
#include "world.h"

#include <sys/stat.h>

static int open_with(struct world *world, const char *text, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/version", world->folder);

	mvm_state_close(world->state);
	world->state = NULL;
	if (!text)
		assert_int_equal(unlink(path), 0);
	else if (mvm_replace_file(path, text, strlen(text), 0600, err) < 0)
		return -1;
	return mvm_state_open(world->folder, &world->state, err);
}

static void says_its_format(void **state)
{
	struct world *world = *state;
	char *path MVM_CLEAN_FREE = mvm_format("%s/version", world->folder), *text MVM_CLEAN_FREE = NULL;
	struct mvm_error *err = NULL;
	struct stat st;

	assert_ok(mvm_read_file(path, 64, &text, NULL, &err));
	assert_string_equal(text, "1\n");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* As older ones have made it. */
	assert_ok(open_with(world, NULL, &err));
	assert_int_equal(access(path, F_OK), 0);
	assert_ok(open_with(world, "1\n", &err));
}

static void leaves_others_alone(void **state)
{
	static const struct {
		const char *text, *words;
		enum mvm_error_code code;
	} cases[] = {
		{"2\n", "was written by a newer mvm (format 2, and this one knows 1)", MVM_ERR_UNSUPPORTED},
		{"999999999\n", "newer mvm", MVM_ERR_UNSUPPORTED},
		{"", "does not say which format", MVM_ERR_INVALID},
		{"0\n", "does not say", MVM_ERR_INVALID},
		{"1", "does not say", MVM_ERR_INVALID},
		{"one\n", "does not say", MVM_ERR_INVALID},
		{"1\n1\n", "does not say", MVM_ERR_INVALID},
		{"99999999999999999999\n", "does not say", MVM_ERR_INVALID},
	};
	struct world *world = *state;
	char *path MVM_CLEAN_FREE = mvm_format("%s/version", world->folder);
	struct mvm_error *err = NULL;

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		char *text MVM_CLEAN_FREE = NULL;

		assert_error(open_with(world, cases[i].text, &err), cases[i].code, cases[i].words);
		assert_ok(mvm_read_file(path, 64, &text, NULL, &err));
		assert_string_equal(text, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(says_its_format, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(leaves_others_alone, world_setup, world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
