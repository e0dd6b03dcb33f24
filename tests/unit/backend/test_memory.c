#include "../unit.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "runtime/backend/qemu/memory.h"
#include "runtime/base/loop.h"

#define MIB (1024ull * 1024)

/* Host memory behind the file, in bytes. */
static uint64_t used(int fd)
{
	struct stat status;

	assert_int_equal(fstat(fd, &status), 0);
	return (uint64_t)status.st_blocks * 512;
}

static bool is_touched(int fd, uint64_t offset)
{
	return lseek(fd, (off_t)offset, SEEK_DATA) == (off_t)offset;
}

static void test_size_without_memory(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct stat status;
	int fd MVM_CLEAN_FD = -1;

	(void)state;
	assert_ok(memory_create(512 * MIB, &fd, &err));
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_size, 512 * MIB);
	assert_int_equal(used(fd), 0);
}

/* The thread ends with the last page; until then it is waited for. */
static void test_warm(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	uint64_t size = 256 * MIB, deadline = mvm_now_ns() + 20000000000u;
	int fd MVM_CLEAN_FD = -1;

	(void)state;
	assert_ok(memory_create(size, &fd, &err));
	memory_warm(fd, size);
	while (!is_touched(fd, size - 4096) && mvm_now_ns() < deadline)
		sched_yield();
	assert_true(is_touched(fd, size - 4096));
	assert_true(is_touched(fd, 16 * MIB));
	assert_false(is_touched(fd, 100 * MIB));
	assert_in_range(used(fd), 1, 64 * MIB);
}

static void test_small_machine_is_left_alone(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	int fd MVM_CLEAN_FD = -1;

	(void)state;
	assert_ok(memory_create(32 * MIB, &fd, &err));
	memory_warm(fd, 32 * MIB);
	assert_int_equal(used(fd), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size_without_memory),
		cmocka_unit_test(test_warm),
		cmocka_unit_test(test_small_machine_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
