#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "runtime/vsock/memory.h"

/* Two regions that touch in the guest and one on its own, all apart here. */
static uint8_t low[0x1000], high[0x1000], top[0x1000];
static struct memory memory;

#define TOP (UINT64_MAX - 0x1fff)

static int make_map(void **state)
{
	memory.count = 0;
	if (memory_add(&memory,
		       &(struct memory_region){.guest = 0, .user = 0x70000000, .size = 0x1000, .mapped = low}) ||
	    memory_add(&memory,
		       &(struct memory_region){.guest = 0x1000, .user = 0x90000000, .size = 0x1000, .mapped = high}) ||
	    memory_add(&memory, &(struct memory_region){.guest = TOP, .user = TOP, .size = 0x1000, .mapped = top}))
		return -1;
	return 0;
}

static void an_address_is_found_in_its_region(void **state)
{
	assert_ptr_equal(memory_at(&memory, 0, 1), low);
	assert_ptr_equal(memory_at(&memory, 0xfff, 1), low + 0xfff);
	assert_ptr_equal(memory_at(&memory, 0x1000, 0x1000), high);
	assert_ptr_equal(memory_at_user(&memory, 0x90000010, 4), high + 0x10);
	assert_ptr_equal(memory_at_user(&memory, 0x70000000, 0x1000), low);
}

static void bytes_outside_are_not_found(void **state)
{
	assert_null(memory_at(&memory, 0xfff, 2)); /* goes on, but not here */
	assert_null(memory_at(&memory, 0x2000, 1));
	assert_null(memory_at(&memory, 0x1001, 0x1000));
	assert_null(memory_at(&memory, 0x10, UINT64_MAX));
	assert_null(memory_at(&memory, TOP + 0x800, UINT64_MAX - 0x100));
	assert_null(memory_at(&memory, UINT64_MAX, 1));
	assert_null(memory_at_user(&memory, 0x70000fff, 2));
	assert_null(memory_at_user(&memory, 0x6fffffff, 2));
	assert_null(memory_at_user(&memory, TOP + 0xfff, UINT64_MAX));
}

static void a_buffer_may_span_regions(void **state)
{
	struct iovec pieces[4];
	unsigned count = 1;

	assert_int_equal(memory_pieces(&memory, 0xff0, 0x30, pieces, 4, &count), 0);
	assert_int_equal(count, 3);
	assert_ptr_equal(pieces[1].iov_base, low + 0xff0);
	assert_int_equal(pieces[1].iov_len, 0x10);
	assert_ptr_equal(pieces[2].iov_base, high);
	assert_int_equal(pieces[2].iov_len, 0x20);
}

static void a_buffer_that_leaves_memory_is_refused(void **state)
{
	struct iovec pieces[4];
	unsigned count = 0;

	assert_int_equal(memory_pieces(&memory, 0x1ff0, 0x11, pieces, 4, &count), -1);
	count = 0;
	assert_int_equal(memory_pieces(&memory, TOP + 0xff0, 0x11, pieces, 4, &count), -1);
	count = 0;
	assert_int_equal(memory_pieces(&memory, UINT64_MAX - 1, UINT32_MAX, pieces, 4, &count), -1);
	count = 4;
	assert_int_equal(memory_pieces(&memory, 0, 1, pieces, 4, &count), -1);
	assert_int_equal(memory_pieces(&memory, 0x1ff0, 0, pieces, 4, &count), 0);
	assert_int_equal(count, 4);
}

static void impossible_regions_are_refused(void **state)
{
	struct memory_region region = {.guest = UINT64_MAX, .user = 0, .size = 2, .mapped = low};

	assert_int_equal(memory_add(&memory, &region), -1);
	region = (struct memory_region){.guest = 0, .user = UINT64_MAX, .size = 2, .mapped = low};
	assert_int_equal(memory_add(&memory, &region), -1);
	region = (struct memory_region){.guest = 0x5000, .user = 0x5000, .size = 0, .mapped = low};
	assert_int_equal(memory_add(&memory, &region), -1);
	region.size = 1;
	while (memory.count < MEMORY_MAX_REGIONS)
		assert_int_equal(memory_add(&memory, &region), 0);
	assert_int_equal(memory_add(&memory, &region), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_address_is_found_in_its_region, make_map),
		cmocka_unit_test_setup(bytes_outside_are_not_found, make_map),
		cmocka_unit_test_setup(a_buffer_may_span_regions, make_map),
		cmocka_unit_test_setup(a_buffer_that_leaves_memory_is_refused, make_map),
		cmocka_unit_test_setup(impossible_regions_are_refused, make_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
