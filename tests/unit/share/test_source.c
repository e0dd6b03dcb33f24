/* Where paths lead of which a guest may have made a part. */
#include "share/source.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "tests/unit/unit.h"

/* Below the test's folder; "w" is what the guest writes, "w2" too. */
static const char *const folders[] = {"w", "w/sub", "w/sub/deep", "w2", "secret", "secret/deep", "user"};
static const char *const files[] = {"w/file", "w/sub/file", "secret/file", "secret/deep/file"};
static const struct {
	const char *path, *target; /* "/..." is below the test's folder, too */
} links[] = {
	{"w/in", "sub"},	   {"w/in-file", "sub/file"},	   {"w/around", "../w/sub"},
	{"w/out", "../secret"},	   {"w/out-file", "/secret/file"}, {"w/up", ".."},
	{"w/self", "."},	   {"w/dangling", "../nothing"},   {"w/to-two", "../w2"},
	{"user/to-w", "../w"},	   {"user/to-out", "../w/out"},	   {"user/to-secret", "/secret"},
	{"w/chain", "chain2"},	   {"w/chain2", "/secret"},	   {"w/loop", "loop"},
	{"w/back", "../w2/back2"}, {"w2/back2", "../w/sub"},
};

static const struct {
	const char *path;
	int failure;
	const char *name;
} cases[] = {
	{"/w", 0, "."},
	{"/w/", 0, "."},
	{"/w/sub/deep", 0, "."},
	{"/w/file", 0, "file"},
	{"/w/in", 0, "."},
	{"/w/in/file", 0, "file"},
	{"/w/in-file", 0, "file"},
	{"/w/around", 0, "."},
	{"/w/self/sub/../file", 0, "file"},
	{"/secret/file", 0, "file"},
	{"/user/to-w/sub", 0, "."},
	{"/user/to-secret/file", 0, "file"},
	{"/w/..//w/./file", 0, "file"},
	{"/w/none", ENOENT, NULL},
	{"/w/file/x", ENOTDIR, NULL},
	{"/w/loop", ELOOP, NULL},
	{"/w/out", EXDEV, NULL},
	{"/w/out/deep", EXDEV, NULL},
	{"/w/out/none", EXDEV, NULL},
	{"/w/out-file", EXDEV, NULL},
	{"/w/up", EXDEV, NULL},
	{"/w/up/secret", EXDEV, NULL},
	{"/w/sub/../../secret/file", EXDEV, NULL},
	{"/w/dangling", EXDEV, NULL},
	{"/w/chain", EXDEV, NULL},
	{"/w/to-two", EXDEV, NULL},
	{"/w/back", EXDEV, NULL}, /* for a moment w2 had it */
	{"/user/to-out/file", EXDEV, NULL},
};

static void make_all(const char *base)
{
	for (size_t i = 0; i < MVM_COUNT(folders); i++) {
		char *path MVM_CLEAN_FREE = mvm_format("%s/%s", base, folders[i]);

		assert_int_equal(mkdir(path, 0755), 0);
	}
	for (size_t i = 0; i < MVM_COUNT(files); i++) {
		char *path MVM_CLEAN_FREE = mvm_format("%s/%s", base, files[i]);
		int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

		assert_true(fd >= 0);
		close(fd);
	}
	for (size_t i = 0; i < MVM_COUNT(links); i++) {
		const char *target = links[i].target;
		char *path MVM_CLEAN_FREE = mvm_format("%s/%s", base, links[i].path);
		char *whole MVM_CLEAN_FREE = mvm_format("%s%s", *target == '/' ? base : "", target);

		assert_int_equal(symlink(whole, path), 0);
	}
}

/* What is found is what the kernel finds. */
static void expect_found(const char *path, int folder, const char *name, const char *expected)
{
	struct stat found, there;

	assert_string_equal(name, expected);
	assert_int_equal(fstatat(folder, name, &found, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(stat(path, &there), 0);
	assert_true(found.st_dev == there.st_dev && found.st_ino == there.st_ino);
}

static void expect(const char *path, const struct mvm_share_roots *roots, int failure, const char *expected)
{
	int folder MVM_CLEAN_FD = -1;
	char *name MVM_CLEAN_FREE = NULL;
	int got = mvm_share_find(path, roots, &folder, &name) < 0 ? errno : 0;

	if (got != failure)
		print_error("%s: %s\n", path, strerror(got));
	assert_int_equal(got, failure);
	if (!failure)
		expect_found(path, folder, name, expected);
}

static void links_of_the_guest(void **state)
{
	char *w MVM_CLEAN_FREE = mvm_format("%s/w", (char *)*state), *w2 MVM_CLEAN_FREE = mvm_format("%s2", w);
	char *file MVM_CLEAN_FREE = mvm_format("%s/file", w), *none MVM_CLEAN_FREE = mvm_format("%s/none", w);
	char *out MVM_CLEAN_FREE = mvm_format("%s/out", w);
	struct mvm_share_roots roots MVM_CLEAN_SHARE_ROOTS = {0}, nothing = {0};
	struct mvm_error *err = NULL;

	make_all(*state);
	mvm_share_roots_add(&roots, w);
	mvm_share_roots_add(&roots, w2);
	mvm_share_roots_add(&roots, file);
	mvm_share_roots_add(&roots, none);
	assert_int_equal(roots.count, 2);
	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		char *path MVM_CLEAN_FREE = mvm_format("%s%s", (char *)*state, cases[i].path);

		expect(path, &roots, cases[i].failure, cases[i].name);
	}
	expect(out, &nothing, 0, ".");
	expect("/", &roots, 0, ".");
	assert_ok(mvm_share_check_path(file, &roots, &err));
	assert_ok(mvm_share_check_path(none, &roots, &err));
	assert_error(mvm_share_check_path(out, &roots, &err), MVM_ERR_INVALID, "leads out of a shared folder");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(links_of_the_guest, scratch_setup, scratch_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
