#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "runtime/backend/qemu/tsc.h"

static void test_rate(void **state)
{
	(void)state;
	assert_int_equal(tsc_rate(27934400, 10000000), 2793440);
	assert_int_equal(tsc_rate(27934404, 10000000), 2793440);
	assert_int_equal(tsc_rate(27934406, 10000000), 2793441);
}

static void test_nonsense(void **state)
{
	(void)state;
	assert_int_equal(tsc_rate(1000, 0), 0);
	assert_int_equal(tsc_rate(0, 1000), 0);
	/* The clock jumped. */
	assert_int_equal(tsc_rate(27934400, 1000), 0);
	assert_int_equal(tsc_rate(27934400, 10000000000u), 0);
}

/* Measurements of one counter agree to a tenth of what a guest's clock may be off. */
static void test_measurement_repeats(void **state)
{
	uint32_t first, second;

	(void)state;
	if (!tsc_measure(&first))
		skip();
	assert_true(tsc_measure(&second));
	assert_true(abs((int)(first - second)) < (int)(first / 1000));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_measurement_repeats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
