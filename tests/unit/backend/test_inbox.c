/* Messages from a machine's queue to the loop: in order, from any thread, and none after the end. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>

#include "runtime/backend/vz/inbox.h"

enum { MANY = 20000 };

static bool is_readable(const struct vz_inbox *inbox)
{
	struct pollfd poll_fd = {.fd = inbox_fd(inbox), .events = POLLIN};

	return poll(&poll_fd, 1, 0) == 1;
}

static void what_is_put_comes_out_in_order(void **state)
{
	struct vz_inbox *inbox = inbox_create();
	struct vz_message message = {.event = VZ_ACCEPTED, .port = 1024, .fd = -1};

	assert_false(is_readable(inbox));
	assert_false(inbox_take(inbox, &message));
	inbox_put(inbox, &message);
	inbox_put(inbox, &(struct vz_message){.event = VZ_BROKEN, .fd = -1, .text = "why"});
	assert_true(is_readable(inbox));
	assert_true(inbox_take(inbox, &message));
	assert_int_equal(message.event, VZ_ACCEPTED);
	assert_int_equal(message.port, 1024);
	assert_true(inbox_take(inbox, &message));
	assert_int_equal(message.event, VZ_BROKEN);
	assert_string_equal(message.text, "why");
	assert_false(inbox_take(inbox, &message));
	assert_false(is_readable(inbox));
	inbox_release(inbox);
}

static void *put_many(void *arg)
{
	for (uint32_t i = 0; i < MANY; i++)
		inbox_put(arg, &(struct vz_message){.event = VZ_CONNECTED, .id = i, .fd = -1});
	inbox_release(arg);
	return NULL;
}

/* More than a pipe holds bytes; the reader sleeps in between. */
static void nothing_is_lost_between_threads(void **state)
{
	struct vz_inbox *inbox = inbox_create();
	struct vz_message message;
	uint32_t next = 0;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, put_many, inbox_retain(inbox)), 0);
	while (next < MANY) {
		struct pollfd poll_fd = {.fd = inbox_fd(inbox), .events = POLLIN};

		assert_int_equal(poll(&poll_fd, 1, 20000), 1);
		while (inbox_take(inbox, &message))
			assert_int_equal(message.id, next++);
	}
	pthread_join(thread, NULL);
	inbox_release(inbox);
}

static int a_descriptor(void)
{
	int fd = dup(STDERR_FILENO);

	assert_true(fd >= 0);
	return fd;
}

static void descriptors_that_nobody_takes_are_closed(void **state)
{
	struct vz_inbox *inbox = inbox_create();
	int before = a_descriptor(), after = a_descriptor(), left = a_descriptor();
	struct vz_message message;

	inbox_put(inbox, &(struct vz_message){.event = VZ_ACCEPTED, .fd = before});
	inbox_close(inbox);
	assert_int_equal(fcntl(before, F_GETFD), -1);
	inbox_put(inbox, &(struct vz_message){.event = VZ_ACCEPTED, .fd = after});
	assert_int_equal(fcntl(after, F_GETFD), -1);
	assert_false(inbox_take(inbox, &message));
	inbox_release(inbox);
	inbox = inbox_create();
	inbox_put(inbox, &(struct vz_message){.event = VZ_ACCEPTED, .fd = left});
	inbox_release(inbox);
	assert_int_equal(fcntl(left, F_GETFD), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_put_comes_out_in_order),
		cmocka_unit_test(nothing_is_lost_between_threads),
		cmocka_unit_test(descriptors_that_nobody_takes_are_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
