#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "fake_driver.h"
#include "runtime/vsock/vring.h"

enum { SIZE = 8, TABLE = 0x100, AVAILABLE = 0x200, USED = 0x300, INDIRECT_TABLE = 0x4000, DATA = 0x8000 };

/* Guest memory of one region; QEMU's addresses are the guest's plus USER. */
#define USER 0x7f0000000000u

static _Alignas(4096) uint8_t arena[0x10000];
static struct memory memory;
static struct fake_ring driver;
static struct vring vring;

static int start_ring(void **state)
{
	memset(arena, 0, sizeof(arena));
	memory.count = 0;
	driver = (struct fake_ring){arena, SIZE, TABLE, AVAILABLE, USED, 0};
	vring = (struct vring){.size = SIZE,
			       .event_index = true,
			       .indirect = true,
			       .addresses = {USER + TABLE, USER + AVAILABLE, USER + USED}};
	if (memory_add(&memory,
		       &(struct memory_region){.guest = 0, .user = USER, .size = sizeof(arena), .mapped = arena}) ||
	    vring_map(&vring, &memory))
		return -1;
	vring_start(&vring, 0);
	return 0;
}

static void describe(unsigned number, uint64_t address, uint32_t length, uint16_t flags, uint16_t next)
{
	fake_describe(&driver, TABLE, number, (struct fake_descriptor){address, length, flags, next});
}

static void describe_indirect(unsigned number, uint64_t address, uint32_t length, uint16_t flags, uint16_t next)
{
	fake_describe(&driver, INDIRECT_TABLE, number, (struct fake_descriptor){address, length, flags, next});
}

/* --- honest drivers --- */

static void an_empty_ring_gives_nothing(void **state)
{
	struct vring_chain chain;

	assert_int_equal(vring_pop(&vring, &memory, &chain), 0);
}

static void a_chain_comes_in_its_order(void **state)
{
	struct vring_chain chain;

	describe(3, DATA, 44, NEXT, 5);
	describe(5, DATA + 0x100, 10, NEXT, 1);
	describe(1, DATA + 0x200, 20, WRITE, 0);
	fake_offer(&driver, 3);
	assert_int_equal(vring_pop(&vring, &memory, &chain), 1);
	assert_int_equal(chain.head, 3);
	assert_int_equal(chain.count, 3);
	assert_int_equal(chain.readable, 2);
	assert_int_equal(chain.read_length, 54);
	assert_int_equal(chain.write_length, 20);
	assert_ptr_equal(chain.pieces[0].iov_base, arena + DATA);
	assert_ptr_equal(chain.pieces[1].iov_base, arena + DATA + 0x100);
	assert_int_equal(chain.pieces[1].iov_len, 10);
	assert_ptr_equal(chain.pieces[2].iov_base, arena + DATA + 0x200);
	assert_int_equal(vring_pop(&vring, &memory, &chain), 0);
}

static void an_indirect_table_is_followed(void **state)
{
	struct vring_chain chain;

	describe(2, INDIRECT_TABLE, 32, INDIRECT, 0);
	describe_indirect(0, DATA, 44, NEXT, 1);
	describe_indirect(1, DATA + 0x100, 1000, 0, 0);
	fake_offer(&driver, 2);
	assert_int_equal(vring_pop(&vring, &memory, &chain), 1);
	assert_int_equal(chain.head, 2);
	assert_int_equal(chain.count, 2);
	assert_int_equal(chain.read_length, 1044);
}

static void an_empty_buffer_counts_for_nothing(void **state)
{
	struct vring_chain chain;

	describe(0, 0xdeadbeef00000000, 0, NEXT, 1);
	describe(1, DATA, 5, 0, 0);
	fake_offer(&driver, 0);
	assert_int_equal(vring_pop(&vring, &memory, &chain), 1);
	assert_int_equal(chain.count, 1);
	assert_int_equal(chain.read_length, 5);
}

static void what_is_put_back_comes_again(void **state)
{
	struct vring_chain chain;

	for (uint16_t i = 0; i < 3; i++) {
		describe(i, DATA + 0x100u * i, 10, WRITE, 0);
		fake_offer(&driver, i);
	}
	for (uint16_t i = 0; i < 3; i++)
		assert_int_equal(vring_pop(&vring, &memory, &chain), 1);
	vring_unpop(&vring, 2);
	assert_int_equal(vring_pop(&vring, &memory, &chain), 1);
	assert_int_equal(chain.head, 1);
}

static void used_buffers_show_only_when_published(void **state)
{
	vring_push(&vring, 6, 44);
	vring_push(&vring, 2, 4140);
	assert_int_equal(fake_used_index(&driver), 0);
	vring_publish(&vring);
	assert_int_equal(fake_used_index(&driver), 2);
	assert_int_equal(fake_get32(&driver, USED + 4), 6);
	assert_int_equal(fake_get32(&driver, USED + 8), 44);
	assert_int_equal(fake_get32(&driver, USED + 12), 2);
	assert_int_equal(fake_get32(&driver, USED + 16), 4140);
	assert_false(vring_publish(&vring)); /* nothing new */
}

static void indices_wrap(void **state)
{
	struct vring_chain chain;

	driver.index = 65533;
	fake_put16(&driver, USED + 2, 65533);
	fake_put16(&driver, AVAILABLE + 2, 65533);
	vring_start(&vring, 65533);
	for (uint16_t i = 0; i < 6; i++) {
		describe(i, DATA, 10, WRITE, 0);
		fake_offer(&driver, i);
	}
	for (uint16_t i = 0; i < 6; i++) {
		assert_int_equal(vring_pop(&vring, &memory, &chain), 1);
		assert_int_equal(chain.head, i);
		vring_push(&vring, chain.head, 1);
	}
	assert_int_equal(vring_pop(&vring, &memory, &chain), 0);
	vring_publish(&vring);
	assert_int_equal(fake_used_index(&driver), 3);
}

/* --- notifications --- */

static bool publish_one(void)
{
	vring_push(&vring, 0, 0);
	return vring_publish(&vring);
}

static void an_interrupt_comes_when_the_event_index_is_passed(void **state)
{
	fake_set_used_event(&driver, 2);
	assert_true(publish_one()); /* the first after a start always */
	assert_false(publish_one());
	assert_true(publish_one()); /* index 2 is used now */
	assert_false(publish_one());
	fake_set_used_event(&driver, 5);
	vring_push(&vring, 0, 0);
	vring_push(&vring, 0, 0);
	vring_push(&vring, 0, 0);
	assert_true(vring_publish(&vring)); /* 4, 5 and 6 in one go */
}

static void an_interrupt_comes_unless_the_flag_forbids(void **state)
{
	vring.event_index = false;
	assert_true(publish_one());
	fake_put16(&driver, AVAILABLE, 1);
	assert_false(publish_one());
}

static void kicks_are_asked_for_by_the_event_index(void **state)
{
	struct vring_chain chain;

	describe(0, DATA, 10, 0, 0);
	fake_offer(&driver, 0);
	vring_no_kicks(&vring);
	assert_int_equal(vring_pop(&vring, &memory, &chain), 1);
	assert_false(vring_want_kicks(&vring));
	assert_int_equal(fake_available_event(&driver), 1);
	fake_offer(&driver, 0);
	assert_true(vring_want_kicks(&vring)); /* one came before we asked */
}

static void kicks_are_asked_for_by_the_flag(void **state)
{
	vring.event_index = false;
	vring_no_kicks(&vring);
	assert_int_equal(fake_get16(&driver, USED), 1);
	assert_false(vring_want_kicks(&vring));
	assert_int_equal(fake_get16(&driver, USED), 0);
}

/* --- hostile drivers --- */

static void head_out_of_range(void)
{
	fake_offer(&driver, SIZE);
}

static void next_out_of_range(void)
{
	describe(0, DATA, 1, NEXT, SIZE);
	fake_offer(&driver, 0);
}

static void circle(void)
{
	describe(0, DATA, 1, NEXT, 1);
	describe(1, DATA, 1, NEXT, 0);
	fake_offer(&driver, 0);
}

static void circle_of_one(void)
{
	describe(4, DATA, 0, NEXT, 4);
	fake_offer(&driver, 4);
}

static void buffer_outside(void)
{
	describe(0, sizeof(arena) - 10, 11, 0, 0);
	fake_offer(&driver, 0);
}

static void buffer_that_wraps(void)
{
	describe(0, UINT64_MAX - 5, 100, WRITE, 0);
	fake_offer(&driver, 0);
}

static void buffer_of_four_gigabytes(void)
{
	describe(0, 0, UINT32_MAX, WRITE, 0);
	fake_offer(&driver, 0);
}

static void readable_behind_writable(void)
{
	describe(0, DATA, 1, NEXT | WRITE, 1);
	describe(1, DATA, 1, 0, 0);
	fake_offer(&driver, 0);
}

static void index_far_ahead(void)
{
	fake_put16(&driver, AVAILABLE + 2, SIZE + 1);
}

static void index_behind(void)
{
	fake_put16(&driver, AVAILABLE + 2, UINT16_MAX);
}

static void indirect_not_negotiated(void)
{
	vring.indirect = false;
	describe(0, INDIRECT_TABLE, 16, INDIRECT, 0);
	fake_offer(&driver, 0);
}

static void indirect_with_next(void)
{
	describe(0, INDIRECT_TABLE, 16, INDIRECT | NEXT, 1);
	fake_offer(&driver, 0);
}

static void indirect_in_a_chain(void)
{
	describe(0, DATA, 1, NEXT, 1);
	describe(1, INDIRECT_TABLE, 16, INDIRECT, 0);
	fake_offer(&driver, 0);
}

static void indirect_in_indirect(void)
{
	describe(0, INDIRECT_TABLE, 16, INDIRECT, 0);
	describe_indirect(0, INDIRECT_TABLE, 16, INDIRECT, 0);
	fake_offer(&driver, 0);
}

static void indirect_of_no_length(void)
{
	describe(0, INDIRECT_TABLE, 0, INDIRECT, 0);
	fake_offer(&driver, 0);
}

static void indirect_of_odd_length(void)
{
	describe(0, INDIRECT_TABLE, 17, INDIRECT, 0);
	fake_offer(&driver, 0);
}

static void indirect_too_long(void)
{
	describe(0, 0, 1025 * 16, INDIRECT, 0);
	fake_offer(&driver, 0);
}

static void indirect_outside(void)
{
	describe(0, sizeof(arena) - 16, 32, INDIRECT, 0);
	fake_offer(&driver, 0);
}

static void indirect_next_out_of_range(void)
{
	describe(0, INDIRECT_TABLE, 32, INDIRECT, 0);
	describe_indirect(0, DATA, 1, NEXT, 2);
	fake_offer(&driver, 0);
}

static void indirect_circle(void)
{
	describe(0, INDIRECT_TABLE, 32, INDIRECT, 0);
	describe_indirect(0, DATA, 1, NEXT, 1);
	describe_indirect(1, DATA, 1, NEXT, 0);
	fake_offer(&driver, 0);
}

static void too_many_pieces(void)
{
	describe(0, INDIRECT_TABLE, (VRING_MAX_PIECES + 1) * 16, INDIRECT, 0);
	for (uint16_t i = 0; i <= VRING_MAX_PIECES; i++)
		describe_indirect(i, DATA, 1, i < VRING_MAX_PIECES ? NEXT : 0, (uint16_t)(i + 1));
	fake_offer(&driver, 0);
}

static void hostile_rings_are_refused(void **state)
{
	static const struct {
		const char *name;
		void (*make)(void);
	} cases[] = {
#define CASE(make) {#make, make}
		CASE(head_out_of_range),
		CASE(next_out_of_range),
		CASE(circle),
		CASE(circle_of_one),
		CASE(buffer_outside),
		CASE(buffer_that_wraps),
		CASE(buffer_of_four_gigabytes),
		CASE(readable_behind_writable),
		CASE(index_far_ahead),
		CASE(index_behind),
		CASE(indirect_not_negotiated),
		CASE(indirect_with_next),
		CASE(indirect_in_a_chain),
		CASE(indirect_in_indirect),
		CASE(indirect_of_no_length),
		CASE(indirect_of_odd_length),
		CASE(indirect_too_long),
		CASE(indirect_outside),
		CASE(indirect_next_out_of_range),
		CASE(indirect_circle),
		CASE(too_many_pieces),
#undef CASE
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vring_chain chain;

		assert_int_equal(start_ring(NULL), 0);
		cases[i].make();
		print_message("%s\n", cases[i].name);
		assert_int_equal(vring_pop(&vring, &memory, &chain), -1);
		assert_non_null(vring.broken);
		/* For good, whatever the driver does then. */
		describe(0, DATA, 1, 0, 0);
		fake_put16(&driver, AVAILABLE + 2, 0);
		fake_offer(&driver, 0);
		assert_int_equal(vring_pop(&vring, &memory, &chain), -1);
	}
}

static void rings_outside_of_memory_are_refused(void **state)
{
	const struct vring_addresses wrong[] = {
		{USER + sizeof(arena) - 16 * SIZE + 16, USER + AVAILABLE, USER + USED},
		{USER + TABLE, USER + sizeof(arena) - 2 * SIZE - 4, USER + USED},
		{USER + TABLE, USER + AVAILABLE, USER + sizeof(arena) - 8 * SIZE - 4},
		{USER + TABLE + 8, USER + AVAILABLE, USER + USED},
		{USER + TABLE, USER + AVAILABLE + 1, USER + USED},
		{USER + TABLE, USER + AVAILABLE, USER + USED + 2},
		{TABLE, AVAILABLE, USED},
		{UINT64_MAX - 15, USER + AVAILABLE, USER + USED},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		vring.addresses = wrong[i];
		assert_int_equal(vring_map(&vring, &memory), -1);
		assert_null(vring.used);
	}
	vring.size = 0;
	vring.addresses = (struct vring_addresses){USER + TABLE, USER + AVAILABLE, USER + USED};
	assert_int_equal(vring_map(&vring, &memory), -1);
}

/* --- any bytes at all --- */

static uint64_t random_state = 0x2545f4914f6cdd1d;

static uint64_t random_word(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Plausible enough to get past the first check: small numbers, addresses in the arena or near its end. */
static void fill_at_random(void)
{
	for (unsigned i = 0; i < SIZE; i++)
		describe(i, random_word() % (sizeof(arena) + 64), (uint32_t)(random_word() % 600),
			 (uint16_t)(random_word() % 8), (uint16_t)(random_word() % (SIZE + 1)));
	for (unsigned i = 0; i < 64; i++)
		describe_indirect(i, random_word() % (sizeof(arena) + 64), (uint32_t)(random_word() % 5000),
				  (uint16_t)(random_word() % 4), (uint16_t)(random_word() % 40));
	describe((unsigned)(random_word() % SIZE), INDIRECT_TABLE, (uint32_t)(16 * (random_word() % 70)), INDIRECT, 0);
	for (unsigned i = 0; i < SIZE; i++)
		fake_put16(&driver, AVAILABLE + 4 + 2 * i, (uint16_t)(random_word() % (SIZE + 1)));
	fake_put16(&driver, AVAILABLE + 2, (uint16_t)(random_word() % (SIZE + 2)));
}

static void check_chain(const struct vring_chain *chain)
{
	uint64_t read = 0, written = 0;

	assert_true(chain->count <= VRING_MAX_PIECES && chain->readable <= chain->count);
	for (unsigned i = 0; i < chain->count; i++) {
		const uint8_t *base = chain->pieces[i].iov_base;

		assert_true(base >= arena && chain->pieces[i].iov_len <= (size_t)(arena + sizeof(arena) - base));
		*(i < chain->readable ? &read : &written) += chain->pieces[i].iov_len;
	}
	assert_true(read == chain->read_length && written == chain->write_length);
}

static void random_rings_stay_inside_memory(void **state)
{
	unsigned taken = 0, refused = 0;

	for (unsigned i = 0; i < 20000; i++) {
		struct vring_chain chain;
		int result;

		start_ring(NULL);
		fill_at_random();
		while ((result = vring_pop(&vring, &memory, &chain)) == 1) {
			check_chain(&chain);
			vring_push(&vring, chain.head, 1);
			taken++;
		}
		refused += result < 0;
		vring_publish(&vring);
		vring_want_kicks(&vring);
	}
	/* The filling is neither too wild nor too tame. */
	assert_true(taken > 5000 && refused > 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_empty_ring_gives_nothing, start_ring),
		cmocka_unit_test_setup(a_chain_comes_in_its_order, start_ring),
		cmocka_unit_test_setup(an_indirect_table_is_followed, start_ring),
		cmocka_unit_test_setup(an_empty_buffer_counts_for_nothing, start_ring),
		cmocka_unit_test_setup(what_is_put_back_comes_again, start_ring),
		cmocka_unit_test_setup(used_buffers_show_only_when_published, start_ring),
		cmocka_unit_test_setup(indices_wrap, start_ring),
		cmocka_unit_test_setup(an_interrupt_comes_when_the_event_index_is_passed, start_ring),
		cmocka_unit_test_setup(an_interrupt_comes_unless_the_flag_forbids, start_ring),
		cmocka_unit_test_setup(kicks_are_asked_for_by_the_event_index, start_ring),
		cmocka_unit_test_setup(kicks_are_asked_for_by_the_flag, start_ring),
		cmocka_unit_test(hostile_rings_are_refused),
		cmocka_unit_test_setup(rings_outside_of_memory_are_refused, start_ring),
		cmocka_unit_test(random_rings_stay_inside_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
