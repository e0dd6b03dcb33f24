/* The parts that entries of a copy go through: a local tree, a stream for the guest, a local folder. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "guest-agent/proto/stream.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"
#include "runtime/engine/copy.h"

static char top[64];

static int setup(void **state)
{
	strcpy(top, "/tmp/mvm-copy-XXXXXX");
	assert_non_null(mkdtemp(top));
	assert_int_equal(chdir(top), 0);
	umask(0);
	assert_int_equal(mkdir("from", 0755), 0);
	assert_int_equal(mkdir("to", 0755), 0);
	return 0;
}

static int teardown(void **state)
{
	assert_int_equal(chdir("/"), 0);
	mvm_remove_tree(top, NULL);
	return 0;
}

static void make_file(const char *path, const char *text)
{
	assert_int_equal(mvm_replace_file(path, text, strlen(text), 0644, NULL), 0);
}

static void expect_file(const char *path, const char *text)
{
	char *data MVM_CLEAN_FREE = NULL;
	struct mvm_error *err = NULL;
	size_t length;

	assert_ok(mvm_read_file(path, 10000, &data, &length, &err));
	assert_string_equal(data, text);
}

static struct copy_unpack *begin(const char *folder)
{
	struct copy_unpack *unpack = NULL;
	struct mvm_error *err = NULL;

	assert_ok(copy_unpack_create(folder, false, &unpack, &err));
	return unpack;
}

static int put(struct copy_unpack *unpack, const struct mvm_tar_entry *given, const char *text, struct mvm_error **err)
{
	struct mvm_tar_entry entry = *given;

	entry.target = entry.target ? entry.target : "";
	entry.mode = entry.mode ? entry.mode : 0755;
	entry.size = text ? strlen(text) : entry.size;
	if (copy_unpack_ops.entry(unpack, &entry, err) < 0 ||
	    (text && *text && copy_unpack_ops.data(unpack, 0, text, strlen(text), err) < 0))
		return -1;
	return copy_unpack_ops.end(unpack, err);
}

static int put_file(struct copy_unpack *unpack, const char *name, const char *text, struct mvm_error **err)
{
	return put(unpack, &(struct mvm_tar_entry){.type = MVM_TAR_FILE, .name = name}, text, err);
}

static int put_link(struct copy_unpack *unpack, enum mvm_tar_type type, const char *name, const char *target,
		    struct mvm_error **err)
{
	return put(unpack, &(struct mvm_tar_entry){.type = type, .name = name, .target = target}, NULL, err);
}

/* A tree through a stream's bytes is for the guest's tests; here it goes straight into another folder. */
static void a_tree_is_the_same_again(void **state)
{
	struct copy_unpack *unpack = begin("to");
	struct mvm_copy copy = {0};
	struct copy_tally tally = {.copy = &copy, .next = {&copy_unpack_ops, unpack}};
	const struct copy_sink sink = {&copy_tally_ops, &tally};
	const struct timespec times[2] = {{5, 6}, {5, 6}};
	struct mvm_error *err = NULL;
	struct stat a, b;
	int fd;

	assert_int_equal(mkdir("from/d", 0700), 0);
	make_file("from/d/file", "text");
	assert_int_equal(chmod("from/d/file", 04711), 0);
	assert_int_equal(link("from/d/file", "from/hard"), 0);
	assert_int_equal(symlink("../nowhere", "from/soft"), 0);
	assert_int_equal(mkfifo("from/fifo", 0622), 0);
	fd = open("from/sparse", O_WRONLY | O_CREAT, 0600);
	assert_int_equal(pwrite(fd, "x", 1, 1 << 20), 1);
	assert_int_equal(ftruncate(fd, 1 << 30), 0);
	close(fd);
	assert_int_equal(utimensat(AT_FDCWD, "from/d", times, 0), 0);
	assert_int_equal(chmod("from/d", 0500), 0);

	assert_ok(copy_walk("from", "name", &sink, &err));
	assert_ok(copy_unpack_end(unpack, &err));
	copy_unpack_destroy(unpack);
	expect_file("to/name/d/file", "text");
	assert_int_equal(lstat("to/name/d/file", &a), 0);
	assert_int_equal(lstat("to/name/hard", &b), 0);
	assert_true(a.st_mode == (S_IFREG | 04711) && a.st_ino == b.st_ino && a.st_nlink == 2);
	assert_int_equal(lstat("to/name/d", &a), 0);
	assert_true(a.st_mode == (S_IFDIR | 0500) && a.st_mtim.tv_sec == 5 && a.st_mtim.tv_nsec == 6);
	assert_int_equal(lstat("to/name/sparse", &a), 0);
	assert_true(a.st_size == 1 << 30 && a.st_blocks < 1000);
	assert_int_equal(lstat("to/name/fifo", &a), 0);
	assert_int_equal(a.st_mode, S_IFIFO | 0622);
	assert_int_equal(lstat("to/name/soft", &a), 0);
	assert_true(S_ISLNK(a.st_mode));
	/* Seven headers, and two files in whole blocks. */
	assert_int_equal(tally.transferred, 7 * 512 + 512 + (1 << 30));
	assert_int_equal(tally.content, 4 + (1 << 30));
	assert_int_equal(chmod("from/d", 0700) | chmod("to/name/d", 0700), 0);
}

static void sockets_are_left_out(void **state)
{
	struct copy_unpack *unpack = begin("to");
	const struct copy_sink sink = {&copy_unpack_ops, unpack};
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "from/socket"};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct mvm_error *err = NULL;

	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	make_file("from/z", "z");
	assert_ok(copy_walk("from/.", ".", &sink, &err));
	copy_unpack_destroy(unpack);
	close(fd);
	expect_file("to/z", "z");
	assert_int_equal(access("to/socket", F_OK), -1);
}

static void what_cannot_be_read_is_named(void **state)
{
	struct copy_unpack *unpack = begin("to");
	const struct copy_sink sink = {&copy_unpack_ops, unpack};
	struct mvm_error *err = NULL;

	assert_error(copy_walk("from/none", "none", &sink, &err), MVM_ERR_NOT_FOUND, "cannot open from/none");
	make_file("from/secret", "x");
	assert_int_equal(chmod("from/secret", 0), 0);
	err = NULL;
	if (getuid() != 0)
		assert_error(copy_walk("from/", "from", &sink, &err), MVM_ERR_IO, "cannot open from/secret: ");
	copy_unpack_destroy(unpack);
}

static void nothing_leads_out(void **state)
{
	static const char *const names[] = {"../x", "a/../../x", "/..", "a/../../../../../tmp/x"};
	struct copy_unpack *unpack = begin("to");
	struct mvm_error *err = NULL;

	for (size_t i = 0; i < MVM_COUNT(names); i++) {
		err = NULL;
		assert_error(put_file(unpack, names[i], "x", &err), MVM_ERR_INVALID, "invalid entry name");
	}
	err = NULL;
	assert_ok(put_file(unpack, "/absolute", "below", &err));
	expect_file("to/absolute", "below");
	/* Links that it has made itself. */
	assert_ok(put_link(unpack, MVM_TAR_SYMLINK, "up", "..", &err));
	assert_ok(put_link(unpack, MVM_TAR_SYMLINK, "abs", top, &err));
	assert_ok(put_link(unpack, MVM_TAR_SYMLINK, "loop", "loop", &err));
	assert_ok(put_link(unpack, MVM_TAR_SYMLINK, "down", "sub/dir", &err));
	assert_error(put_file(unpack, "up/evil", "x", &err), MVM_ERR_INVALID, "a link on the way leads out");
	err = NULL;
	assert_error(put_file(unpack, "loop/evil", "x", &err), MVM_ERR_INVALID, "too many links");
	err = NULL;
	assert_ok(put_file(unpack, "abs/evil", "x", &err));
	assert_ok(put_file(unpack, "down/good", "y", &err));
	expect_file("to/sub/dir/good", "y");
	assert_int_equal(access("evil", F_OK), -1);
	assert_error(put_link(unpack, MVM_TAR_HARDLINK, "h", "../from", &err), MVM_ERR_INVALID,
		     "invalid hardlink target");
	err = NULL;
	assert_error(put_link(unpack, MVM_TAR_HARDLINK, "h", "up/from", &err), MVM_ERR_INVALID, "leads out");
	copy_unpack_destroy(unpack);
}

static void a_link_in_the_way_is_replaced(void **state)
{
	struct copy_unpack *unpack = begin("to");
	struct mvm_error *err = NULL;

	make_file("from/kept", "kept");
	assert_int_equal(symlink("../from/kept", "to/l"), 0);
	assert_ok(put_file(unpack, "l", "new", &err));
	expect_file("from/kept", "kept");
	expect_file("to/l", "new");
	copy_unpack_destroy(unpack);
}

static void folders_and_others_do_not_replace_each_other(void **state)
{
	struct copy_unpack *unpack = begin("to");
	struct mvm_error *err = NULL;

	assert_ok(put(unpack, &(struct mvm_tar_entry){.type = MVM_TAR_FOLDER, .name = "d/"}, NULL, &err));
	assert_ok(put_file(unpack, "f", "", &err));
	assert_error(put_file(unpack, "d", "x", &err), MVM_ERR_INVALID,
		     "cannot overwrite directory \"d\" with non-directory \"to\"");
	err = NULL;
	assert_error(put(unpack, &(struct mvm_tar_entry){.type = MVM_TAR_FOLDER, .name = "f"}, NULL, &err),
		     MVM_ERR_INVALID, "cannot overwrite non-directory \"f\" with directory \"to\"");
	copy_unpack_destroy(unpack);
}

static void a_mask_changes_nothing(void **state)
{
	struct copy_unpack *unpack = begin("to");
	mode_t before = umask(077);
	struct mvm_error *err = NULL;
	struct stat stat;

	assert_ok(put(unpack, &(struct mvm_tar_entry){.type = MVM_TAR_FILE, .name = "a/b", .mode = 0666}, "x", &err));
	assert_ok(copy_unpack_end(unpack, &err));
	umask(before);
	assert_int_equal(lstat("to/a/b", &stat), 0);
	assert_int_equal(stat.st_mode, S_IFREG | 0666);
	assert_int_equal(lstat("to/a", &stat), 0);
	assert_int_equal(stat.st_mode, S_IFDIR | 0755);
	copy_unpack_destroy(unpack);
}

/* The stream */

static struct mvm_buf got;

static int got_entry(void *arg, const struct mvm_stream_entry *entry)
{
	mvm_buf_addf(&got, "[%c %s %s %llu ", entry->type, entry->name, entry->target ? entry->target : "-",
		     (unsigned long long)entry->size);
	return 0;
}

static int got_data(void *arg, uint64_t offset, const void *data, size_t length)
{
	mvm_buf_addf(&got, "%llu+%zu%c ", (unsigned long long)offset, length, *(const char *)data);
	return 0;
}

static int got_end(void *arg)
{
	mvm_buf_add(&got, "]", 1);
	return 0;
}

static void the_stream_is_what_the_guest_reads(void **state)
{
	static const struct mvm_stream_ops ops = {.entry = got_entry, .data = got_data, .end = got_end};
	static struct mvm_stream_reader reader;
	char *large MVM_CLEAN_FREE = mvm_alloc(700000), *data MVM_CLEAN_FREE = NULL;
	int fd = open("stream", O_RDWR | O_CREAT, 0600);
	struct copy_stream *stream = copy_stream_create(fd);
	struct mvm_error *err = NULL;
	size_t length;

	memset(large, 'x', 700000);
	assert_ok(copy_stream_ops.entry(
		stream, &(struct mvm_tar_entry){.type = MVM_TAR_FILE, .name = "f", .target = "", .size = 800000},
		&err));
	assert_ok(copy_stream_ops.data(stream, 5, large, 700000, &err));
	assert_ok(copy_stream_ops.end(stream, &err));
	assert_ok(copy_stream_ops.entry(
		stream, &(struct mvm_tar_entry){.type = MVM_TAR_SYMLINK, .name = "l", .target = "f"}, &err));
	assert_ok(copy_stream_ops.end(stream, &err));
	assert_ok(copy_stream_end(stream, &err));
	assert_false(copy_stream_is_broken(stream));
	copy_stream_destroy(stream);
	close(fd);
	assert_ok(mvm_read_file("stream", 1000000, &data, &length, &err));
	mvm_stream_reader_init(&reader, &ops, NULL);
	assert_int_equal(mvm_stream_feed(&reader, data, length), 0);
	assert_true(mvm_stream_ended(&reader));
	mvm_buf_add(&got, "", 1);
	assert_non_null(strstr(got.data, "[0 f - 800000 5+"));
	assert_non_null(strstr(got.data, "x ][2 l f 0 ]"));
	mvm_buf_finish(&got);
}

static void a_guest_that_reads_no_more_breaks_it(void **state)
{
	struct mvm_error *err = NULL;
	struct copy_stream *stream;
	int pair[2];

	assert_int_equal(mvm_socketpair(SOCK_STREAM, pair), 0);
	close(pair[0]);
	stream = copy_stream_create(pair[1]);
	assert_error(copy_stream_end(stream, &err), MVM_ERR_IO, "cannot write to the VM");
	assert_true(copy_stream_is_broken(stream));
	copy_stream_destroy(stream);
	close(pair[1]);
}

#define COPY_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		COPY_TEST(a_tree_is_the_same_again),
		COPY_TEST(sockets_are_left_out),
		COPY_TEST(what_cannot_be_read_is_named),
		COPY_TEST(nothing_leads_out),
		COPY_TEST(a_link_in_the_way_is_replaced),
		COPY_TEST(folders_and_others_do_not_replace_each_other),
		COPY_TEST(a_mask_changes_nothing),
		COPY_TEST(the_stream_is_what_the_guest_reads),
		COPY_TEST(a_guest_that_reads_no_more_breaks_it),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
