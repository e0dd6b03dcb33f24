/*
 * The vsock device against a real guest's driver, in one machine: `test_vsock GUEST`, where GUEST is the
 * program that guest.c makes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"
#include "pattern.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"

enum { ECHO = 7000, SINK = 7001, SOURCE = 7002, STALL = 7003, NOBODY = 7999, TAKEN = 1025, MANY = 1026, HELD = 1027 };
enum { MIB = 1 << 20, BLOCK = 64 << 10 };

static struct harness harness;

/* One stream of pattern bytes in a thread of its own. */
struct transfer {
	pthread_t thread;
	int fd;
	uint64_t seed;
	uint64_t count;
	bool good;
};

static bool write_pattern(int fd, uint64_t seed, uint64_t count)
{
	unsigned char block[BLOCK];
	struct pattern pattern;

	pattern_init(&pattern, seed);
	while (count) {
		size_t part = count < sizeof(block) ? (size_t)count : sizeof(block);

		pattern_fill(&pattern, block, part);
		if (mvm_write_full(fd, block, part) < 0)
			return false;
		count -= part;
	}
	return true;
}

/* Exactly these bytes, and no more where `to_end`. */
static bool read_pattern(int fd, uint64_t seed, uint64_t count, bool to_end)
{
	unsigned char block[BLOCK], expected[BLOCK];
	struct pattern pattern;

	pattern_init(&pattern, seed);
	while (count) {
		size_t part = count < sizeof(block) ? (size_t)count : sizeof(block);

		pattern_fill(&pattern, expected, part);
		if (mvm_read_full(fd, block, part) != (ssize_t)part || memcmp(block, expected, part))
			return false;
		count -= part;
	}
	return !to_end || read(fd, block, 1) == 0;
}

static void sum_pattern(uint64_t seed, uint64_t count, struct sum *sum)
{
	unsigned char block[BLOCK];
	struct pattern pattern;

	pattern_init(&pattern, seed);
	sum_init(sum);
	while (count) {
		size_t part = count < sizeof(block) ? (size_t)count : sizeof(block);

		pattern_fill(&pattern, block, part);
		sum_add(sum, block, part);
		count -= part;
	}
}

static int connect_to(uint32_t port)
{
	int fd = harness_connect(&harness, port);

	assert_true(fd >= 0);
	return fd;
}

static void assert_answer(const char *expected, char *answer)
{
	assert_string_equal(answer, expected);
	free(answer);
}

static void run_all(struct transfer *transfers, unsigned count, void *(*run)(void *))
{
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(pthread_create(&transfers[i].thread, NULL, run, &transfers[i]), 0);
	for (unsigned i = 0; i < count; i++)
		pthread_join(transfers[i].thread, NULL);
	for (unsigned i = 0; i < count; i++)
		assert_true(transfers[i].good);
}

/* --- transfers --- */

static void *send_to_sink(void *arg)
{
	struct transfer *transfer = arg;
	struct sum expected, sum;

	sum_pattern(transfer->seed, transfer->count, &expected);
	transfer->good = write_pattern(transfer->fd, transfer->seed, transfer->count) &&
			 shutdown(transfer->fd, SHUT_WR) == 0 &&
			 mvm_read_full(transfer->fd, &sum, sizeof(sum)) == (ssize_t)sizeof(sum) &&
			 sum.count == expected.count && sum.value == expected.value;
	close(transfer->fd);
	return NULL;
}

static void host_to_guest_is_exact(void **state)
{
	struct transfer transfers[4];

	for (unsigned i = 0; i < 4; i++)
		transfers[i] = (struct transfer){.fd = connect_to(SINK), .seed = i + 1, .count = 6 * MIB + i * 4097};
	run_all(transfers, 4, send_to_sink);
}

static void *read_from_source(void *arg)
{
	struct transfer *transfer = arg;
	uint64_t words[] = {transfer->seed, transfer->count};

	transfer->good = mvm_write_full(transfer->fd, words, sizeof(words)) == (ssize_t)sizeof(words) &&
			 read_pattern(transfer->fd, transfer->seed, transfer->count, true);
	close(transfer->fd);
	return NULL;
}

static void guest_to_host_is_exact(void **state)
{
	struct transfer transfers[4];

	for (unsigned i = 0; i < 4; i++)
		transfers[i] = (struct transfer){.fd = connect_to(SOURCE), .seed = i + 11, .count = 6 * MIB + i * 4097};
	run_all(transfers, 4, read_from_source);
}

static void *write_side(void *arg)
{
	struct transfer *transfer = arg;

	transfer->good =
		write_pattern(transfer->fd, transfer->seed, transfer->count) && shutdown(transfer->fd, SHUT_WR) == 0;
	return NULL;
}

static void both_ways_at_once_is_exact(void **state)
{
	struct transfer writers[3];
	bool good[3];

	for (unsigned i = 0; i < 3; i++) {
		writers[i] = (struct transfer){.fd = connect_to(ECHO), .seed = i + 21, .count = 3 * MIB + i};
		assert_int_equal(pthread_create(&writers[i].thread, NULL, write_side, &writers[i]), 0);
	}
	/* One after the other: the last ones' echo stalls in the guest until its turn comes. */
	for (unsigned i = 0; i < 3; i++)
		good[i] = read_pattern(writers[i].fd, writers[i].seed, writers[i].count, true);
	for (unsigned i = 0; i < 3; i++) {
		pthread_join(writers[i].thread, NULL);
		assert_true(writers[i].good && good[i]);
		close(writers[i].fd);
	}
}

static void single_bytes_go_through(void **state)
{
	int fd = connect_to(ECHO);
	char byte;

	for (int i = 0; i < 300; i++) {
		char sent = (char)i;

		assert_int_equal(mvm_write_full(fd, &sent, 1), 1);
		assert_int_equal(mvm_read_full(fd, &byte, 1), 1);
		assert_int_equal(byte, sent);
	}
	close(fd);
}

/* --- half-close --- */

static void host_half_close_leaves_the_other_way_open(void **state)
{
	struct sum expected, sum;
	int fd = connect_to(SINK);

	sum_pattern(31, 100000, &expected);
	assert_true(write_pattern(fd, 31, 100000));
	shutdown(fd, SHUT_WR);
	assert_int_equal(mvm_read_full(fd, &sum, sizeof(sum)), sizeof(sum));
	assert_int_equal(sum.value, expected.value);
	assert_int_equal(read(fd, &sum, 1), 0);
	close(fd);
}

static void guest_half_close_leaves_the_other_way_open(void **state)
{
	char byte, *answer, *expected MVM_CLEAN_FREE = NULL;
	struct sum sum;
	int fd;

	harness_send_order(&harness, "sum %d", TAKEN);
	assert_true(harness_accept(&harness, &fd, 1));
	assert_int_equal(read(fd, &byte, 1), 0); /* the guest will not write */
	assert_true(write_pattern(fd, 32, 700000));
	shutdown(fd, SHUT_WR);
	answer = harness_answer(&harness);
	sum_pattern(32, 700000, &sum);
	expected = mvm_format("%llu %llu", (unsigned long long)sum.count, (unsigned long long)sum.value);
	assert_answer(expected, answer);
	close(fd);
}

static void closing_ends_the_guests_writer(void **state)
{
	int fd;

	/* More than any buffer on the way: it can end only by an error. */
	harness_send_order(&harness, "hold %d 1 %d", HELD, 64 * MIB);
	assert_true(harness_accept(&harness, &fd, 1));
	assert_true(read_pattern(fd, 1, 1000, false));
	close(fd);
	assert_answer("Broken pipe", harness_answer(&harness));
}

static void writing_to_a_guest_that_closed_is_an_error(void **state)
{
	int fd;

	assert_answer("ok", harness_order(&harness, "send %d 2 10", TAKEN));
	assert_true(harness_accept(&harness, &fd, 1));
	assert_true(read_pattern(fd, 2, 10, true));
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	close(fd);
}

/* --- stalls --- */

static void a_stalled_host_reader_stalls_only_itself(void **state)
{
	int stalled[8];

	/* Longer than all buffers, with a reader that does not come. */
	for (unsigned i = 0; i < 8; i++)
		assert_answer("ok", harness_order(&harness, "send %d %u %d", TAKEN, 40 + i, 2 * MIB));
	assert_true(harness_accept(&harness, stalled, 8));
	host_to_guest_is_exact(state);
	guest_to_host_is_exact(state);
	/* Which is whose is told by its first bytes. */
	for (unsigned i = 0; i < 8; i++) {
		unsigned char first[8], expected[8];
		struct pattern pattern;
		unsigned seed = 39;

		assert_int_equal(recv(stalled[i], first, 8, MSG_PEEK | MSG_WAITALL), 8);
		do {
			pattern_init(&pattern, ++seed);
			pattern_fill(&pattern, expected, 8);
		} while (memcmp(first, expected, 8) && seed < 48);
		assert_true(read_pattern(stalled[i], seed, 2 * MIB, true));
		close(stalled[i]);
	}
}

static void a_stalled_guest_reader_stalls_only_itself(void **state)
{
	static unsigned char block[BLOCK];
	int stalled[8];

	for (unsigned i = 0; i < 8; i++) {
		stalled[i] = connect_to(STALL);
		while (send(stalled[i], block, sizeof(block), MSG_DONTWAIT) > 0)
			;
		assert_int_equal(errno, EAGAIN);
	}
	host_to_guest_is_exact(state);
	guest_to_host_is_exact(state);
	for (unsigned i = 0; i < 8; i++)
		close(stalled[i]);
}

/* --- connections --- */

static void connecting_where_nobody_listens_fails(void **state)
{
	assert_answer("Connection reset by peer", harness_order(&harness, "connect %d", NOBODY));
	assert_int_equal(harness_connect(&harness, NOBODY), -ECONNREFUSED);
}

static void many_connections_at_once(void **state)
{
	enum { COUNT = 600 };
	static int fds[COUNT];

	harness_send_order(&harness, "many %d %d", MANY, COUNT);
	assert_true(harness_accept(&harness, fds, COUNT));
	for (int i = COUNT - 1; i >= 0; i--) {
		unsigned number;

		assert_int_equal(mvm_read_full(fds[i], &number, sizeof(number)), sizeof(number));
		number++;
		assert_int_equal(mvm_write_full(fds[i], &number, sizeof(number)), sizeof(number));
	}
	assert_answer("600", harness_answer(&harness));
	for (int i = 0; i < COUNT; i++) {
		char byte;

		assert_int_equal(read(fds[i], &byte, 1), 0);
		close(fds[i]);
	}
}

static void many_connections_to_the_guest(void **state)
{
	enum { COUNT = 100 };
	int fds[COUNT];

	for (int i = 0; i < COUNT; i++) {
		fds[i] = connect_to(ECHO);
		assert_int_equal(mvm_write_full(fds[i], &i, sizeof(i)), sizeof(i));
	}
	for (int i = 0; i < COUNT; i++) {
		int back = -1;

		assert_int_equal(mvm_read_full(fds[i], &back, sizeof(back)), sizeof(back));
		assert_int_equal(back, i);
		close(fds[i]);
	}
}

/* QEMU stops the rings for a pause and starts them where they were. */
static void connections_outlive_a_pause(void **state)
{
	struct transfer transfer = {.fd = connect_to(SINK), .seed = 51, .count = 24 * MIB};
	int fd = connect_to(ECHO), late;
	char bytes[6];

	assert_int_equal(pthread_create(&transfer.thread, NULL, send_to_sink, &transfer), 0);
	for (int i = 0; i < 5; i++) {
		assert_true(harness_pause(&harness, true));
		assert_int_equal(mvm_write_full(fd, "paused", 6), 6);
		assert_true(harness_pause(&harness, false));
		assert_int_equal(mvm_read_full(fd, bytes, 6), 6);
		assert_memory_equal(bytes, "paused", 6);
	}
	late = connect_to(ECHO);
	pthread_join(transfer.thread, NULL);
	assert_true(transfer.good);
	close(late);
	close(fd);
}

/* --- the end --- */

static bool is_off(const struct harness *at)
{
	return at->off;
}

/* Last: what the guest had sent when the machine went away is still read, and then the end. */
static void bytes_outlive_the_machine(void **state)
{
	enum { LENGTH = 250 << 10 };
	int fd;

	assert_answer("ok", harness_order(&harness, "hold %d 77 %d", HELD, LENGTH));
	assert_true(harness_accept(&harness, &fd, 1));
	/* Its answer came behind the bytes, through the same ring. */
	harness_send_order(&harness, "off");
	assert_true(harness_run(&harness, is_off));
	assert_true(read_pattern(fd, 77, LENGTH, true));
	assert_null(harness.died);
	close(fd);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(single_bytes_go_through),
		cmocka_unit_test(host_to_guest_is_exact),
		cmocka_unit_test(guest_to_host_is_exact),
		cmocka_unit_test(both_ways_at_once_is_exact),
		cmocka_unit_test(host_half_close_leaves_the_other_way_open),
		cmocka_unit_test(guest_half_close_leaves_the_other_way_open),
		cmocka_unit_test(closing_ends_the_guests_writer),
		cmocka_unit_test(writing_to_a_guest_that_closed_is_an_error),
		cmocka_unit_test(a_stalled_host_reader_stalls_only_itself),
		cmocka_unit_test(a_stalled_guest_reader_stalls_only_itself),
		cmocka_unit_test(connecting_where_nobody_listens_fails),
		cmocka_unit_test(many_connections_at_once),
		cmocka_unit_test(many_connections_to_the_guest),
		cmocka_unit_test(connections_outlive_a_pause),
		cmocka_unit_test(bytes_outlive_the_machine),
	};
	struct rlimit files;
	int result;

	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	if (argc != 2)
		return 2;
	result = harness_start(&harness, argv[1]);
	if (result == 0)
		result = cmocka_run_group_tests(tests, NULL, NULL);
	if (result != 77)
		harness_finish(&harness);
	return result;
}
