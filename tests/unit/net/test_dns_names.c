/* The table of names: who is found under which, in which order, and who an address is. */
#include "dns_maker.h"

#include "net/dns_names.h"

static struct in6_addr ipv6_of(uint8_t last)
{
	return (struct in6_addr){.s6_addr = {0xfd, [15] = last}};
}

static void add(struct dns_names *names, const char *id, uint8_t number, const char *const *list, size_t count)
{
	struct mvm_dns_endpoint endpoint = {
		.id = id, .names = list, .name_count = count, .ipv4 = 0x0a000000u + number, .ipv6 = ipv6_of(number)};

	dns_names_set(names, &endpoint, false);
}

/* "2 3 " are the last numbers of the addresses that are found; NULL: nobody is called so. */
static void assert_found(const struct dns_names *names, const char *text, const char *expected)
{
	struct dns_addresses ipv4 = {0}, ipv6 = {0};
	struct mvm_buf seen MVM_CLEAN_BUF = {0}, seen6 MVM_CLEAN_BUF = {0};
	struct dns_name name;

	assert_true(dns_name_parse(text, &name));
	assert_int_equal(dns_names_find(names, &name, &ipv4, &ipv6), expected != NULL);
	mvm_buf_reserve(&seen, 1);
	mvm_buf_reserve(&seen6, 1);
	for (size_t i = 0; i < ipv4.count; i++)
		mvm_buf_addf(&seen, "%u ", (uint8_t)ipv4.bytes.data[4 * i + 3]);
	for (size_t i = 0; i < ipv6.count; i++)
		mvm_buf_addf(&seen6, "%u ", (uint8_t)ipv6.bytes.data[16 * i + 15]);
	assert_string_equal(seen.length ? seen.data : "", expected ? expected : "");
	assert_string_equal(seen6.length ? seen6.data : "", expected ? expected : "");
	mvm_buf_finish(&ipv4.bytes);
	mvm_buf_finish(&ipv6.bytes);
}

static void names_come_and_go(void **state)
{
	static const char *const web[] = {"web", "www", "0123456789ab"}, *const two[] = {"Web-2", "www"};
	struct dns_names *names = dns_names_create("Net_1");

	add(names, "a", 2, web, MVM_COUNT(web));
	add(names, "b", 3, two, MVM_COUNT(two));
	assert_found(names, "web", "2 ");
	assert_found(names, "WEB", "2 ");
	assert_found(names, "web.net_1", "2 ");
	assert_found(names, "0123456789ab", "2 ");
	assert_found(names, "web-2.NET_1.", "3 ");
	assert_found(names, "www", "2 3 ");
	assert_found(names, "www.net_1", "2 3 ");
	assert_found(names, "net_1", NULL);
	assert_found(names, "web.net_2", NULL);
	assert_found(names, "web.net_1.net_1", NULL);
	assert_found(names, "we", NULL);
	/* In the place of what was there. */
	add(names, "a", 4, web, 1);
	assert_found(names, "web", "4 ");
	assert_found(names, "www", "3 ");
	assert_true(dns_names_remove(names, "a"));
	assert_false(dns_names_remove(names, "a"));
	assert_found(names, "web", NULL);
	assert_true(dns_names_remove(names, "b"));
	add(names, "c", 5, web, 1);
	assert_found(names, "web", "5 ");
	dns_names_destroy(names);
}

static void names_that_cannot_be(void **state)
{
	static const char *const list[] = {"", "..", "db.v2",
					   "0123456789012345678901234567890123456789012345678901234567890123"};
	struct dns_names *names = dns_names_create("a..b");

	add(names, "a", 2, list, MVM_COUNT(list));
	assert_found(names, "db.v2", "2 ");
	assert_found(names, "db.v2.b", NULL);
	dns_names_destroy(names);
}

static void whole_names(void **state)
{
	static const char *const list[] = {"host.docker.internal"};
	const struct mvm_dns_endpoint host = {.id = "h", .names = list, .name_count = 1, .ipv4 = 0x0a000001};
	struct dns_names *names = dns_names_create("net1");
	struct dns_addresses ipv4 = {0}, ipv6 = {0};
	struct dns_name name, expected;

	dns_names_set(names, &host, true);
	assert_true(dns_name_parse("host.docker.internal.net1", &name));
	assert_false(dns_names_find(names, &name, &ipv4, &ipv6));
	assert_true(dns_name_parse("host.docker.internal", &expected));
	assert_true(dns_names_find(names, &expected, &ipv4, &ipv6));
	assert_int_equal(ipv4.count, 1);
	assert_int_equal(ipv6.count, 0);
	mvm_buf_finish(&ipv4.bytes);
	assert_true(dns_names_of(names, 4, 0x0a000001, NULL, &name));
	assert_true(dns_name_equal(&name, &expected));
	dns_names_destroy(names);
}

static void addresses_have_names(void **state)
{
	static const char *const web[] = {"Web", "www"};
	struct dns_names *names = dns_names_create("net1");
	struct in6_addr ipv6 = ipv6_of(2), other = ipv6_of(3), none = {0};
	struct dns_name name, expected;

	add(names, "a", 2, web, MVM_COUNT(web));
	assert_true(dns_name_parse("web.net1", &expected));
	assert_true(dns_names_of(names, 4, 0x0a000002, NULL, &name));
	assert_true(dns_name_equal(&name, &expected));
	assert_true(dns_names_of(names, 6, 0, &ipv6, &name));
	assert_true(dns_name_equal(&name, &expected));
	assert_false(dns_names_of(names, 4, 0x0a000003, NULL, &name));
	assert_false(dns_names_of(names, 6, 0, &other, &name));
	/* No address is nobody's. */
	dns_names_set(names, &(struct mvm_dns_endpoint){.id = "a", .names = web, .name_count = 1}, false);
	assert_false(dns_names_of(names, 4, 0, NULL, &name));
	assert_false(dns_names_of(names, 6, 0, &none, &name));
	dns_names_destroy(names);
}

/* Of five, each is the first about every fifth time, and none is lost. */
static void everybody_is_first(void **state)
{
	unsigned firsts[5] = {0};

	for (int round = 0; round < 1000; round++) {
		struct dns_addresses addresses = {.count = 5, .size = 4};
		unsigned sum = 0;

		for (uint8_t i = 0; i < 5; i++)
			mvm_buf_add(&addresses.bytes, (uint8_t[]){10, 0, 0, i}, 4);
		dns_addresses_shuffle(&addresses);
		for (size_t i = 0; i < 5; i++)
			sum |= 1u << addresses.bytes.data[4 * i + 3];
		assert_int_equal(sum, 31);
		firsts[(uint8_t)addresses.bytes.data[3]]++;
		mvm_buf_finish(&addresses.bytes);
	}
	for (size_t i = 0; i < 5; i++)
		assert_in_range(firsts[i], 100, 300);
	dns_addresses_shuffle(&(struct dns_addresses){0});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_come_and_go),  cmocka_unit_test(names_that_cannot_be),
		cmocka_unit_test(whole_names),	      cmocka_unit_test(addresses_have_names),
		cmocka_unit_test(everybody_is_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
