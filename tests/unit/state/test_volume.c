/* Volumes on disk: whole or not there, and never gone while a container mounts them. */
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "runtime/base/io.h"
#include "runtime/state/volume.h"

static int fill(const struct mvm_volume *volume, const char *folder, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/content", folder);

	return mvm_replace_file(path, "x", 1, 0600, err);
}

static int fill_half(const struct mvm_volume *volume, const char *folder, struct mvm_error **err)
{
	fill(volume, folder, NULL);
	return mvm_fail_errno(err, ENOSPC, "%s", folder);
}

static int make(struct world *world, const char *name,
		int (*how)(const struct mvm_volume *, const char *, struct mvm_error **), struct mvm_error **err)
{
	struct mvm_volume *volume MVM_CLEAN_VOLUME = mvm_alloc(sizeof(*volume));
	int all MVM_CLEAN_FD = -1;

	volume->name = mvm_strdup(name);
	volume->driver = mvm_strdup(MVM_VOLUME_DISK);
	mvm_strv_add(&volume->labels, name ? "team=a" : MVM_VOLUME_ANONYMOUS "=");
	mvm_strv_add(&volume->options, "size=1g");
	assert_int_equal(mvm_volume_lock_all(world->state, 0, &all, err), 0);
	return mvm_volume_create(world->state, volume, how, err);
}

static size_t count(struct world *world)
{
	struct mvm_volume **list;
	struct mvm_error *err = NULL;
	size_t n;

	assert_ok(mvm_volume_list(world->state, &list, &n, &err));
	mvm_volume_list_free(list, n);
	return n;
}

static void what_was_made_is_read_back(void **state)
{
	struct world *world = *state;
	struct mvm_volume *volume MVM_CLEAN_VOLUME = NULL, **list;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *content MVM_CLEAN_FREE = mvm_volume_path(world->state, "data", "content");
	size_t n;

	assert_int_equal(count(world), 0);
	assert_error(mvm_volume_load(world->state, "data", &volume, &err), MVM_ERR_NOT_FOUND,
		     "get data: no such volume");
	assert_ok(make(world, "data", fill, &err));
	assert_ok(make(world, "alpha", fill, &err));
	assert_ok(mvm_volume_load(world->state, "data", &volume, &err));
	assert_string_equal(volume->driver, "disk");
	assert_string_equal(volume->labels.items[0], "team=a");
	assert_string_equal(volume->options.items[0], "size=1g");
	assert_true(volume->created.tv_sec > 0);
	assert_false(mvm_volume_is_anonymous(volume));
	assert_int_equal(access(content, F_OK), 0);
	assert_ok(mvm_volume_list(world->state, &list, &n, &err));
	assert_int_equal(n, 2);
	assert_string_equal(list[0]->name, "alpha");
	mvm_volume_list_free(list, n);
	assert_error(make(world, "data", fill, &err), MVM_ERR_EXISTS, "volume name must be unique");
}

static void one_without_a_name_gets_one(void **state)
{
	struct world *world = *state;
	struct mvm_volume **list;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	size_t n;

	assert_ok(make(world, NULL, fill, &err));
	assert_ok(mvm_volume_list(world->state, &list, &n, &err));
	assert_int_equal(n, 1);
	assert_int_equal(strlen(list[0]->name), 64);
	assert_true(mvm_volume_is_anonymous(list[0]));
	mvm_volume_list_free(list, n);
}

static void names_are_dockers(void **state)
{
	static const char *const bad[] = {"a", "", "-a", ".a", "a/b", "..", "a b", "\xc3\xa4\xc3\xa4"};
	struct world *world = *state;
	struct mvm_volume *volume MVM_CLEAN_VOLUME = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char longest[203];

	for (size_t i = 0; i < MVM_COUNT(bad); i++) {
		assert_error(mvm_volume_check_name(bad[i], &err), MVM_ERR_USAGE, "create ");
		assert_error(mvm_volume_load(world->state, bad[i], &volume, &err), MVM_ERR_NOT_FOUND, "no such volume");
	}
	memset(longest, 'a', sizeof(longest));
	longest[201] = '\0';
	assert_error(mvm_volume_check_name(longest, &err), MVM_ERR_USAGE, "at most 200");
	longest[200] = '\0';
	assert_ok(mvm_volume_check_name(longest, &err));
	assert_ok(mvm_volume_check_name("aB_.-9", &err));
}

static void one_that_could_not_be_filled_is_not_there(void **state)
{
	struct world *world = *state;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *left MVM_CLEAN_FREE = mvm_volume_path(world->state, ".new-data", "content");

	assert_error(make(world, "data", fill_half, &err), MVM_ERR_NO_SPACE, "data");
	assert_int_equal(access(left, F_OK), -1);
	assert_int_equal(count(world), 0);
}

/* Adds a container that mounts it. */
static char *add_user(struct world *world, const char *volume, bool anonymous, bool auto_remove)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = world_new(NULL);
	char *folder MVM_CLEAN_FREE = NULL;
	struct mvm_error *err = NULL;
	int lock MVM_CLEAN_FD = -1;

	free(container->config.name);
	container->config.name = NULL;
	container->config.auto_remove = auto_remove;
	mvm_strv_add(&container->config.volume_names, volume);
	if (anonymous)
		mvm_strv_add(&container->config.anonymous_volumes, volume);
	assert_ok(mvm_state_create(world->state, &container->config, &folder, &lock, &err));
	assert_ok(mvm_state_commit(world->state, &container->config, &err));
	return mvm_strdup(container->config.id);
}

static void one_that_is_mounted_stays(void **state)
{
	struct world *world = *state;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *id MVM_CLEAN_FREE = NULL;
	int all MVM_CLEAN_FD = -1, lock MVM_CLEAN_FD = -1;

	assert_ok(make(world, "data", fill, &err));
	id = add_user(world, "data", false, false);
	assert_ok(mvm_volume_lock_all(world->state, 0, &all, &err));
	assert_error(mvm_volume_remove(world->state, "data", &err), MVM_ERR_CONFLICT, id);
	assert_ok(mvm_state_remove(world->state, id, &err));
	/* A VM that is about to end may still write. */
	assert_int_equal(mvm_volume_lock(world->state, "data", MVM_LOCK_TRY, &lock, &err), 0);
	assert_error(mvm_volume_remove(world->state, "data", &err), MVM_ERR_CONFLICT, "about to end");
	mvm_close(&lock);
	assert_ok(mvm_volume_remove(world->state, "data", &err));
	assert_error(mvm_volume_remove(world->state, "data", &err), MVM_ERR_NOT_FOUND, "get data: no such volume");
}

static void anonymous_ones_go_with_their_container_unless_another_has_them(void **state)
{
	struct world *world = *state;
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *first MVM_CLEAN_FREE = NULL, *second MVM_CLEAN_FREE = NULL;

	assert_ok(make(world, "aa", fill, &err));
	assert_ok(make(world, "bb", fill, &err));
	first = add_user(world, "aa", true, false);
	second = add_user(world, "aa", true, false);
	assert_ok(mvm_state_load(world->state, first, &container, &err));
	assert_ok(mvm_state_remove(world->state, first, &err));
	mvm_volume_remove_anonymous(world->state, &container->config, 0);
	assert_int_equal(count(world), 2);
	assert_ok(mvm_state_remove(world->state, second, &err));
	mvm_volume_remove_anonymous(world->state, &container->config, 0);
	assert_int_equal(count(world), 1);
}

/* --rm, and its supervisor was killed. */
static void a_crash_takes_them_with_it(void **state)
{
	struct world *world = *state;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *id MVM_CLEAN_FREE = NULL;

	assert_ok(make(world, "aa", fill, &err));
	id = add_user(world, "aa", true, true);
	world_set_status(world, id, MVM_STATUS_RUNNING);
	assert_int_equal(world_count(world), 0);
	assert_int_equal(count(world), 0);
}

static void what_killed_commands_have_left_is_collected(void **state)
{
	static const char *const left[] = {".new-data", ".gone-other"};
	struct world *world = *state;
	struct mvm_state *again = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	assert_ok(make(world, "real", fill, &err));
	for (size_t i = 0; i < MVM_COUNT(left); i++) {
		char *folder MVM_CLEAN_FREE = mvm_format("%s/volumes/%s", world->folder, left[i]);
		char *content MVM_CLEAN_FREE = mvm_format("%s/disk.ext4", folder);

		assert_int_equal(mkdir(folder, 0700), 0);
		assert_ok(mvm_replace_file(content, "x", 1, 0600, &err));
	}
	assert_int_equal(count(world), 1);
	assert_ok(mvm_state_open(world->folder, &again, &err));
	mvm_state_close(again);
	for (size_t i = 0; i < MVM_COUNT(left); i++) {
		char *folder MVM_CLEAN_FREE = mvm_format("%s/volumes/%s", world->folder, left[i]);

		assert_int_equal(access(folder, F_OK), -1);
	}
	assert_int_equal(count(world), 1);
}

static void damaged_files_are_named(void **state)
{
	static const char *const texts[] = {"", "{", "[]",
					    "{\"Name\":\"data\",\"Driver\":\"nfs\",\"CreatedAt\":"
					    "\"2026-11-21T06:18:03.123456789Z\"}",
					    "{\"Name\":\"data\",\"Driver\":7}"};
	struct world *world = *state;
	struct mvm_volume *volume = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *path MVM_CLEAN_FREE = mvm_volume_path(world->state, "data", "config.json");

	assert_ok(make(world, "data", fill, &err));
	for (size_t i = 0; i < MVM_COUNT(texts); i++) {
		assert_ok(mvm_replace_file(path, texts[i], strlen(texts[i]), 0600, &err));
		assert_true(mvm_volume_load(world->state, "data", &volume, &err) < 0);
		assert_non_null(strstr(mvm_error_message(err), "config.json"));
		mvm_error_clear(&err);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(what_was_made_is_read_back),
		WORLD_TEST(one_without_a_name_gets_one),
		WORLD_TEST(names_are_dockers),
		WORLD_TEST(one_that_could_not_be_filled_is_not_there),
		WORLD_TEST(one_that_is_mounted_stays),
		WORLD_TEST(anonymous_ones_go_with_their_container_unless_another_has_them),
		WORLD_TEST(a_crash_takes_them_with_it),
		WORLD_TEST(what_killed_commands_have_left_is_collected),
		WORLD_TEST(damaged_files_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
