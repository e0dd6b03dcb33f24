#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "image/clone.h"
#include "image/qcow2.h"
#include "runtime/base/json.h"
#include "runtime/base/spawn.h"

#define SIZE (8 << 20)

/* A base with bytes at 1 MiB and at its end, and a folder for the clone. */
struct fixture {
	char *folder;
	char *base;
};

static int setup(void **state)
{
	struct fixture *fixture = mvm_alloc(sizeof(*fixture));
	int fd;

	fixture->folder = scratch_create();
	fixture->base = mvm_format("%s/rootfs.ext4", fixture->folder);
	fd = open(fixture->base, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(ftruncate(fd, SIZE), 0);
	assert_int_equal(mvm_pwrite_full(fd, "middle", 6, 1 << 20), 6);
	assert_int_equal(mvm_pwrite_full(fd, "end", 3, SIZE - 3), 3);
	assert_int_equal(fchmod(fd, 0444), 0);
	close(fd);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	scratch_remove(fixture->folder);
	free(fixture->base);
	free(fixture);
	return 0;
}

static void expect_bytes(const char *path, off_t offset, const char *bytes)
{
	int fd MVM_CLEAN_FD = open(path, O_RDONLY);
	char data[16] = {0};

	assert_int_equal(pread(fd, data, strlen(bytes), offset), strlen(bytes));
	assert_string_equal(data, bytes);
}

/* Runs a program of QEMU's with its output in a file; skips the test where it is not installed. */
static void run_tool(const struct fixture *fixture, char *const *argv, char **output)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *log_path MVM_CLEAN_FREE = mvm_format("%s/output", fixture->folder);
	int log MVM_CLEAN_FD = open(log_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct mvm_spawn_fd fds[] = {{log, 1}, {log, 2}};
	struct mvm_spawn spawn = {.program = argv[0], .argv = argv, .fds = fds, .fd_count = 2};
	char *path MVM_CLEAN_FREE = NULL;
	int status;
	size_t length;
	pid_t pid;

	if (mvm_find_program(argv[0], &path, NULL) < 0) {
		print_message("%s is not installed\n", argv[0]);
		skip();
	}
	assert_ok(mvm_spawn(&spawn, &pid, &err));
	status = wait_for_exit(pid);
	assert_ok(mvm_read_file(log_path, 1 << 20, output, &length, &err));
	if (status)
		fail_msg("%s: %s", argv[0], *output);
}

static char *tool(const struct fixture *fixture, const char *program, const char *a, const char *b, const char *c)
{
	struct mvm_strv argv MVM_CLEAN_STRV = {0};
	char *output = NULL;

	mvm_strv_add(&argv, program);
	mvm_strv_add(&argv, a);
	mvm_strv_add(&argv, b);
	if (c)
		mvm_strv_add(&argv, c);
	run_tool(fixture, argv.items, &output);
	return output;
}

static void make_overlay(const struct fixture *fixture, const char *path, uint64_t size)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	assert_ok(mvm_qcow2_create(path, fixture->base, size, &err));
}

/* Every field that QEMU shows. */
static void test_qcow2_info(void **state)
{
	static const uint64_t sizes[] = {SIZE, 3ULL << 30, 64ULL << 30, 8ULL << 40};
	struct fixture *fixture = *state;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct stat st;

	for (size_t i = 0; i < MVM_COUNT(sizes); i++) {
		char *path MVM_CLEAN_FREE = mvm_format("%s/overlay%zu", fixture->folder, i);
		char *text MVM_CLEAN_FREE = NULL, *checked MVM_CLEAN_FREE = NULL;
		json_t *info MVM_CLEAN_JSON = NULL;

		make_overlay(fixture, path, sizes[i]);
		text = tool(fixture, "qemu-img", "info", "--output=json", path);
		assert_ok(mvm_json_parse(text, strlen(text), "qemu-img", &info, &err));
		assert_int_equal(json_integer_value(json_object_get(info, "virtual-size")), sizes[i]);
		assert_string_equal(json_string_value(json_object_get(info, "format")), "qcow2");
		assert_string_equal(json_string_value(json_object_get(info, "backing-filename")), fixture->base);
		assert_string_equal(json_string_value(json_object_get(info, "backing-filename-format")), "raw");
		checked = tool(fixture, "qemu-img", "check", path, NULL);
		assert_non_null(strstr(checked, "No errors were found"));
		assert_int_equal(stat(path, &st), 0);
		assert_true(st.st_blocks * 512 <= 64 * 1024);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
}

/* Written to and read back through QEMU, past the base's end too; the base stays as it is. */
static void test_qcow2_write(void **state)
{
	struct fixture *fixture = *state;
	char *overlay MVM_CLEAN_FREE = mvm_format("%s/overlay", fixture->folder);
	char *raw MVM_CLEAN_FREE = mvm_format("%s/raw", fixture->folder);
	char program[] = "qemu-io", flag[] = "-c", first[] = "write -P 0x61 1048576 65536",
	     second[] = "write -P 0x62 12582912 512", third[] = "read -P 0 12583424 4096", *output = NULL;
	char *argv[] = {program, flag, first, flag, second, flag, third, overlay, NULL};
	char convert[] = "qemu-img", verb[] = "convert", to[] = "-Oraw",
	     *convert_argv[] = {convert, verb, to, overlay, raw, NULL};
	struct stat st;

	make_overlay(fixture, overlay, 2 * SIZE);
	run_tool(fixture, argv, &output);
	assert_null(strstr(output, "failed"));
	free(output);
	free(tool(fixture, "qemu-img", "check", overlay, NULL));
	run_tool(fixture, convert_argv, &output);
	free(output);
	assert_int_equal(stat(raw, &st), 0);
	assert_int_equal(st.st_size, 2 * SIZE);
	expect_bytes(raw, 1 << 20, "aaaaaa");
	expect_bytes(raw, SIZE - 3, "end");
	expect_bytes(raw, 12582912, "bbbb");
	expect_bytes(fixture->base, 1 << 20, "middle");
}

static void test_qcow2_refuses(void **state)
{
	struct fixture *fixture = *state;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *path MVM_CLEAN_FREE = mvm_format("%s/overlay", fixture->folder);
	char *longer MVM_CLEAN_FREE = mvm_format("/%01024d", 0);

	assert_error(mvm_qcow2_create(path, longer, SIZE, &err), MVM_ERR_INVALID, "shorter MVM_HOME");
	assert_error(mvm_qcow2_create(path, "relative", SIZE, &err), MVM_ERR_INVALID, "relative");
	assert_error(mvm_qcow2_create(path, "/base", 100, &err), MVM_ERR_INVALID, "100 bytes");
	assert_error(mvm_qcow2_create(path, "/base", 9ULL << 40, &err), MVM_ERR_INVALID, "not possible");
	assert_error(mvm_qcow2_create(fixture->base, "/base", SIZE, &err), MVM_ERR_EXISTS, fixture->base);
}

/* Whichever way this file system takes, it is quick and says what it made. */
static void test_clone(void **state)
{
	struct fixture *fixture = *state;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_disk_clone clone = {0}, second = {0};
	char *expected MVM_CLEAN_FREE = NULL;

	assert_ok(mvm_disk_clone(fixture->base, fixture->folder, 0, 0, &clone, &err));
	expected = mvm_format("%s/root.%s", fixture->folder, clone.qcow2 ? "qcow2" : "ext4");
	assert_string_equal(clone.path, expected);
	assert_int_equal(clone.size, SIZE);
	assert_int_equal(access(clone.path, R_OK | W_OK), 0);
	assert_error(mvm_disk_clone(fixture->base, fixture->folder, 0, 0, &second, &err), MVM_ERR_EXISTS, expected);
	assert_error(mvm_disk_clone(fixture->base, fixture->folder, 0, MVM_DISK_CLONE_RAW, &second, &err),
		     MVM_ERR_EXISTS, expected);
	assert_null(second.path);
	mvm_disk_clone_finish(&clone);
}

static void test_raw_clone(void **state)
{
	struct fixture *fixture = *state;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_disk_clone clone = {0};
	struct stat st;

	assert_ok(mvm_disk_clone(fixture->base, fixture->folder, 2 * SIZE + 1, MVM_DISK_CLONE_RAW, &clone, &err));
	assert_false(clone.qcow2);
	assert_int_equal(clone.size, 2 * SIZE + 4096);
	assert_int_equal(stat(clone.path, &st), 0);
	assert_int_equal(st.st_size, 2 * SIZE + 4096);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(st.st_blocks * 512 < SIZE / 4); /* holes stay holes */
	expect_bytes(clone.path, 1 << 20, "middle");
	expect_bytes(clone.path, SIZE - 3, "end");
	mvm_disk_clone_finish(&clone);
}

static void test_clone_refuses(void **state)
{
	struct fixture *fixture = *state;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_disk_clone clone = {0};
	char *missing MVM_CLEAN_FREE = mvm_format("%s/missing", fixture->folder);

	assert_error(mvm_disk_clone(fixture->base, fixture->folder, SIZE - 1, 0, &clone, &err), MVM_ERR_INVALID,
		     "cannot hold the image's");
	assert_error(mvm_disk_clone(fixture->base, fixture->folder, UINT64_MAX, 0, &clone, &err), MVM_ERR_INVALID,
		     "not possible");
	assert_error(mvm_disk_clone(missing, fixture->folder, 0, 0, &clone, &err), MVM_ERR_NOT_FOUND, missing);
	assert_error(mvm_disk_clone(fixture->base, missing, 0, 0, &clone, &err), MVM_ERR_NOT_FOUND, missing);
	assert_null(clone.path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_qcow2_info, setup, teardown),
		cmocka_unit_test_setup_teardown(test_qcow2_write, setup, teardown),
		cmocka_unit_test_setup_teardown(test_qcow2_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_raw_clone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clone_refuses, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
