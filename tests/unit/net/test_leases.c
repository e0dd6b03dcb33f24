/* Which container has which address. */
#include "net/leases.h"
#include "tests/unit/unit.h"

static const struct mvm_subnet subnet = {.address = 0x0a000000, .prefix = 29};
enum { GATEWAY = 0x0a000001 };

static uint32_t take(struct mvm_leases *leases, const char *holder, uint32_t wanted)
{
	struct mvm_error *err = NULL;
	uint32_t address = 0;

	assert_ok(mvm_leases_take(leases, holder, wanted, &address, &err));
	return address;
}

static struct mvm_leases *open_in(const char *folder)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/leases.json", folder);

	return mvm_leases_open(path, &subnet, GATEWAY);
}

static void the_lowest_free_one_is_given(void **state)
{
	struct mvm_leases *leases = open_in(*state);
	struct mvm_error *err = NULL;
	uint32_t address;

	assert_int_equal(take(leases, "a", 0), 0x0a000002);
	assert_int_equal(take(leases, "b", 0), 0x0a000003);
	assert_int_equal(take(leases, "a", 0), 0x0a000002);
	mvm_leases_release(leases, "a");
	assert_int_equal(take(leases, "c", 0), 0x0a000002);
	assert_int_equal(take(leases, "d", 0x0a000006), 0x0a000006);
	assert_int_equal(take(leases, "e", 0), 0x0a000004);
	assert_int_equal(take(leases, "f", 0), 0x0a000005);
	assert_error(mvm_leases_take(leases, "g", 0, &address, &err), MVM_ERR_CONFLICT, "10.0.0.0/29");
	for (const char *holder = "bcdef"; *holder; holder++) {
		char name[2] = {*holder, '\0'};

		mvm_leases_release(leases, name);
	}
	mvm_leases_close(leases);
}

static void what_cannot_be_had_is_refused(void **state)
{
	struct mvm_leases *leases = open_in(*state);
	struct mvm_error *err = NULL;
	uint32_t address;

	take(leases, "abc", 0x0a000004);
	assert_error(mvm_leases_take(leases, "x", 0x0a000004, &address, &err), MVM_ERR_CONFLICT, "already in use");
	assert_error(mvm_leases_take(leases, "x", GATEWAY, &address, &err), MVM_ERR_CONFLICT, "gateway");
	assert_error(mvm_leases_take(leases, "x", 0x0a000007, &address, &err), MVM_ERR_INVALID, "10.0.0.0/29");
	assert_error(mvm_leases_take(leases, "x", 0x0b000001, &address, &err), MVM_ERR_INVALID, "11.0.0.1");
	assert_int_equal(take(leases, "abc", 0x0a000005), 0x0a000005);
	assert_int_equal(take(leases, "x", 0x0a000004), 0x0a000004);
	mvm_leases_release(leases, "abc");
	mvm_leases_release(leases, "x");
	mvm_leases_close(leases);
}

static void a_successor_keeps_what_was_given(void **state)
{
	struct mvm_leases *leases = open_in(*state);
	struct mvm_error *err = NULL;
	uint32_t address;

	take(leases, "a", 0);
	take(leases, "b", 0);
	mvm_leases_close(leases);
	leases = open_in(*state);
	assert_error(mvm_leases_take(leases, "c", 0x0a000002, &address, &err), MVM_ERR_CONFLICT, "in use");
	assert_int_equal(take(leases, "c", 0), 0x0a000004);
	assert_int_equal(take(leases, "b", 0), 0x0a000003);
	/* "a" has not come back; "b" has. */
	mvm_leases_expire(leases);
	assert_int_equal(take(leases, "d", 0), 0x0a000002);
	assert_error(mvm_leases_take(leases, "e", 0x0a000003, &address, &err), MVM_ERR_CONFLICT, "in use");
	mvm_leases_close(leases);
}

/* What a crash of the host has left, or another version. */
static void a_file_that_makes_no_sense_is_none(void **state)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/leases.json", (char *)*state);
	static const char *const texts[] = {"", "{", "[1]", "{\"a\": 1, \"b\": \"10.0.0.99\", \"c\": \"x\"}"};
	struct mvm_error *err = NULL;

	for (size_t i = 0; i < MVM_COUNT(texts); i++) {
		struct mvm_leases *leases;

		assert_ok(mvm_replace_file(path, texts[i], strlen(texts[i]), 0600, &err));
		leases = open_in(*state);
		assert_int_equal(take(leases, "z", 0), 0x0a000002);
		mvm_leases_close(leases);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_lowest_free_one_is_given),
		cmocka_unit_test(what_cannot_be_had_is_refused),
		cmocka_unit_test(a_successor_keeps_what_was_given),
		cmocka_unit_test(a_file_that_makes_no_sense_is_none),
	};

	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
