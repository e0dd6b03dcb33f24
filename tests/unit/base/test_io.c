/* Descriptors and files: full reads and writes, replacement, trees, descriptor passing. */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char *in_scratch(void **state, const char *name)
{
	return mvm_format("%s/%s", (char *)*state, name);
}

static void write_text(const char *path, const char *text)
{
	int fd MVM_CLEAN_FD = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(mvm_write_full(fd, text, strlen(text)), strlen(text));
}

static size_t count_entries(const char *folder)
{
	DIR *dir = opendir(folder);
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2;
}

static bool is_cloexec(int fd)
{
	return fcntl(fd, F_GETFD) & FD_CLOEXEC;
}

/* Full reads and writes */

static void reading_goes_on_over_short_reads(void **state)
{
	char buffer[32] = {0};
	int fds[2];
	pid_t pid;

	assert_int_equal(mvm_pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		/* Each write wakes the reader, who gets one byte at a time. */
		for (const char *c = "0123456789"; *c; c++)
			if (write(fds[1], c, 1) != 1)
				_exit(1);
		_exit(0);
	}
	close(fds[1]);
	assert_int_equal(mvm_read_full(fds[0], buffer, 7), 7);
	assert_string_equal(buffer, "0123456");
	assert_int_equal(mvm_read_full(fds[0], buffer, sizeof(buffer)), 3);
	assert_memory_equal(buffer, "789", 3);
	assert_int_equal(mvm_read_full(fds[0], buffer, sizeof(buffer)), 0);
	close(fds[0]);
	assert_int_equal(wait_for_exit(pid), 0);
}

static void on_signal(int signo)
{
}

static void catch_without_restart(void)
{
	const struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGUSR1, &action, NULL);
}

/* The first byte shows that the other's write() has begun; it is larger than a pipe, so a signal cuts it short. */
static void writing_goes_on_over_short_writes(void **state)
{
	enum { SIZE = 1 << 20 };
	char *data MVM_CLEAN_FREE = mvm_alloc(SIZE), *copy MVM_CLEAN_FREE = mvm_alloc(SIZE);
	int fds[2];
	pid_t pid;

	for (size_t i = 0; i < SIZE; i++)
		data[i] = (char)(i * 7 + i / 251);
	assert_int_equal(mvm_pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		catch_without_restart();
		_exit(mvm_write_full(fds[1], data, SIZE) == SIZE ? 0 : 1);
	}
	close(fds[1]);
	for (size_t at = 0; at < SIZE; at += SIZE / 8) {
		assert_int_equal(mvm_read_full(fds[0], copy + at, SIZE / 8), SIZE / 8);
		if (at < SIZE / 2)
			kill(pid, SIGUSR1);
	}
	assert_memory_equal(copy, data, SIZE);
	close(fds[0]);
	assert_int_equal(wait_for_exit(pid), 0);
}

static void signals_do_not_interrupt_reading(void **state)
{
	char buffer[2];
	int fds[2];
	pid_t pid;

	assert_int_equal(mvm_pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		close(fds[1]);
		catch_without_restart();
		_exit(mvm_read_full(fds[0], buffer, 1) == 1 && mvm_read_full(fds[0], buffer, 2) == 2 ? 0 : 1);
	}
	/* When both are taken it is in its second call, and waits. */
	assert_int_equal(write(fds[1], "ab", 2), 2);
	for (int unread = 1; unread; sched_yield())
		assert_int_equal(ioctl(fds[0], FIONREAD, &unread), 0);
	wait_until_asleep(pid);
	kill(pid, SIGUSR1);
	wait_until_asleep(pid);
	assert_int_equal(write(fds[1], "c", 1), 1);
	assert_int_equal(wait_for_exit(pid), 0);
	close(fds[0]);
	close(fds[1]);
}

static void failures_keep_errno(void **state)
{
	char buffer[4];
	int fds[2];

	assert_int_equal(mvm_read_full(-1, buffer, 4), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(mvm_pipe(fds), 0);
	close(fds[0]);
	assert_int_equal(mvm_write_full(fds[1], "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	errno = ENOSPC;
	mvm_close(&fds[1]);
	assert_int_equal(fds[1], -1);
	assert_int_equal(errno, ENOSPC);
	mvm_close(&fds[1]);
}

static void writing_at_an_offset(void **state)
{
	char *path MVM_CLEAN_FREE = in_scratch(state, "at");
	int fd MVM_CLEAN_FD = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char buffer[8];

	assert_int_equal(mvm_pwrite_full(fd, "world", 5, 3), 5);
	assert_int_equal(mvm_pwrite_full(fd, "abc", 3, 0), 3);
	assert_int_equal(pread(fd, buffer, 8, 0), 8);
	assert_memory_equal(buffer, "abcworld", 8);
}

static void pipes_and_pairs_do_not_leak_into_programs(void **state)
{
	int fds[2];

	assert_int_equal(mvm_pipe(fds), 0);
	assert_true(is_cloexec(fds[0]) && is_cloexec(fds[1]));
	assert_int_equal(mvm_set_cloexec(fds[0], false), 0);
	assert_false(is_cloexec(fds[0]));
	assert_int_equal(mvm_set_nonblock(fds[0], true), 0);
	assert_true(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	assert_int_equal(mvm_set_nonblock(fds[0], false), 0);
	assert_false(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(mvm_set_nonblock(-1, true), -1);
	assert_int_equal(mvm_socketpair(SOCK_DGRAM, fds), 0);
	assert_true(is_cloexec(fds[0]) && is_cloexec(fds[1]));
	close(fds[0]);
	close(fds[1]);
}

/* Descriptor passing */

static void make_pair(int fds[2])
{
	assert_int_equal(mvm_socketpair(SOCK_STREAM, fds), 0);
}

static void descriptors_arrive_in_order(void **state)
{
	int sockets[2], pipes[2][2], got[4] = {-1, -1, -1, -1};
	char text[16], byte;
	size_t count;

	make_pair(sockets);
	assert_int_equal(mvm_pipe(pipes[0]), 0);
	assert_int_equal(mvm_pipe(pipes[1]), 0);
	assert_int_equal(mvm_send_fds(sockets[0], "hello", 5, (int[]){pipes[0][0], pipes[1][0]}, 2), 5);
	assert_int_equal(mvm_recv_fds(sockets[1], text, sizeof(text), got, 4, &count), 5);
	assert_memory_equal(text, "hello", 5);
	assert_int_equal(count, 2);
	assert_true(is_cloexec(got[0]) && is_cloexec(got[1]));
	assert_int_equal(write(pipes[0][1], "a", 1), 1);
	assert_int_equal(write(pipes[1][1], "b", 1), 1);
	assert_int_equal(read(got[0], &byte, 1), 1);
	assert_int_equal(byte, 'a');
	assert_int_equal(read(got[1], &byte, 1), 1);
	assert_int_equal(byte, 'b');
	for (int i = 0; i < 2; i++) {
		close(sockets[i]);
		close(got[i]);
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
}

static size_t open_descriptors(void)
{
	size_t count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void send_copies(int socket, int fd, size_t count)
{
	int fds[8] = {fd, fd, fd, fd, fd, fd, fd, fd};

	assert_int_equal(mvm_send_fds(socket, "x", 1, fds, count), 1);
}

static void surplus_descriptors_are_closed(void **state)
{
	int sockets[2], got[8];
	size_t count, before;
	char byte;

	make_pair(sockets);
	before = open_descriptors();
	send_copies(sockets[0], STDIN_FILENO, 8);
	assert_int_equal(mvm_recv_fds(sockets[1], &byte, 1, got, 3, &count), 1);
	assert_int_equal(count, 3);
	assert_int_equal(open_descriptors(), before + 3);
	for (size_t i = 0; i < count; i++)
		close(got[i]);
	send_copies(sockets[0], STDIN_FILENO, 2);
	assert_int_equal(mvm_recv_fds(sockets[1], &byte, 1, NULL, 0, &count), 1);
	assert_int_equal(count, 0);
	assert_int_equal(open_descriptors(), before);
	errno = 0;
	assert_int_equal(mvm_send_fds(sockets[0], "x", 1, (int[9]){0}, 9), -1);
	assert_int_equal(errno, EINVAL);
	close(sockets[0]);
	assert_int_equal(mvm_recv_fds(sockets[1], &byte, 1, got, 8, &count), 0);
	assert_int_equal(count, 0);
	close(sockets[1]);
}

/* A peer that is not ours may send more than fits our control buffer. */
static void a_flood_of_descriptors_leaks_none(void **state)
{
	enum { MANY = 100 };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * MANY)];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)"x", .iov_len = 1};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control.space,
				 .msg_controllen = sizeof(control.space)};
	int sockets[2], got[8], zeros[MANY] = {0};
	size_t count, before;
	char byte;

	make_pair(sockets);
	before = open_descriptors();
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(zeros));
	memcpy(CMSG_DATA(&control.header), zeros, sizeof(zeros));
	assert_int_equal(sendmsg(sockets[0], &message, 0), 1);
	assert_int_equal(mvm_recv_fds(sockets[1], &byte, 1, got, 8, &count), 1);
	assert_int_equal(count, 8);
	for (size_t i = 0; i < count; i++)
		close(got[i]);
	assert_int_equal(open_descriptors(), before);
	close(sockets[0]);
	close(sockets[1]);
}

/* Files */

static void small_files_are_read_whole(void **state)
{
	char *path MVM_CLEAN_FREE = in_scratch(state, "small"), *data MVM_CLEAN_FREE = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	size_t length;

	write_text(path, "ten bytes!");
	assert_ok(mvm_read_file(path, 10, &data, &length, &err));
	assert_int_equal(length, 10);
	assert_string_equal(data, "ten bytes!");
	free(data);
	data = NULL;
	assert_error(mvm_read_file(path, 9, &data, &length, &err), MVM_ERR_INVALID, path);
	assert_null(data);
	write_text(path, "");
	assert_ok(mvm_read_file(path, 0, &data, NULL, &err));
	assert_string_equal(data, "");
	free(data);
	data = NULL;
	assert_error(mvm_read_file("/nowhere/at all", 9, &data, &length, &err), MVM_ERR_NOT_FOUND, "/nowhere/at all");
	assert_error(mvm_read_file(*state, 9, &data, &length, &err), MVM_ERR_IO, *state);
	/* It never ends, but the limit holds. */
	assert_error(mvm_read_file("/dev/zero", 100000, &data, &length, &err), MVM_ERR_INVALID, "/dev/zero");
}

static void replacing_sets_mode_and_content(void **state)
{
	char *folder MVM_CLEAN_FREE = in_scratch(state, "replace"), *path MVM_CLEAN_FREE = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *data MVM_CLEAN_FREE = NULL;
	mode_t mask = umask(077);
	struct stat st;

	assert_int_equal(mkdir(folder, 0700), 0);
	path = mvm_format("%s/file", folder);
	assert_ok(mvm_replace_file(path, "one", 3, 0640, &err));
	assert_ok(mvm_replace_file(path, "two and more", 12, 0644, &err));
	umask(mask);
	assert_ok(mvm_read_file(path, 100, &data, NULL, &err));
	assert_string_equal(data, "two and more");
	assert_int_equal(stat(path, &st), 0);
	/* Whatever the umask. */
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(count_entries(folder), 1);
}

/* A reader that looks at any moment sees one whole content or the other. */
static void replacing_is_atomic(void **state)
{
	enum { SIZE = 8192, ROUNDS = 20 };
	char *path MVM_CLEAN_FREE = in_scratch(state, "atomic");
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char content[SIZE];
	pid_t pid;
	int status;

	memset(content, 'a', SIZE);
	assert_ok(mvm_replace_file(path, content, SIZE, 0600, &err));
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < ROUNDS; i++) {
			memset(content, 'a' + i % 26, SIZE);
			if (mvm_replace_file(path, content, SIZE, 0600, NULL) < 0)
				_exit(1);
		}
		_exit(0);
	}
	do {
		char *data MVM_CLEAN_FREE = NULL;
		size_t length;

		assert_ok(mvm_read_file(path, SIZE, &data, &length, &err));
		assert_int_equal(length, SIZE);
		for (size_t i = 1; i < SIZE; i++)
			assert_int_equal(data[i], data[0]);
	} while (waitpid(pid, &status, WNOHANG) == 0);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_failed_replacement_leaves_the_old_and_no_rest(void **state)
{
	char *folder MVM_CLEAN_FREE = in_scratch(state, "taken"), *path MVM_CLEAN_FREE = NULL;
	char *inside MVM_CLEAN_FREE = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	path = mvm_format("%s/is-a-folder", folder);
	inside = mvm_format("%s/file", path);
	assert_ok(mvm_make_folders(path, &err));
	write_text(inside, "x");
	assert_error(mvm_replace_file(path, "y", 1, 0600, &err), MVM_ERR_IO, path);
	assert_int_equal(count_entries(folder), 1);
	assert_int_equal(access(inside, F_OK), 0);
	assert_error(mvm_replace_file("/nowhere/file", "y", 1, 0600, &err), MVM_ERR_NOT_FOUND, "/nowhere/file");
}

static void folders_are_made_with_their_parents(void **state)
{
	char *path MVM_CLEAN_FREE = in_scratch(state, "a//b/c/"), *first MVM_CLEAN_FREE = in_scratch(state, "a");
	char *under MVM_CLEAN_FREE = in_scratch(state, "plain/x");
	char *plain MVM_CLEAN_FREE = in_scratch(state, "plain");
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct stat st;

	assert_ok(mvm_make_folders(path, &err));
	assert_ok(mvm_make_folders(path, &err));
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(stat(first, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	write_text(plain, "a file");
	assert_error(mvm_make_folders(under, &err), MVM_ERR_IO, under);
	assert_error(mvm_make_folders("", &err), MVM_ERR_NOT_FOUND, "");
}

static void removing_does_not_follow_symlinks(void **state)
{
	char *tree MVM_CLEAN_FREE = in_scratch(state, "tree"), *deep MVM_CLEAN_FREE = NULL;
	char *outside MVM_CLEAN_FREE = in_scratch(state, "outside"), *precious MVM_CLEAN_FREE = NULL;
	char *to_folder MVM_CLEAN_FREE = NULL, *to_file MVM_CLEAN_FREE = NULL, *file MVM_CLEAN_FREE = NULL;
	char *large MVM_CLEAN_FREE = mvm_format("%s/1/2/3/large", tree);
	static char text[100001];
	uint64_t size;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	deep = mvm_format("%s/1/2/3", tree);
	precious = mvm_format("%s/precious", outside);
	to_folder = mvm_format("%s/1/link", tree);
	to_file = mvm_format("%s/1/file-link", tree);
	file = mvm_format("%s/1/2/file", tree);
	assert_ok(mvm_make_folders(deep, &err));
	assert_ok(mvm_make_folders(outside, &err));
	write_text(precious, "keep");
	write_text(file, "go");
	assert_int_equal(symlink(outside, to_folder), 0);
	assert_int_equal(symlink(precious, to_file), 0);
	/* What links lead to is not in it. */
	memset(text, 'x', sizeof(text) - 1);
	write_text(large, text);
	assert_true(mvm_tree_size(tree, &size));
	assert_in_range(size, sizeof(text) - 1, 4 * sizeof(text));
	assert_true(mvm_tree_size(outside, &size));
	assert_true(size < sizeof(text));
	assert_ok(mvm_remove_tree(tree, &err));
	assert_int_equal(access(tree, F_OK), -1);
	assert_true(mvm_tree_size(tree, &size));
	assert_int_equal(size, 0);
	assert_int_equal(access(precious, F_OK), 0);
	/* The path itself may be a link, a file, or nothing. */
	assert_int_equal(symlink(outside, tree), 0);
	assert_ok(mvm_remove_tree(tree, &err));
	assert_int_equal(access(precious, F_OK), 0);
	assert_ok(mvm_remove_tree(precious, &err));
	assert_ok(mvm_remove_tree(precious, &err));
	assert_int_equal(count_entries(outside), 0);
}

/* Garbage is collected by whichever commands come next, several at once. */
static void two_may_remove_the_same_tree(void **state)
{
	for (int round = 0; round < 200; round++) {
		char *tree MVM_CLEAN_FREE = in_scratch(state, "both");
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;
		int start[2];
		char byte;
		pid_t pid;

		for (int i = 0; i < 10; i++) {
			char *folder MVM_CLEAN_FREE = mvm_format("%s/%d/x/y", tree, i);

			assert_ok(mvm_make_folders(folder, &err));
		}
		assert_int_equal(mvm_pipe(start), 0);
		pid = fork();
		if (pid == 0)
			_exit(read(start[0], &byte, 1) == 1 && mvm_remove_tree(tree, NULL) == 0 ? 0 : 1);
		assert_int_equal(write(start[1], "x", 1), 1);
		assert_ok(mvm_remove_tree(tree, &err));
		assert_int_equal(wait_for_exit(pid), 0);
		assert_int_equal(access(tree, F_OK), -1);
		close(start[0]);
		close(start[1]);
	}
}

static void cloning_copies_or_says_that_it_cannot(void **state)
{
	char *from MVM_CLEAN_FREE = in_scratch(state, "clone-from"), *to MVM_CLEAN_FREE = in_scratch(state, "clone-to");
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *data MVM_CLEAN_FREE = NULL;
	int result;

	write_text(from, "content");
	result = mvm_clone_file(from, to, &err);
	assert_null(err);
	assert_in_range(result, 0, 1);
	if (result == 0) {
		assert_ok(mvm_read_file(to, 100, &data, NULL, &err));
		assert_string_equal(data, "content");
	} else {
		assert_int_equal(access(to, F_OK), -1);
		write_text(to, "x");
	}
	assert_error(mvm_clone_file(from, to, &err), MVM_ERR_EXISTS, to);
	assert_error(mvm_clone_file("/nowhere", to, &err), MVM_ERR_NOT_FOUND, "/nowhere");
}

/* Through the cache, past it, and through it again: one file. */
static void writes_past_the_cache_are_the_same(void **state)
{
	char *path MVM_CLEAN_FREE = in_scratch(state, "uncached"), *data MVM_CLEAN_FREE = NULL;
	static char block[4096] __attribute__((aligned(4096)));
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	int fd MVM_CLEAN_FD = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	size_t length;

	memset(block, 'a', sizeof(block));
	assert_int_equal(mvm_pwrite_full(fd, block, sizeof(block), 0), sizeof(block));
	if (mvm_set_uncached(fd, true) < 0) {
		assert_int_equal(errno, EINVAL);
		print_message("%s: only through the cache\n", path);
		skip();
	}
	memset(block, 'b', sizeof(block));
	assert_int_equal(mvm_pwrite_full(fd, block, sizeof(block), 4096), sizeof(block));
	assert_int_equal(mvm_set_uncached(fd, false), 0);
	assert_int_equal(mvm_pwrite_full(fd, "end", 3, 8192), 3);
	assert_ok(mvm_read_file(path, 10000, &data, &length, &err));
	assert_int_equal(length, 8195);
	assert_memory_equal(data + 4094, "aabb", 4);
	assert_string_equal(data + 8190, "bbend");
}

static void not_every_file_can_be_written_past_the_cache(void **state)
{
	int fd MVM_CLEAN_FD = open("/proc/self/comm", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		skip();
	assert_int_equal(mvm_set_uncached(fd, true), -1);
	assert_int_equal(errno, EINVAL);
}

static void writing_back_begins_now_and_then(void **state)
{
	char *path MVM_CLEAN_FREE = in_scratch(state, "written");
	int fd MVM_CLEAN_FD = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	uint64_t pending = 0;

	mvm_write_back(fd, 16 << 20, &pending);
	assert_int_equal(pending, 0);
	mvm_write_back(fd, (16 << 20) - 1, &pending);
	assert_int_equal(pending, (16 << 20) - 1);
	mvm_write_back(fd, 1, &pending);
	assert_int_equal(pending, 0);
}

static rlim_t files(void)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	return limit.rlim_cur;
}

static void the_file_limit_is_raised_as_far_as_it_may(void **state)
{
	struct rlimit before, few;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = (struct rlimit){.rlim_cur = 100, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	mvm_raise_file_limit(120);
	assert_int_equal(files(), 120);
	mvm_raise_file_limit(110);
	assert_int_equal(files(), 120);
	/* More than anybody may have: what the hard limit is, or what is always taken. */
	mvm_raise_file_limit(~0ul >> 1);
	assert_true(files() > 120);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reading_goes_on_over_short_reads),
		cmocka_unit_test(writing_goes_on_over_short_writes),
		cmocka_unit_test(signals_do_not_interrupt_reading),
		cmocka_unit_test(failures_keep_errno),
		cmocka_unit_test(writing_at_an_offset),
		cmocka_unit_test(pipes_and_pairs_do_not_leak_into_programs),
		cmocka_unit_test(descriptors_arrive_in_order),
		cmocka_unit_test(surplus_descriptors_are_closed),
		cmocka_unit_test(a_flood_of_descriptors_leaks_none),
		cmocka_unit_test(small_files_are_read_whole),
		cmocka_unit_test(replacing_sets_mode_and_content),
		cmocka_unit_test(replacing_is_atomic),
		cmocka_unit_test(a_failed_replacement_leaves_the_old_and_no_rest),
		cmocka_unit_test(folders_are_made_with_their_parents),
		cmocka_unit_test(removing_does_not_follow_symlinks),
		cmocka_unit_test(two_may_remove_the_same_tree),
		cmocka_unit_test(cloning_copies_or_says_that_it_cannot),
		cmocka_unit_test(writes_past_the_cache_are_the_same),
		cmocka_unit_test(not_every_file_can_be_written_past_the_cache),
		cmocka_unit_test(writing_back_begins_now_and_then),
		cmocka_unit_test(the_file_limit_is_raised_as_far_as_it_may),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
