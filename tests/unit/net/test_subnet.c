/* Addresses and prefixes. */
#include "net/subnet.h"
#include "tests/unit/unit.h"

static struct mvm_subnet parse(const char *text)
{
	struct mvm_error *err = NULL;
	struct mvm_subnet subnet;

	assert_ok(mvm_subnet_parse(text, &subnet, &err));
	return subnet;
}

static void prefixes_are_read_and_written(void **state)
{
	static const char *const cases[][2] = {{"192.168.127.0/24", "192.168.127.0/24"},
					       {"10.1.2.3/8", "10.0.0.0/8"},
					       {"172.16.5.9/29", "172.16.5.8/29"}};
	struct mvm_error *err = NULL;
	struct mvm_subnet6 subnet6;
	char text[MVM_SUBNET_TEXT];

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct mvm_subnet subnet = parse(cases[i][0]);

		mvm_subnet_format(&subnet, text);
		assert_string_equal(text, cases[i][1]);
	}
	assert_ok(mvm_subnet6_parse("fd00:1:2:3:4::/64", &subnet6, &err));
	mvm_subnet6_format(&subnet6, text);
	assert_string_equal(text, "fd00:1:2:3::/64");
}

static void others_are_refused(void **state)
{
	static const char *const bad[] = {"",
					  "10.0.0.0",
					  "10.0.0.0/",
					  "10.0.0.0/33",
					  "10.0.0.0/30",
					  "10.0.0.0/7",
					  "10.0.0.0/24x",
					  "10.0.0/24",
					  "fd00::/64",
					  "/24",
					  "10.0.0.256/24",
					  "0.0.0.0/8",
					  "127.1.0.0/16",
					  "224.0.0.0/24",
					  "255.255.255.0/24"};
	static const char *const bad6[] = {"::/64", "::1/64", "::ffff:10.0.0.0/64", "fe80::/64", "ff02::/64"};
	struct mvm_error *err = NULL;
	struct mvm_subnet subnet;
	struct mvm_subnet6 subnet6;

	for (size_t i = 0; i < MVM_COUNT(bad); i++)
		assert_error(mvm_subnet_parse(bad[i], &subnet, &err), MVM_ERR_INVALID, bad[i]);
	for (size_t i = 0; i < MVM_COUNT(bad6); i++)
		assert_error(mvm_subnet6_parse(bad6[i], &subnet6, &err), MVM_ERR_INVALID, bad6[i]);
	assert_error(mvm_subnet6_parse("fd00::/48", &subnet6, &err), MVM_ERR_INVALID, "64");
	assert_error(mvm_subnet6_parse("10.0.0.0/64", &subnet6, &err), MVM_ERR_INVALID, "IPv6");
}

static void hosts_are_neither_end(void **state)
{
	struct mvm_subnet subnet = parse("192.168.127.0/29");

	assert_false(mvm_subnet_is_host(&subnet, 0xc0a87f00));
	assert_true(mvm_subnet_is_host(&subnet, 0xc0a87f01));
	assert_true(mvm_subnet_is_host(&subnet, 0xc0a87f06));
	assert_false(mvm_subnet_is_host(&subnet, 0xc0a87f07));
	assert_false(mvm_subnet_is_host(&subnet, 0xc0a87f08));
}

static void overlaps_are_seen_both_ways(void **state)
{
	struct mvm_subnet all = {0}, wide = parse("10.0.0.0/8"), narrow = parse("10.1.0.0/16"),
			  other = parse("11.0.0.0/8");

	assert_true(mvm_subnet_overlaps(&wide, &narrow));
	assert_true(mvm_subnet_overlaps(&narrow, &wide));
	assert_true(mvm_subnet_overlaps(&wide, &wide));
	assert_false(mvm_subnet_overlaps(&wide, &other));
	assert_true(mvm_subnet_overlaps(&all, &other));
}

static void numbers_become_ipv6_hosts(void **state)
{
	struct mvm_error *err = NULL;
	struct mvm_subnet6 subnet;
	struct in6_addr address;
	char text[MVM_SUBNET_TEXT];

	assert_ok(mvm_subnet6_parse("fd00:1:2:3::/64", &subnet, &err));
	address = mvm_subnet6_host(&subnet, 0x1234567890);
	mvm_address6_format(&address, text);
	assert_string_equal(text, "fd00:1:2:3:0:12:3456:7890");
	assert_true(mvm_subnet6_contains(&subnet, &address));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prefixes_are_read_and_written), cmocka_unit_test(others_are_refused),
		cmocka_unit_test(hosts_are_neither_end),	 cmocka_unit_test(overlaps_are_seen_both_ways),
		cmocka_unit_test(numbers_become_ipv6_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
