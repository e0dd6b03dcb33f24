#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "front_end.h"
#include "runtime/base/io.h"
#include "runtime/vsock/vhost_user.h"

static struct vhost_user vu;
static int qemu;
static unsigned started[RING_COUNT], stopped[RING_COUNT], resets;

static void on_started(void *arg, unsigned index)
{
	started[index]++;
}

static void on_stopping(void *arg, unsigned index)
{
	assert_true(vu.rings[index].kick >= 0);
	stopped[index]++;
}

static void on_reset(void *arg)
{
	resets++;
}

static int start(void **state)
{
	static const struct vhost_user_ops ops = {on_started, on_stopping, on_reset};
	int pair[2];

	memset(started, 0, sizeof(started));
	memset(stopped, 0, sizeof(stopped));
	resets = 0;
	if (mvm_socketpair(SOCK_STREAM, pair) < 0 || mvm_set_nonblock(pair[1], true) < 0)
		return -1;
	qemu = pair[0];
	vhost_user_init(&vu, pair[1], 42, &ops, NULL);
	return 0;
}

static int finish(void **state)
{
	vhost_user_finish(&vu);
	mvm_close(&qemu);
	return 0;
}

static void expect_reply(uint32_t request, void *payload, uint32_t size)
{
	struct front_header header;

	assert_int_equal(vhost_user_read(&vu), 0);
	assert_int_equal(front_receive(qemu, &header, payload, size), 0);
	assert_int_equal(header.request, request);
	assert_int_equal(header.flags, 5);
	assert_int_equal(header.size, size);
}

static uint64_t ask(uint32_t request)
{
	uint64_t value;

	front_send(qemu, request, NULL, 0, NULL, 0);
	expect_reply(request, &value, sizeof(value));
	return value;
}

static void expect_silence(void)
{
	assert_int_equal(vhost_user_read(&vu), 0);
	assert_null(vu.broken);
}

static void expect_refusal(void)
{
	assert_int_equal(vhost_user_read(&vu), -1);
	assert_non_null(vu.broken);
}

static void offers_what_it_has(void **state)
{
	uint64_t features = ask(FRONT_GET_FEATURES);

	assert_true(features & 1ull << 32);
	assert_true(features & 1ull << 30);
	assert_false(features & 1ull << 34); /* no packed ring */
	assert_false(features & 1ull << 1);  /* no seqpacket */
	assert_true(ask(FRONT_GET_PROTOCOL_FEATURES) & 1ull << 9);
	front_send_word(qemu, FRONT_SET_FEATURES, 1ull << 34);
	expect_refusal();
}

static void the_configuration_is_the_cid(void **state)
{
	struct front_config config = {.offset = 0, .size = 8};

	front_send(qemu, FRONT_GET_CONFIG, &config, 12 + 8, NULL, 0);
	expect_reply(FRONT_GET_CONFIG, &config, 12 + 8);
	assert_int_equal(config.data[0], 42);
	for (int i = 1; i < 8; i++)
		assert_int_equal(config.data[i], 0);
	config.offset = 4;
	front_send(qemu, FRONT_GET_CONFIG, &config, 12 + 8, NULL, 0);
	expect_refusal();
}

static void a_message_may_come_in_pieces(void **state)
{
	const uint8_t message[] = {1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0};
	uint64_t value;

	for (size_t i = 0; i < sizeof(message) - 1; i++) {
		assert_int_equal(mvm_write_full(qemu, message + i, 1), 1);
		expect_silence();
	}
	assert_int_equal(mvm_write_full(qemu, message + sizeof(message) - 1, 1), 1);
	expect_reply(FRONT_GET_FEATURES, &value, sizeof(value));
}

static void an_acknowledgement_is_sent_where_asked_for(void **state)
{
	const struct front_header header = {FRONT_SET_OWNER, 1 | 8, 0};
	uint64_t value = 1;

	front_send_word(qemu, FRONT_SET_PROTOCOL_FEATURES, 1ull << 3);
	assert_int_equal(mvm_write_full(qemu, &header, sizeof(header)), sizeof(header));
	expect_reply(FRONT_SET_OWNER, &value, sizeof(value));
	assert_int_equal(value, 0);
}

static void rings_start_stop_and_go_on(void **state)
{
	struct front_state base = {0, 0};
	struct front_guest guest;

	front_guest_init(&guest, qemu);
	front_guest_start(&guest, 0);
	expect_silence();
	assert_int_equal(started[0], 1);
	assert_int_equal(started[1], 1);
	assert_int_equal(resets, 0);
	assert_ptr_not_equal(vu.rings[0].vring.used, NULL);
	vu.rings[1].vring.next = 7;
	for (uint32_t i = 0; i < 2; i++) {
		base.index = i;
		front_send(qemu, FRONT_GET_VRING_BASE, &base, sizeof(base), NULL, 0);
		expect_reply(FRONT_GET_VRING_BASE, &base, sizeof(base));
		assert_int_equal(base.value, i ? 7 : 0);
		assert_int_equal(stopped[i], 1);
	}
	/* The machine was paused: it goes on where it was. */
	front_guest_start_ring(&guest, 1, 7);
	expect_silence();
	assert_int_equal(started[1], 2);
	assert_int_equal(resets, 0);
	assert_int_equal(vu.rings[1].vring.next, 7);
	/* The guest has a new driver. */
	base.index = 1;
	front_send(qemu, FRONT_GET_VRING_BASE, &base, sizeof(base), NULL, 0);
	expect_reply(FRONT_GET_VRING_BASE, &base, sizeof(base));
	front_guest_start_ring(&guest, 1, 0);
	expect_silence();
	assert_int_equal(resets, 1);
	front_guest_finish(&guest);
}

static void running_rings_follow_the_memory(void **state)
{
	struct front_guest guest, other;
	uint8_t byte = 0x5a;

	front_guest_init(&guest, qemu);
	front_guest_start(&guest, 0);
	expect_silence();
	/* The same layout in other memory. */
	front_guest_init(&other, qemu);
	front_guest_send_memory(&other);
	expect_silence();
	other.memory[FRONT_RING(0) + FRONT_USED] = byte;
	assert_memory_equal((const void *)(uintptr_t)vu.rings[0].vring.used, &byte, 1);
	/* And in none. */
	front_send(qemu, FRONT_SET_MEM_TABLE, &(struct front_table){0}, 8, NULL, 0);
	expect_refusal();
	front_guest_finish(&guest);
	front_guest_finish(&other);
}

static void descriptors_of_a_wrong_message_are_closed(void **state)
{
	int fds[2] = {eventfd(0, EFD_CLOEXEC), eventfd(0, EFD_CLOEXEC)};
	int before = dup(0), after;

	front_send(qemu, FRONT_GET_FEATURES, NULL, 0, fds, 2);
	assert_int_equal(vhost_user_read(&vu), 0);
	assert_int_equal(vu.fd_count, 0);
	after = dup(0);
	assert_int_equal(after, before + 1);
	close(before);
	close(after);
	close(fds[0]);
	close(fds[1]);
}

static void the_end_is_told(void **state)
{
	mvm_close(&qemu);
	assert_int_equal(vhost_user_read(&vu), 1);
}

/* --- nonsense --- */

static void send_state(uint32_t request, uint32_t index, uint32_t value)
{
	const struct front_state sent = {index, value};

	front_send(qemu, request, &sent, sizeof(sent), NULL, 0);
}

static void send_header(uint32_t request, uint32_t flags, uint32_t size)
{
	const struct front_header header = {request, flags, size};

	assert_int_equal(mvm_write_full(qemu, &header, sizeof(header)), sizeof(header));
}

static void another_version(void)
{
	send_header(FRONT_GET_FEATURES, 2, 0);
}

static void unknown_request(void)
{
	send_header(77, 1, 0);
}

static void request_of_another_device(void)
{
	send_header(17, 1, 0);
}

static void payload_too_long(void)
{
	send_header(FRONT_SET_MEM_TABLE, 1, UINT32_MAX - 11);
}

static void payload_too_short(void)
{
	front_send(qemu, FRONT_SET_FEATURES, "four", 4, NULL, 0);
}

static void ring_out_of_range(void)
{
	send_state(FRONT_SET_VRING_NUM, 2, 128);
}

static void ring_of_no_size(void)
{
	send_state(FRONT_SET_VRING_NUM, 0, 0);
}

static void ring_of_odd_size(void)
{
	send_state(FRONT_SET_VRING_NUM, 0, 100);
}

static void ring_too_large(void)
{
	send_state(FRONT_SET_VRING_NUM, 0, 65536);
}

static void base_too_large(void)
{
	send_state(FRONT_SET_VRING_BASE, 0, 65536);
}

static void address_of_no_ring(void)
{
	const struct front_address address = {.index = 9};

	front_send(qemu, FRONT_SET_VRING_ADDR, &address, sizeof(address), NULL, 0);
}

static void kick_without_descriptor(void)
{
	front_send_word(qemu, FRONT_SET_VRING_KICK, 0);
}

static void kick_by_polling(void)
{
	front_send_word(qemu, FRONT_SET_VRING_KICK, 0x100);
}

static void call_of_no_ring(void)
{
	front_send_word(qemu, FRONT_SET_VRING_CALL, 0x105);
}

static void ring_before_memory(void)
{
	int kick = eventfd(0, EFD_CLOEXEC);
	uint64_t word = 0;

	send_state(FRONT_SET_VRING_NUM, 0, 128);
	front_send(qemu, FRONT_SET_VRING_KICK, &word, sizeof(word), &kick, 1);
	close(kick);
}

static void enable_of_no_ring(void)
{
	send_state(FRONT_SET_VRING_ENABLE, 2, 1);
}

static void base_of_no_ring(void)
{
	send_state(FRONT_GET_VRING_BASE, 2, 0);
}

static void table_without_descriptors(void)
{
	const struct front_table table = {.count = 1};

	front_send(qemu, FRONT_SET_MEM_TABLE, &table, 40, NULL, 0);
}

static void table_shorter_than_it_says(void)
{
	struct front_table table = {.count = 8};
	int fds[8];

	for (int i = 0; i < 8; i++)
		fds[i] = 0;
	front_send(qemu, FRONT_SET_MEM_TABLE, &table, 8, fds, 8);
}

static void table_of_too_many(void)
{
	const struct front_table table = {.count = UINT32_MAX};

	front_send(qemu, FRONT_SET_MEM_TABLE, &table, 40, NULL, 0);
}

static void send_region(uint64_t size, uint64_t offset)
{
	struct front_table table = {.count = 1, .regions = {{0, size, 0x1000, offset}}};
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, 0x10000), 0);
	front_send(qemu, FRONT_SET_MEM_TABLE, &table, 40, &fd, 1);
	close(fd);
}

static void region_past_the_end_of_its_file(void)
{
	send_region(0x10001, 0);
}

static void region_that_wraps(void)
{
	send_region(0x1000, UINT64_MAX - 0xfff);
}

static void region_of_no_size(void)
{
	send_region(0, 0);
}

static void features_not_offered(void)
{
	front_send_word(qemu, FRONT_SET_PROTOCOL_FEATURES, 1ull << 5);
}

static void nonsense_is_refused(void **state)
{
	static const struct {
		const char *name;
		void (*send)(void);
	} cases[] = {
#define CASE(send) {#send, send}
		CASE(another_version),
		CASE(unknown_request),
		CASE(request_of_another_device),
		CASE(payload_too_long),
		CASE(payload_too_short),
		CASE(ring_out_of_range),
		CASE(ring_of_no_size),
		CASE(ring_of_odd_size),
		CASE(ring_too_large),
		CASE(base_too_large),
		CASE(address_of_no_ring),
		CASE(kick_without_descriptor),
		CASE(kick_by_polling),
		CASE(call_of_no_ring),
		CASE(ring_before_memory),
		CASE(enable_of_no_ring),
		CASE(base_of_no_ring),
		CASE(table_without_descriptors),
		CASE(table_shorter_than_it_says),
		CASE(table_of_too_many),
		CASE(region_past_the_end_of_its_file),
		CASE(region_that_wraps),
		CASE(region_of_no_size),
		CASE(features_not_offered),
#undef CASE
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(start(NULL), 0);
		cases[i].send();
		print_message("%s\n", cases[i].name);
		expect_refusal();
		finish(NULL);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, finish)
	const struct CMUnitTest tests[] = {
		TEST(offers_what_it_has),
		TEST(the_configuration_is_the_cid),
		TEST(a_message_may_come_in_pieces),
		TEST(an_acknowledgement_is_sent_where_asked_for),
		TEST(rings_start_stop_and_go_on),
		TEST(running_rings_follow_the_memory),
		TEST(descriptors_of_a_wrong_message_are_closed),
		TEST(the_end_is_told),
		cmocka_unit_test(nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
