/* Sockets for published ports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/supervisor/publish.h"

static struct bound_list list;

static int finish(void **state)
{
	bound_list_finish(&list);
	return 0;
}

static int try_connect(uint16_t port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int result = connect(fd, (struct sockaddr *)&address, sizeof(address)) ? errno : 0;

	close(fd);
	return result;
}

static struct mvm_port tcp(const char *ip, uint16_t first, uint16_t last)
{
	struct mvm_port port = {.first = first, .last = last, .guest = 80};

	strcpy(port.ip, ip);
	return port;
}

static void any_port_is_the_same_everywhere(void **state)
{
	const struct mvm_port wanted = tcp("", 0, 0);

	assert_int_equal(bind_port(&wanted, &list, NULL), 0);
	assert_string_equal(list.items[0].port.ip, "0.0.0.0");
	assert_int_not_equal(list.items[0].port.first, 0);
	assert_int_equal(list.items[0].port.guest, 80);
	/* Unless the host has no IPv6. */
	if (list.count > 1) {
		assert_int_equal(list.count, 2);
		assert_string_equal(list.items[1].port.ip, "::");
		assert_int_equal(list.items[1].port.first, list.items[0].port.first);
	}
	assert_int_equal(try_connect(list.items[0].port.first), 0);
}

static void a_port_that_is_taken_leaves_nothing(void **state)
{
	struct mvm_port first = tcp("127.0.0.1", 0, 0), second;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *expected MVM_CLEAN_FREE = NULL;

	assert_int_equal(bind_port(&first, &list, NULL), 0);
	second = tcp("", list.items[0].port.first, list.items[0].port.first);
	assert_int_equal(bind_port(&second, &list, &err), -1);
	assert_int_equal(mvm_error_code(err), MVM_ERR_CONFLICT);
	expected = mvm_format("Bind for 0.0.0.0:%u failed: port is already allocated", second.first);
	assert_memory_equal(mvm_error_message(err), expected, strlen(expected));
	assert_int_equal(list.count, 1);
}

/* IPv4 is free and IPv6 is not. */
static void all_addresses_or_none(void **state)
{
	struct mvm_port first = tcp("::1", 0, 0), second;

	if (bind_port(&first, &list, NULL) < 0)
		skip();
	second = tcp("", list.items[0].port.first, list.items[0].port.first);
	assert_int_equal(bind_port(&second, &list, NULL), -1);
	assert_int_equal(list.count, 1);
	assert_int_equal(try_connect(second.first), ECONNREFUSED);
}

static void out_of_a_range_the_first_free_one_is_taken(void **state)
{
	struct mvm_port first = tcp("127.0.0.1", 0, 0), second;

	assert_int_equal(bind_port(&first, &list, NULL), 0);
	second = tcp("127.0.0.1", list.items[0].port.first, (uint16_t)(list.items[0].port.first + 20));
	assert_int_equal(bind_port(&second, &list, NULL), 0);
	assert_true(list.items[1].port.first > second.first && list.items[1].port.first <= second.last);
	assert_int_equal(list.items[1].port.first, list.items[1].port.last);
}

static void an_address_has_to_be_the_hosts(void **state)
{
	const struct mvm_port wanted = tcp("192.0.2.1", 8080, 8080);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	assert_int_equal(bind_port(&wanted, &list, &err), -1);
	assert_non_null(strstr(mvm_error_message(err), "Bind for 192.0.2.1:8080 failed: this is not an address"));
}

/* Another process may still hold the socket, as the vsock device of a machine that was killed. */
static void a_port_is_free_at_once(void **state)
{
	struct mvm_port wanted = tcp("127.0.0.1", 0, 0);
	int held;

	assert_int_equal(bind_port(&wanted, &list, NULL), 0);
	wanted = list.items[0].port;
	held = dup(list.items[0].fd);
	bound_list_finish(&list);
	assert_int_equal(try_connect(wanted.first), ECONNREFUSED);
	assert_int_equal(bind_port(&wanted, &list, NULL), 0);
	close(held);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(any_port_is_the_same_everywhere, finish),
		cmocka_unit_test_teardown(a_port_that_is_taken_leaves_nothing, finish),
		cmocka_unit_test_teardown(all_addresses_or_none, finish),
		cmocka_unit_test_teardown(out_of_a_range_the_first_free_one_is_taken, finish),
		cmocka_unit_test_teardown(an_address_has_to_be_the_hosts, finish),
		cmocka_unit_test_teardown(a_port_is_free_at_once, finish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
