/* Subordinate ids, as /etc/subuid has them. */
#include "share/ids.h"

#include <unistd.h>

#include "tests/unit/unit.h"

static void ranges(void **state)
{
	static const struct {
		const char *text;
		uint32_t first, count;
	} cases[] = {
		{"me:100000:65536\n", 100000, 65536},
		{"you:1:2\nme:100000:65536\nme:300000:1\n", 100000, 65536},
		{"1000:200000:65536", 200000, 65536},
		{"me:0:5\nme:100:4294967295\nme:7:x\nme\nme:9:3\n", 9, 3},
		{"mee:1:2\nm:1:2\n", 0, 0},
		{"# me:1:2\n", 0, 0},
		{"", 0, 0},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct mvm_id_range range = mvm_share_ids_parse(cases[i].text, "me", "1000");

		assert_int_equal(range.first, cases[i].first);
		assert_int_equal(range.count, cases[i].count);
	}
	assert_int_equal(mvm_share_ids_parse("me:1:2", NULL, "1000").count, 0);
}

static void held(void **state)
{
	struct mvm_share_id_map map = {MVM_SHARE_IDS_MAPPED, {5000000, 1000}, {6000000, 10}};
	uint32_t user = geteuid(), group = getegid();

	assert_true(mvm_share_ids_hold(&map, user, group));
	assert_true(mvm_share_ids_hold(&map, 5000000, 6000009));
	assert_true(mvm_share_ids_hold(&map, 5000999, group));
	assert_false(mvm_share_ids_hold(&map, 5001000, group));
	assert_false(mvm_share_ids_hold(&map, 4999999, group));
	assert_false(mvm_share_ids_hold(&map, user, 6000010));
	map.users.count = 0;
	assert_false(mvm_share_ids_hold(&map, 5000000, group));
	/* Nobody is root over what is his own. */
	map.kind = MVM_SHARE_IDS_SQUASHED;
	assert_false(mvm_share_ids_hold(&map, user, group));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(ranges), cmocka_unit_test(held)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
