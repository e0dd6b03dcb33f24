/* Published ports: docker's forms of -p and --expose, and the PORTS column. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "runtime/base/error.h"
#include "runtime/state/port.h"

static char *joined(const struct mvm_strv *values)
{
	struct mvm_buf text = {0};

	for (size_t i = 0; i < values->count; i++)
		mvm_buf_addf(&text, "%s%s", i ? " " : "", values->items[i]);
	return mvm_buf_steal(&text);
}

static void all_forms_are_read(void **state)
{
	static const struct {
		const char *spec, *ports;
	} cases[] = {
		{"80", "::80/tcp"},
		{"80/udp", "::80/udp"},
		{"80/", "::80/tcp"},
		{"80/TCP", "::80/tcp"},
		{":80", "::80/tcp"},
		{"8080:80", ":8080:80/tcp"},
		{"0:80", "::80/tcp"},
		{"127.0.0.1:8080:80/udp", "127.0.0.1:8080:80/udp"},
		{"127.0.0.1::80", "127.0.0.1::80/tcp"},
		{"[::1]:8080:80", "[::1]:8080:80/tcp"},
		{"::1:8080:80", "[::1]:8080:80/tcp"},
		{"[::]::80", "[::]::80/tcp"},
		{"8000-8002:80-82", ":8000:80/tcp :8001:81/tcp :8002:82/tcp"},
		{"80-81", "::80/tcp ::81/tcp"},
		{"8000-8010:80", ":8000-8010:80/tcp"},
		{"published=8080,target=80,protocol=udp", ":8080:80/udp"},
		{"target=80,published=8080,mode=host", ":8080:80/tcp"},
		{"target=80", "::80/tcp"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct mvm_strv ports MVM_CLEAN_STRV = {0};
		char *text MVM_CLEAN_FREE = NULL;

		assert_int_equal(mvm_port_parse(cases[i].spec, &ports, NULL), 0);
		text = joined(&ports);
		assert_string_equal(text, cases[i].ports);
	}
}

static void all_else_is_refused_in_dockers_words(void **state)
{
	static const struct {
		const char *spec, *message;
	} cases[] = {
		{"", "no port specified: <empty>"},
		{"8080:", "no port specified: 8080:<empty>"},
		{"/udp", "no port specified: /udp<empty>"},
		{"80/icmp", "invalid proto: icmp"},
		{"80/tcp/udp", "invalid proto: tcp/udp"},
		{"eighty", "invalid containerPort: eighty"},
		{"0", "invalid containerPort: 0"},
		{"65536", "invalid containerPort: 65536"},
		{"-1", "invalid containerPort: -1"},
		{"90-80", "invalid containerPort: 90-80"},
		{"80-", "invalid containerPort: 80-"},
		{"1-2-3", "invalid containerPort: 1-2-3"},
		{"65536:80", "invalid hostPort: 65536"},
		{"8010-8000:80", "invalid hostPort: 8010-8000"},
		{"8000-8010:80-85", "invalid ranges specified for container and host Ports: 80-85 and 8000-8010"},
		{"8000:80-81", "invalid ranges specified for container and host Ports: 80-81 and 8000"},
		{"300.0.0.1:1:2", "invalid IP address: 300.0.0.1"},
		{"localhost:1:2", "invalid IP address: localhost"},
		{"[::1:1:2", "invalid IP address: [::1"},
		{"target=80,colour=red", "invalid publish opts format (should be name=value but got 'colour=red')"},
		{"target=80,published", "invalid publish opts format (should be name=value but got 'published')"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct mvm_strv ports MVM_CLEAN_STRV = {0};
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;

		assert_int_equal(mvm_port_parse(cases[i].spec, &ports, &err), -1);
		assert_string_equal(mvm_error_message(err), cases[i].message);
		assert_int_equal(mvm_error_code(err), MVM_ERR_USAGE);
	}
}

static void sctp_is_not_possible(void **state)
{
	struct mvm_strv ports MVM_CLEAN_STRV = {0};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	assert_int_equal(mvm_port_parse("9:80/sctp", &ports, &err), -1);
	assert_int_equal(mvm_error_code(err), MVM_ERR_UNSUPPORTED);
}

static void what_is_kept_is_read_again(void **state)
{
	struct mvm_port port;
	char *text MVM_CLEAN_FREE = NULL;

	assert_true(mvm_port_read("[::1]:8000-8010:80/udp", &port));
	assert_string_equal(port.ip, "::1");
	assert_int_equal(port.first, 8000);
	assert_int_equal(port.last, 8010);
	assert_int_equal(port.guest, 80);
	assert_int_equal(port.protocol, MVM_PORT_UDP);
	text = mvm_port_format(&port);
	assert_string_equal(text, "[::1]:8000-8010:80/udp");
	assert_false(mvm_port_read("80-81", &port));
	assert_false(mvm_port_read("what", &port));
}

static void exposed_ports_are_sorted(void **state)
{
	struct mvm_strv exposed MVM_CLEAN_STRV = {0};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *text MVM_CLEAN_FREE = NULL;

	assert_int_equal(mvm_port_parse_exposed("443", &exposed, NULL), 0);
	assert_int_equal(mvm_port_parse_exposed("80-82/udp", &exposed, NULL), 0);
	assert_int_equal(mvm_port_parse_exposed("443/tcp", &exposed, NULL), 0);
	assert_int_equal(mvm_port_parse_exposed("80", &exposed, NULL), 0);
	mvm_port_sort_exposed(&exposed);
	text = joined(&exposed);
	assert_string_equal(text, "80/tcp 80/udp 81/udp 82/udp 443/tcp");
	assert_int_equal(mvm_port_parse_exposed("8080:80", &exposed, &err), -1);
	assert_string_equal(mvm_error_message(err), "invalid port format for --expose: 8080:80");
}

static void expect_column(const char *const *ports, const char *const *exposed, const char *expected)
{
	struct mvm_strv bound MVM_CLEAN_STRV = {0}, open MVM_CLEAN_STRV = {0};
	char *text MVM_CLEAN_FREE = NULL;

	for (; *ports; ports++)
		mvm_strv_add(&bound, *ports);
	for (; *exposed; exposed++)
		mvm_strv_add(&open, *exposed);
	text = mvm_port_display(&bound, &open);
	assert_string_equal(text, expected);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NONE	  ((const char *const[]){NULL})

static void the_column_is_dockers(void **state)
{
	expect_column(NONE, NONE, "");
	expect_column(NONE, LIST("80/tcp", "443/tcp"), "80/tcp, 443/tcp");
	expect_column(NONE, LIST("80/tcp", "81/tcp", "82/tcp", "90/tcp"), "80-82/tcp, 90/tcp");
	expect_column(LIST("0.0.0.0:8080:80/tcp", "[::]:8080:80/tcp"), LIST("80/tcp"),
		      "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp");
	/* Under their own number they are merged, under another they stand for themselves, at the end. */
	expect_column(LIST("0.0.0.0:90:90/tcp", "0.0.0.0:91:91/tcp", "0.0.0.0:8080:80/tcp"), LIST("80/tcp", "443/udp"),
		      "0.0.0.0:90-91->90-91/tcp, 443/udp, 0.0.0.0:8080->80/tcp");
	expect_column(LIST("127.0.0.1:53:53/tcp", "127.0.0.1:53:53/udp"), NONE,
		      "127.0.0.1:53->53/tcp, 127.0.0.1:53->53/udp");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_forms_are_read),	    cmocka_unit_test(all_else_is_refused_in_dockers_words),
		cmocka_unit_test(sctp_is_not_possible),	    cmocka_unit_test(what_is_kept_is_read_again),
		cmocka_unit_test(exposed_ports_are_sorted), cmocka_unit_test(the_column_is_dockers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
