/* Numbers out of the kernel's texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "guest-agent/figures.h"
#include "guest-agent/proto/message.h"

static void test_values(void **state)
{
	static const char text[] = "anon 4096\ninactive_file 17\nfile_inactive 3\nslab 18446744073709551615";

	assert_int_equal(figures_value(text, "anon"), 4096);
	assert_int_equal(figures_value(text, "inactive_file"), 17);
	assert_true(figures_value(text, "slab") == UINT64_MAX);
	/* A key is a whole word at the beginning of its line. */
	assert_int_equal(figures_value(text, "file"), 0);
	assert_int_equal(figures_value(text, "inactive"), 0);
	assert_int_equal(figures_value("", "anon"), 0);
}

static void test_network(void **state)
{
	static const char text[] = "Inter-|   Receive                                                |  Transmit\n"
				   " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets "
				   "errs drop fifo colls\n"
				   "    lo:     640       8    0    0    0     0          0         0      640       8 "
				   "   0    0    0     0\n"
				   "  eth0: 1000000000000 7 0 0 0 0 0 0 2000 5 0 0 0 0 0 0\n"
				   "lower0:10 7 0 0 0 0 0 0 20 5 0 0 0 0 0 0\n";
	struct mvm_proto_figures figures = {0};

	figures_add_network(text, &figures);
	assert_true(figures.net_received == 1000000000010);
	assert_int_equal(figures.net_sent, 2020);
	figures_add_network("", &figures);
	assert_int_equal(figures.net_sent, 2020);
}

static void test_blocks(void **state)
{
	struct mvm_proto_figures figures = {0};

	figures_add_blocks("254:0 rbytes=1580544 wbytes=4096 rios=60 wios=1 dbytes=7 dios=1\n"
			   "7:0 rbytes=6 wbytes=5 rios=0 wios=0 dbytes=0 dios=0\n",
			   &figures);
	assert_int_equal(figures.block_read, 1580550);
	assert_int_equal(figures.block_written, 4101);
	/* A disk that nothing has been done to yet. */
	figures_add_blocks("254:0 \n", &figures);
	figures_add_blocks("", &figures);
	assert_int_equal(figures.block_written, 4101);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_network),
		cmocka_unit_test(test_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
