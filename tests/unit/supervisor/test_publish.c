/* Ports of a machine that are published as they are found: what its guest says of them is bound, as far as it is its to
 * say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest-agent/proto/proto.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/supervisor/network.h"
#include "runtime/supervisor/publish.h"

enum { FOUND_MAX = 256, PORTS = FOUND_MAX + 40 };

static uint16_t ports[PORTS]; /* of the host, that nobody has; ascending */
static struct mvm_container container;
static struct supervisor supervisor;
static struct publish *publish;
static unsigned published[65536]; /* how often the device was asked to */

bool network_leads_out(const struct network *network)
{
	return true;
}

struct datagrams *datagrams_create(struct mvm_loop *loop, datagrams_connect_fn connect, void *arg)
{
	return NULL;
}

void datagrams_add(struct datagrams *datagrams, int fd, uint16_t port)
{
}

void datagrams_destroy(struct datagrams *datagrams)
{
}

int mvm_vsock_connect(struct mvm_vsock *vsock, uint32_t port, mvm_vsock_connected_fn fn, void *arg,
		      struct mvm_error **err)
{
	return -1;
}

int mvm_vsock_publish(struct mvm_vsock *vsock, int listening, uint32_t port, struct mvm_error **err)
{
	published[port - MVM_PROTO_PUBLISH_TCP_PORT]++;
	return 0;
}

/* 0, or the errno. */
static int try_port(uint16_t port, int (*call)(int fd, const struct sockaddr *address, socklen_t length))
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int result = call(fd, (struct sockaddr *)&address, sizeof(address)) ? errno : 0;

	close(fd);
	return result;
}

static int set_up(void **state)
{
	unsigned count = 0;

	for (uint16_t port = 20000; count < PORTS && port < 32768; port++)
		if (try_port(port, bind) == 0)
			ports[count++] = port;
	return count < PORTS;
}

static int start(void **state)
{
	static char user[] = "dev";

	memset(published, 0, sizeof(published));
	container.config.login.user = user;
	supervisor.container = &container;
	assert_int_equal(publish_bind(&supervisor, &publish, NULL), 0);
	assert_non_null(publish);
	publish_open(publish, (struct mvm_vsock *)&supervisor);
	return 0;
}

static int end(void **state)
{
	publish_finish(publish);
	publish = NULL;
	mvm_strv_finish(&container.config.port_bindings);
	return 0;
}

/* As the guest says it. */
static void say(unsigned first, unsigned count)
{
	struct mvm_buf text = {0};

	for (unsigned i = first; i < first + count; i++)
		mvm_buf_addf(&text, "%u ", ports[i]);
	publish_found(publish, count ? text.data : "");
	mvm_buf_finish(&text);
}

static void expect(unsigned first, unsigned count)
{
	for (unsigned i = 0; i < PORTS; i++) {
		bool is = i >= first && i < first + count;

		if (try_port(ports[i], connect) != (is ? 0 : ECONNREFUSED))
			fail_msg("port %u, number %u, is %spublished", ports[i], i, is ? "not " : "");
	}
}

static void they_come_and_go(void **state)
{
	unsigned once;

	say(0, 3);
	expect(0, 3);
	once = published[ports[2]];
	assert_true(once);
	say(2, 3);
	expect(2, 3);
	/* Who stays is left alone. */
	assert_int_equal(published[ports[2]], once);
	say(0, 0);
	expect(0, 0);
}

static void there_is_an_end_to_them(void **state)
{
	say(0, PORTS);
	expect(0, FOUND_MAX);
	/* Where some end, others move up. */
	say(30, PORTS - 30);
	expect(30, FOUND_MAX);
	say(PORTS - 1, 1);
	expect(PORTS - 1, 1);
}

static void what_is_no_port_ends_the_list(void **state)
{
	static const char *const lists[] = {"%u 0 %u", "%u 65536 %u", "%u -1 %u", "%u x %u",
					    "%u 99999999999999999999 %u"};

	for (size_t i = 0; i < MVM_COUNT(lists); i++) {
		char text[64];

		snprintf(text, sizeof(text), lists[i], ports[0], ports[1]);
		publish_found(publish, text);
		expect(0, 1);
	}
}

static void a_port_that_is_published_by_name_stays_that(void **state)
{
	struct mvm_port port = {.protocol = MVM_PORT_TCP, .first = ports[5], .last = ports[5], .guest = ports[0]};

	publish_finish(publish);
	strcpy(port.ip, "127.0.0.1");
	mvm_strv_take(&container.config.port_bindings, mvm_port_format(&port));
	start(state);
	say(0, 1);
	expect(5, 1);
}

/* A guest may say what it likes: only a machine has its ports published for being there. */
static void of_a_container_nothing_is_published(void **state)
{
	struct mvm_port port = {.protocol = MVM_PORT_TCP, .first = ports[5], .last = ports[5], .guest = 80};

	say(0, 2);
	expect(0, 2);
	publish_finish(publish);
	strcpy(port.ip, "127.0.0.1");
	mvm_strv_take(&container.config.port_bindings, mvm_port_format(&port));
	container.config.login.user = NULL;
	assert_int_equal(publish_bind(&supervisor, &publish, NULL), 0);
	publish_open(publish, (struct mvm_vsock *)&supervisor);
	say(0, 2);
	expect(5, 1);
}

static void nor_of_one_that_publishes_nothing_or_has_ended(void **state)
{
	publish_found(NULL, "22");
	publish_close(publish);
	say(0, 2);
	expect(0, 0);
}

#define PUBLISH_TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PUBLISH_TEST(they_come_and_go),
		PUBLISH_TEST(there_is_an_end_to_them),
		PUBLISH_TEST(what_is_no_port_ends_the_list),
		PUBLISH_TEST(a_port_that_is_published_by_name_stays_that),
		PUBLISH_TEST(of_a_container_nothing_is_published),
		PUBLISH_TEST(nor_of_one_that_publishes_nothing_or_has_ended),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
