/* Sockets of the host: what --publish-socket means, and when a path may be taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"
#include "runtime/state/host_socket.h"

static char folder[] = "/tmp/mvm-test-XXXXXX";
static char *path;

static int set_up(void **state)
{
	if (!mkdtemp(folder) || chdir(folder) < 0)
		return -1;
	path = mvm_format("%s/s", folder);
	return 0;
}

static int tear_down(void **state)
{
	free(path);
	return mvm_remove_tree(folder, NULL);
}

static void expect(const char *text, const char *kept)
{
	struct mvm_strv list MVM_CLEAN_STRV = {0};

	assert_int_equal(mvm_host_socket_parse(text, &list, NULL), 0);
	assert_int_equal(list.count, 1);
	assert_string_equal(list.items[0], kept);
}

static void paths_are_made_absolute(void **state)
{
	char *here MVM_CLEAN_FREE = mvm_format("%s/a/b.sock:/guest", folder);
	size_t length;

	expect("/host.sock:/guest.sock", "/host.sock:/guest.sock");
	expect("/with:colon:/guest", "/with:colon:/guest");
	expect("a/b.sock:/guest", here);
	assert_string_equal(mvm_host_socket_split("/with:colon:/guest", &length), "/guest");
	assert_int_equal(length, strlen("/with:colon"));
}

static void what_is_no_pair_of_paths_is_refused(void **state)
{
	static const char *const bad[] = {
		"", ":", "a", "/a", ":/a", "/a:", "/a:b", "/a:b/c", "/a/:/b", "/a:/b/", "/a:/"};
	char *longest MVM_CLEAN_FREE = mvm_format("/%0*d:/x", MVM_HOST_SOCKET_PATH_MAX - 1, 0);
	char *longer MVM_CLEAN_FREE = mvm_format("/%0*d:/x", MVM_HOST_SOCKET_PATH_MAX, 0);
	struct mvm_strv list MVM_CLEAN_STRV = {0};

	for (size_t i = 0; i < MVM_COUNT(bad); i++) {
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;

		assert_int_equal(mvm_host_socket_parse(bad[i], &list, &err), -1);
		assert_int_equal(mvm_error_code(err), MVM_ERR_USAGE);
	}
	assert_int_equal(mvm_host_socket_parse(longer, &list, NULL), -1);
	assert_int_equal(list.count, 0);
	assert_int_equal(mvm_host_socket_parse(longest, &list, NULL), 0);
}

static void expect_taken(const char *where, enum mvm_error_code code, const char *words)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	int fd = -1;

	assert_int_equal(mvm_host_socket_listen(where, &fd, &err), -1);
	assert_int_equal(mvm_error_code(err), code);
	assert_non_null(strstr(mvm_error_message(err), words));
	assert_int_equal(fd, -1);
}

static void it_is_for_its_user_and_nobody_else_takes_it(void **state)
{
	int fd = -1, peer, accepted;
	struct stat status;

	assert_int_equal(mvm_host_socket_listen(path, &fd, NULL), 0);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	expect_taken(path, MVM_ERR_CONFLICT, "another program listens there");
	mvm_host_socket_clear(path);
	/* Who looked was no connection. */
	assert_int_equal(accept(fd, NULL, NULL), -1);
	assert_int_equal(errno, EAGAIN);
	peer = mvm_host_socket_connect(AT_FDCWD, path);
	assert_true(peer >= 0);
	accepted = accept(fd, NULL, NULL);
	assert_true(accepted >= 0);
	close(accepted);
	close(peer);
	close(fd);
	/* What nobody listens at any more is replaced. */
	assert_int_equal(mvm_host_socket_listen(path, &fd, NULL), 0);
	close(fd);
	assert_int_equal(mvm_host_socket_connect(AT_FDCWD, path), -1);
	assert_int_equal(errno, ECONNREFUSED);
	mvm_host_socket_clear(path);
	assert_int_equal(access(path, F_OK), -1);
}

static void what_is_no_socket_stays(void **state)
{
	char *nowhere MVM_CLEAN_FREE = mvm_format("%s/none/s", folder);

	assert_int_equal(symlink("/nothing", path), 0);
	assert_int_equal(mvm_host_socket_connect(AT_FDCWD, path), -1);
	assert_int_equal(errno, ECONNREFUSED);
	expect_taken(path, MVM_ERR_CONFLICT, "there is a file already");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	expect_taken(path, MVM_ERR_CONFLICT, "there is a file already");
	mvm_host_socket_clear(path);
	assert_int_equal(rmdir(path), 0);
	expect_taken(nowhere, MVM_ERR_NOT_FOUND, "there is no folder");
}

static void a_full_backlog_is_told(void **state)
{
	int fd = -1, peer = 0, last = -1;

	assert_int_equal(mvm_host_socket_listen(path, &fd, NULL), 0);
	assert_int_equal(listen(fd, 0), 0);
	for (int i = 0; i < 3 && peer >= 0; i++) {
		peer = mvm_host_socket_connect(AT_FDCWD, path);
		if (peer >= 0 && last >= 0)
			close(last);
		if (peer >= 0)
			last = peer;
	}
	assert_int_equal(peer, -1);
	assert_int_equal(errno, EAGAIN);
	close(last);
	close(fd);
	mvm_host_socket_clear(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_made_absolute),
		cmocka_unit_test(what_is_no_pair_of_paths_is_refused),
		cmocka_unit_test(it_is_for_its_user_and_nobody_else_takes_it),
		cmocka_unit_test(what_is_no_socket_stays),
		cmocka_unit_test(a_full_backlog_is_told),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
