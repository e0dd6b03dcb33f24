/* What can be shared, and the numbers of shares. */
#include "share/share.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "tests/unit/unit.h"

static char *below(const char *folder, const char *name)
{
	return mvm_format("%s/%s", folder, name);
}

static void make_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd MVM_CLEAN_FD = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_true(strlen(path) < sizeof(address.sun_path));
	memcpy(address.sun_path, path, strlen(path) + 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void kinds(void **state)
{
	char *home MVM_CLEAN_FREE = below(*state, "home"), *inside MVM_CLEAN_FREE = below(*state, "home/disks");
	char *file MVM_CLEAN_FREE = below(*state, "file"), *link MVM_CLEAN_FREE = below(*state, "link");
	char *fifo MVM_CLEAN_FREE = below(*state, "fifo"), *loop MVM_CLEAN_FREE = below(*state, "loop");
	char *socket_path MVM_CLEAN_FREE = below(*state, "socket"), *none MVM_CLEAN_FREE = below(*state, "none");
	char *sockets MVM_CLEAN_FREE = below(*state, "sockets"), *runtime MVM_CLEAN_FREE = below(*state, "sockets/one");
	char *control MVM_CLEAN_FREE = below(*state, "sockets/other-control");
	struct mvm_error *err = NULL;
	enum mvm_share_kind kind;

	assert_int_equal(mkdir(home, 0755), 0);
	assert_int_equal(mkdir(inside, 0755), 0);
	close(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	assert_int_equal(symlink("file", link), 0);
	assert_int_equal(symlink("loop", loop), 0);
	assert_int_equal(mkfifo(fifo, 0644), 0);
	assert_int_equal(mkdir(sockets, 0700), 0);
	assert_int_equal(mkdir(runtime, 0700), 0);
	make_socket(socket_path);
	make_socket(control);
	assert_ok(mvm_share_classify(*state, home, runtime, &kind, &err));
	assert_int_equal(kind, MVM_SHARE_FOLDER);
	assert_ok(mvm_share_classify(link, home, runtime, &kind, &err));
	assert_int_equal(kind, MVM_SHARE_FILE);
	assert_ok(mvm_share_classify(socket_path, home, runtime, &kind, &err));
	assert_int_equal(kind, MVM_SHARE_SOCKET);
	assert_error(mvm_share_classify(fifo, home, runtime, &kind, &err), MVM_ERR_INVALID, "is a FIFO");
	assert_error(mvm_share_classify("/dev/null", home, runtime, &kind, &err), MVM_ERR_INVALID, "is a device");
	assert_error(mvm_share_classify(none, home, runtime, &kind, &err), MVM_ERR_NOT_FOUND,
		     "bind source path does not exist");
	assert_error(mvm_share_classify(loop, home, runtime, &kind, &err), MVM_ERR_IO, "symbolic links");
	assert_error(mvm_share_classify(home, home, runtime, &kind, &err), MVM_ERR_INVALID, "mvm's own folder");
	assert_error(mvm_share_classify(sockets, home, runtime, &kind, &err), MVM_ERR_INVALID, "mvm's own folder");
	assert_error(mvm_share_classify(control, home, runtime, &kind, &err), MVM_ERR_INVALID, "mvm's own folder");
	assert_error(mvm_share_classify(inside, home, runtime, &kind, &err), MVM_ERR_INVALID, "mvm's own folder");
}

static void folders_are_made(void **state)
{
	char *deep MVM_CLEAN_FREE = below(*state, "a/b/c"), *parent MVM_CLEAN_FREE = below(*state, "a");
	char *blocked MVM_CLEAN_FREE = below(*state, "plain/x"), *plain MVM_CLEAN_FREE = below(*state, "plain");
	struct mvm_error *err = NULL;
	struct stat status;

	umask(077);
	assert_ok(mvm_share_make_folder(deep, &err));
	assert_int_equal(stat(deep, &status), 0);
	assert_int_equal(status.st_mode, S_IFDIR | 0755);
	assert_int_equal(stat(parent, &status), 0);
	assert_int_equal(status.st_mode, S_IFDIR | 0755);
	assert_ok(mvm_share_make_folder(deep, &err));
	close(open(plain, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	assert_ok(mvm_share_make_folder(plain, &err));
	assert_error(mvm_share_make_folder(blocked, &err), MVM_ERR_IO, "cannot make the folder");
	assert_int_equal(umask(022), 077);
}

static void numbers(void **state)
{
	struct mvm_shares shares = {0};

	assert_int_equal(mvm_shares_add(&shares, "/a", MVM_SHARE_FOLDER, false), 0);
	assert_int_equal(mvm_shares_add(&shares, "/a", MVM_SHARE_FOLDER, true), 1);
	assert_int_equal(mvm_shares_add(&shares, "/b", MVM_SHARE_FILE, false), 2);
	assert_int_equal(mvm_shares_add(&shares, "/a", MVM_SHARE_FOLDER, false), 0);
	assert_int_equal(shares.count, 3);
	mvm_shares_finish(&shares);
	assert_int_equal(shares.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(kinds, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(folders_are_made, scratch_setup, scratch_teardown),
		cmocka_unit_test(numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
