/* Files that are made in a folder of a container's disk, as the agent makes them, and where links lead there. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest-agent/failure.h"
#include "guest-agent/follow.h"
#include "guest-agent/unpack.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"

struct world {
	char top[64]; /* of the disk's root and what is beside it */
	int root;
	struct failure failure;
	struct unpack *unpack;
};

static int setup(void **state)
{
	struct world *world = mvm_alloc(sizeof(*world));
	char *path MVM_CLEAN_FREE = NULL;

	strcpy(world->top, "/tmp/mvm-unpack-XXXXXX");
	assert_non_null(mkdtemp(world->top));
	path = mvm_format("%s/root", world->top);
	assert_int_equal(mkdir(path, 0755), 0);
	world->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	*state = world;
	umask(0);
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	if (world->unpack)
		unpack_free(world->unpack);
	close(world->root);
	mvm_remove_tree(world->top, NULL);
	free(world);
	return 0;
}

static void begin(struct world *world, const char *path)
{
	world->unpack = unpack_begin(world->root, path, NULL, &world->failure);
	assert_non_null(world->unpack);
}

static int put(struct world *world, const struct mvm_stream_entry *given)
{
	struct mvm_stream_entry entry = *given;

	if (!entry.mode)
		entry.mode = entry.type == MVM_STREAM_FOLDER ? 0755 : 0644;
	entry.uid = getuid();
	entry.gid = getgid();
	return unpack_ops.entry(world->unpack, &entry) || unpack_ops.end(world->unpack) ? -1 : 0;
}

static int put_folder(struct world *world, const char *name)
{
	return put(world, &(struct mvm_stream_entry){.type = MVM_STREAM_FOLDER, .name = name, .mtime = 77});
}

static int put_link(struct world *world, enum mvm_stream_type type, const char *name, const char *target)
{
	return put(world, &(struct mvm_stream_entry){.type = type, .name = name, .target = target, .mtime = 5});
}

static int put_file(struct world *world, const char *name, const char *text)
{
	struct mvm_stream_entry entry = {.type = MVM_STREAM_FILE,
					 .name = name,
					 .mode = 0640,
					 .uid = getuid(),
					 .gid = getgid(),
					 .mtime = 1234567890,
					 .mtime_nsec = 5,
					 .size = strlen(text)};

	if (unpack_ops.entry(world->unpack, &entry) || (*text && unpack_ops.data(world->unpack, 0, text, strlen(text))))
		return -1;
	return unpack_ops.end(world->unpack);
}

/* What is at a path beside or below the root. */
static struct stat look(struct world *world, const char *path)
{
	char *whole MVM_CLEAN_FREE = mvm_format("%s/%s", world->top, path);
	struct stat stat;

	assert_int_equal(lstat(whole, &stat), 0);
	return stat;
}

static bool is_there(struct world *world, const char *path)
{
	char *whole MVM_CLEAN_FREE = mvm_format("%s/%s", world->top, path);
	struct stat stat;

	return lstat(whole, &stat) == 0;
}

static void expect_file(struct world *world, const char *path, const char *text)
{
	char *whole MVM_CLEAN_FREE = mvm_format("%s/%s", world->top, path);
	char *data MVM_CLEAN_FREE = NULL;
	struct mvm_error *err = NULL;
	size_t length;

	assert_ok(mvm_read_file(whole, 1000, &data, &length, &err));
	assert_string_equal(data, text);
}

static void make_link(struct world *world, const char *target, const char *path)
{
	char *whole MVM_CLEAN_FREE = mvm_format("%s/%s", world->top, path);

	assert_int_equal(symlink(target, whole), 0);
}

static void make_folder(struct world *world, const char *path)
{
	char *whole MVM_CLEAN_FREE = mvm_format("%s/%s", world->top, path);

	assert_int_equal(mkdir(whole, 0755), 0);
}

static void entries_are_as_they_say(void **state)
{
	struct world *world = *state;
	struct stat file, hard, folder;

	begin(world, "/");
	assert_int_equal(put_folder(world, "d/"), 0);
	assert_int_equal(put_file(world, "d/file", "text"), 0);
	assert_int_equal(put_link(world, MVM_STREAM_HARDLINK, "d/hard", "d/file"), 0);
	assert_int_equal(put_link(world, MVM_STREAM_SYMLINK, "d/soft", "../nowhere"), 0);
	assert_int_equal(
		put(world, &(struct mvm_stream_entry){.type = MVM_STREAM_FIFO, .name = "d/fifo", .mode = 02600}), 0);
	assert_int_equal(unpack_end(world->unpack), 0);
	file = look(world, "root/d/file");
	hard = look(world, "root/d/hard");
	folder = look(world, "root/d");
	expect_file(world, "root/d/file", "text");
	assert_int_equal(file.st_mode, S_IFREG | 0640);
	assert_true(file.st_mtim.tv_sec == 1234567890 && file.st_mtim.tv_nsec == 5);
	assert_true(file.st_ino == hard.st_ino && file.st_nlink == 2);
	assert_true(S_ISLNK(look(world, "root/d/soft").st_mode) && look(world, "root/d/soft").st_mtim.tv_sec == 5);
	assert_int_equal(look(world, "root/d/fifo").st_mode, S_IFIFO | 02600);
	assert_true(folder.st_mode == (S_IFDIR | 0755) && folder.st_mtim.tv_sec == 77);
}

static void holes_stay_holes(void **state)
{
	struct world *world = *state;
	struct mvm_stream_entry entry = {.type = MVM_STREAM_FILE,
					 .name = "sparse",
					 .mode = 0600,
					 .uid = getuid(),
					 .gid = getgid(),
					 .size = 1 << 30};
	struct stat stat;

	begin(world, "/");
	assert_int_equal(unpack_ops.entry(world->unpack, &entry), 0);
	assert_int_equal(unpack_ops.data(world->unpack, 1 << 20, "x", 1), 0);
	assert_int_equal(unpack_ops.end(world->unpack), 0);
	stat = look(world, "root/sparse");
	assert_int_equal(stat.st_size, 1 << 30);
	assert_true(stat.st_blocks < 1000);
}

static void parents_are_made(void **state)
{
	struct world *world = *state;

	make_folder(world, "root/base");
	begin(world, "/base/");
	assert_int_equal(put_file(world, "./a/b/c", "deep"), 0);
	expect_file(world, "root/base/a/b/c", "deep");
	assert_int_equal(look(world, "root/base/a/b").st_mode, S_IFDIR | 0755);
}

static void what_is_in_the_way_goes(void **state)
{
	struct world *world = *state;

	begin(world, "/");
	make_link(world, "../beside", "root/l");
	assert_int_equal(put_file(world, "l", "one"), 0);
	assert_int_equal(put_file(world, "l", "two"), 0);
	expect_file(world, "root/l", "two");
	assert_true(S_ISREG(look(world, "root/l").st_mode));
	assert_false(is_there(world, "beside"));
	assert_int_equal(put_link(world, MVM_STREAM_SYMLINK, "l", "x"), 0);
	assert_true(S_ISLNK(look(world, "root/l").st_mode));
}

static void folders_and_others_do_not_replace_each_other(void **state)
{
	struct world *world = *state;

	begin(world, "/");
	assert_int_equal(put_folder(world, "d"), 0);
	assert_int_equal(put_folder(world, "d"), 0);
	assert_int_equal(put_file(world, "f", ""), 0);
	assert_int_equal(put_file(world, "d", ""), -1);
	assert_string_equal(world->failure.message, "cannot overwrite directory \"d\" with non-directory \"/\"");
	assert_int_equal(world->failure.code, MVM_PROTO_NOT_POSSIBLE);
	assert_int_equal(put_folder(world, "f"), -1);
	assert_string_equal(world->failure.message, "cannot overwrite non-directory \"f\" with directory \"/\"");
}

static void nothing_leads_out(void **state)
{
	static const char *const names[] = {"../x", "a/../../x", "/.."};
	struct world *world = *state;

	begin(world, "/");
	for (size_t i = 0; i < MVM_COUNT(names); i++) {
		assert_int_equal(put_file(world, names[i], "bad"), -1);
		assert_int_equal(world->failure.code, MVM_PROTO_NOT_POSSIBLE);
	}
	/* The links of the archive itself lead where they would in the container. */
	assert_int_equal(put_link(world, MVM_STREAM_SYMLINK, "up", "../../../.."), 0);
	assert_int_equal(put_link(world, MVM_STREAM_SYMLINK, "abs", "/"), 0);
	assert_int_equal(put_file(world, "up/one", "1"), 0);
	assert_int_equal(put_file(world, "abs/two", "2"), 0);
	expect_file(world, "root/one", "1");
	expect_file(world, "root/two", "2");
	assert_int_equal(put_link(world, MVM_STREAM_HARDLINK, "h", "../beside"), -1);
	assert_false(is_there(world, "one"));
}

static void links_of_the_disk_are_followed_on_the_way(void **state)
{
	struct world *world = *state;

	make_folder(world, "root/base");
	make_folder(world, "root/real");
	make_link(world, "/real", "root/base/l");
	make_link(world, "/base", "root/to-base");
	begin(world, "/to-base");
	assert_int_equal(put_file(world, "l/f", "text"), 0);
	expect_file(world, "root/real/f", "text");
}

static void it_must_be_a_folder(void **state)
{
	struct world *world = *state;

	begin(world, "/");
	assert_int_equal(put_file(world, "f", ""), 0);
	assert_null(unpack_begin(world->root, "/f", NULL, &world->failure));
	assert_int_equal(world->failure.code, MVM_PROTO_NOT_POSSIBLE);
	assert_string_equal(world->failure.message, "extraction point is not a directory");
	assert_null(unpack_begin(world->root, "/none", NULL, &world->failure));
	assert_int_equal(world->failure.code, MVM_PROTO_NO_FILE);
}

static void where_links_lead(void **state)
{
	static const struct {
		const char *path, *target;
	} cases[] = {
		{"/l", "/d"},	       {"/d/up", "/"},		{"/abs", "/d"},
		{"/chain", "/d"},      {"/broken", "/none"},	{"/d/broken", "/d/n"},
		{"/out", "/"},	       {"/to-broken", "/none"}, {"/deep-broken", "/no/where"},
		{"/l/broken", "/d/n"},
	};
	struct world *world = *state;
	char target[PATH_MAX];

	make_folder(world, "root/d");
	make_link(world, "d", "root/l");
	make_link(world, "..", "root/d/up");
	make_link(world, "/d", "root/abs");
	make_link(world, "l", "root/chain");
	make_link(world, "none", "root/broken");
	make_link(world, "n", "root/d/broken");
	make_link(world, "../..", "root/out");
	make_link(world, "broken", "root/to-broken");
	make_link(world, "no/where", "root/deep-broken");
	make_link(world, "loop", "root/loop");
	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		assert_int_equal(follow_link(world->root, cases[i].path, target), 0);
		assert_string_equal(target, cases[i].target);
	}
	assert_int_equal(follow_link(world->root, "/loop", target), -1);
}

#define UNPACK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNPACK_TEST(entries_are_as_they_say),
		UNPACK_TEST(holes_stay_holes),
		UNPACK_TEST(parents_are_made),
		UNPACK_TEST(what_is_in_the_way_goes),
		UNPACK_TEST(folders_and_others_do_not_replace_each_other),
		UNPACK_TEST(nothing_leads_out),
		UNPACK_TEST(links_of_the_disk_are_followed_on_the_way),
		UNPACK_TEST(it_must_be_a_folder),
		UNPACK_TEST(where_links_lead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
