/* resolv.conf: what hosts write into it, and what a guest's becomes. */
#include "tests/unit/unit.h"

#include <arpa/inet.h>

#include "net/resolv_conf.h"

static char *server_text(const struct mvm_resolv_server *server)
{
	char text[INET6_ADDRSTRLEN];

	if (server->address.any.sa_family == AF_INET)
		inet_ntop(AF_INET, &server->address.in.sin_addr, text, sizeof(text));
	else
		inet_ntop(AF_INET6, &server->address.in6.sin6_addr, text, sizeof(text));
	return mvm_format("%s:%u", text, ntohs(server->address.in.sin_port));
}

static void servers_of(const char *text, const char *expected)
{
	struct mvm_resolv_conf conf MVM_CLEAN_RESOLV_CONF = {0};
	struct mvm_buf seen MVM_CLEAN_BUF = {0};

	mvm_resolv_conf_parse(text, 53, &conf);
	mvm_buf_add(&seen, "", 0);
	for (size_t i = 0; i < conf.server_count; i++) {
		char *server MVM_CLEAN_FREE = server_text(&conf.servers[i]);

		mvm_buf_addf(&seen, "%s ", server);
	}
	assert_string_equal(seen.length ? seen.data : "", expected);
}

static void servers_in_order(void **state)
{
	servers_of("", "");
	servers_of("# nameserver 192.0.2.9\n;nameserver 192.0.2.8\nnameserver 127.0.0.53\n", "127.0.0.53:53 ");
	servers_of("nameserver\t192.0.2.1  # office\r\n\nnameserver 2001:db8::1", "192.0.2.1:53 2001:db8::1:53 ");
	servers_of("nameserver\nnameserver dns.example\nnameserver 192.0.2.300\nnameservers 192.0.2.1\n", "");
	servers_of("nameserver fe80::1%nosuchinterface\nnameserver 192.0.2.1\n", "192.0.2.1:53 ");
	servers_of("nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver 10.0.0.4\n"
		   "nameserver 10.0.0.5\nnameserver 10.0.0.6\nnameserver 10.0.0.7\nnameserver 10.0.0.8\n"
		   "nameserver 10.0.0.9\n",
		   "10.0.0.1:53 10.0.0.2:53 10.0.0.3:53 10.0.0.4:53 10.0.0.5:53 10.0.0.6:53 10.0.0.7:53 10.0.0.8:53 ");
}

static void options_say_how_to_ask(void **state)
{
	struct mvm_resolv_conf conf MVM_CLEAN_RESOLV_CONF = {0};

	mvm_resolv_conf_parse("", 53, &conf);
	assert_int_equal(conf.timeout, 0);
	assert_int_equal(conf.attempts, 2);
	mvm_resolv_conf_finish(&conf);
	mvm_resolv_conf_parse("options rotate timeout:1\noptions attempts:3 use-vc\n", 53, &conf);
	assert_int_equal(conf.timeout, 1);
	assert_int_equal(conf.attempts, 3);
	assert_true(conf.rotate && conf.tcp);
	mvm_resolv_conf_finish(&conf);
	mvm_resolv_conf_parse("options timeout:0 attempts:99 timeout:x attempts:-1\n", 53, &conf);
	assert_int_equal(conf.timeout, 1);
	assert_int_equal(conf.attempts, 5);
	assert_false(conf.rotate || conf.tcp);
}

static void guest_of(const char *host, const char *search, const char *option, const char *expected, bool ndots)
{
	static const char *const servers[] = {"172.30.0.1", "fd00::1"};
	struct mvm_resolv_conf conf MVM_CLEAN_RESOLV_CONF = {0};
	struct mvm_strv searches MVM_CLEAN_STRV = {0}, options MVM_CLEAN_STRV = {0};
	struct mvm_resolv_guest guest = {
		.servers = servers, .server_count = 2, .search = &searches, .options = &options};
	char *text MVM_CLEAN_FREE = NULL;
	bool set;

	if (search)
		mvm_strv_add(&searches, search);
	if (option)
		mvm_strv_add(&options, option);
	mvm_resolv_conf_parse(host, 53, &conf);
	text = mvm_resolv_conf_guest(&conf, &guest, &set);
	assert_string_equal(text, expected);
	assert_int_equal(set, ndots);
}

#define SERVERS "nameserver 172.30.0.1\nnameserver fd00::1\n"

static void guests_text(void **state)
{
	guest_of("", NULL, NULL, SERVERS "options ndots:0\n", false);
	guest_of("domain old.example\nsearch corp.example lab.example\noptions edns0 trust-ad\nnameserver 127.0.0.53\n"
		 "# note\nsortlist 192.0.2.0\n",
		 NULL, NULL,
		 SERVERS "search corp.example lab.example\noptions edns0 trust-ad ndots:0\nsortlist 192.0.2.0\n",
		 false);
	guest_of("search corp.example\noptions ndots:5\n", NULL, NULL, SERVERS "search corp.example\noptions ndots:5\n",
		 true);
	guest_of("search corp.example\noptions ndots:5\n", "mine.example", "timeout:3",
		 SERVERS "search mine.example\noptions timeout:3 ndots:0\n", false);
	guest_of("search corp.example\noptions ndots:many ndots:-1\n", ".", "ndots:0", SERVERS "options ndots:0\n",
		 false);
	guest_of("options ndots:many\n", NULL, NULL, SERVERS "options ndots:0\n", false);
	guest_of("options ndots:2 ndots:0\n", NULL, NULL, SERVERS "options ndots:2 ndots:0\n", false);
}

static void servers_that_are_one(void **state)
{
	struct mvm_resolv_server a, b;

	assert_true(mvm_resolv_server_parse("192.0.2.1", 53, &a) && mvm_resolv_server_parse("192.0.2.1", 54, &b));
	assert_false(mvm_resolv_server_equal(&a, &b));
	assert_true(mvm_resolv_server_equal(&a, &a));
	assert_true(mvm_resolv_server_parse("::ffff:192.0.2.1", 53, &b));
	assert_false(mvm_resolv_server_equal(&a, &b));
	assert_true(mvm_resolv_server_equal(&b, &b));
	assert_false(mvm_resolv_server_parse("", 53, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(servers_in_order),
		cmocka_unit_test(options_say_how_to_ask),
		cmocka_unit_test(guests_text),
		cmocka_unit_test(servers_that_are_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
