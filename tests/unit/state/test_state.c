/* Containers on disk: made, named, found, removed. */
#include "world.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "runtime/base/json.h"

static void created_is_invisible_until_committed(void **state)
{
	struct world *world = *state;
	struct mvm_container *made MVM_CLEAN_CONTAINER = world_new("web"), *found MVM_CLEAN_CONTAINER = NULL;
	char *folder MVM_CLEAN_FREE = NULL, *final MVM_CLEAN_FREE = NULL, *disk MVM_CLEAN_FREE = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	int lock MVM_CLEAN_FD = -1;
	struct stat st;

	assert_ok(mvm_state_create(world->state, &made->config, &folder, &lock, &err));
	assert_int_equal(strlen(made->config.id), MVM_ID_LENGTH);
	assert_int_equal(strspn(made->config.id, "0123456789abcdef"), MVM_ID_LENGTH);
	assert_int_equal(stat(folder, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_true(fcntl(lock, F_GETFD) & FD_CLOEXEC);
	disk = mvm_format("%s/root.qcow2", folder);
	assert_ok(mvm_replace_file(disk, "disk", 4, 0600, &err));
	assert_int_equal(world_count(world), 0);
	assert_error(mvm_state_find(world->state, "web", &found, &err), MVM_ERR_NOT_FOUND, "No such container: web");

	assert_ok(mvm_state_commit(world->state, &made->config, &err));
	assert_int_equal(world_count(world), 1);
	assert_ok(mvm_state_find(world->state, "web", &found, &err));
	assert_int_equal(found->state.status, MVM_STATUS_CREATED);
	assert_int_equal(found->state.pid, 0);
	assert_true(found->config.created.tv_sec > 0);
	final = world_path(world, made->config.id);
	assert_string_equal(found->folder, final);
	assert_int_equal(access(folder, F_OK), -1);
	/* Still held by its maker. */
	assert_int_equal(mvm_state_lock(world->state, made->config.id, &(int){-1}, &err), 1);
}

static void aborted_leaves_nothing(void **state)
{
	struct world *world = *state;
	struct mvm_container *made MVM_CLEAN_CONTAINER = world_new("web"),
				   *again MVM_CLEAN_CONTAINER = world_new("web");
	char *folder MVM_CLEAN_FREE = NULL, *second MVM_CLEAN_FREE = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	int lock MVM_CLEAN_FD = -1, other MVM_CLEAN_FD = -1;

	assert_ok(mvm_state_create(world->state, &made->config, &folder, &lock, &err));
	mvm_state_abort(world->state, &made->config);
	assert_int_equal(access(folder, F_OK), -1);
	assert_ok(mvm_state_create(world->state, &again->config, &second, &other, &err));
	mvm_state_abort(world->state, &again->config);
	assert_int_equal(world_count(world), 0);
}

static void names_are_checked(void **state)
{
	static const char *const bad[] = {"",	  "a",	  "-ab", ".ab",		"_ab", "a b", "a/b",
					  "../x", "a\nb", "a:b", "caf\xc3\xa9", "ab ", "/ab"};
	static const char *const good[] = {"ab", "A1", "0.0", "web-1.test_2"};
	struct world *world = *state;
	char longest[257];

	for (size_t i = 0; i < MVM_COUNT(bad); i++) {
		struct mvm_container *made MVM_CLEAN_CONTAINER = world_new(bad[i]);
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;
		char *folder = NULL;
		int lock = -1;

		assert_error(mvm_state_create(world->state, &made->config, &folder, &lock, &err), MVM_ERR_USAGE,
			     "Invalid container name");
		assert_null(folder);
		assert_int_equal(lock, -1);
	}
	memset(longest, 'x', 256);
	longest[256] = '\0';
	for (size_t i = 0; i < MVM_COUNT(good) + 1; i++)
		free(world_add(world, i < MVM_COUNT(good) ? good[i] : longest + 1, false, NULL));
	assert_int_equal(world_count(world), MVM_COUNT(good) + 1);
}

static void a_taken_name_is_refused_with_its_owner(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
	struct mvm_container *made MVM_CLEAN_CONTAINER = world_new("web");
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *folder = NULL;
	int lock = -1;

	assert_error(mvm_state_create(world->state, &made->config, &folder, &lock, &err), MVM_ERR_EXISTS, id);
	assert_error(mvm_state_create(world->state, &made->config, &folder, &lock, &err), MVM_ERR_EXISTS, "\"/web\"");
	assert_int_equal(world_count(world), 1);
}

/* Both were under way when neither name was taken. */
static void the_name_is_checked_again_at_commit(void **state)
{
	struct world *world = *state;
	struct mvm_container *a MVM_CLEAN_CONTAINER = world_new("web"), *b MVM_CLEAN_CONTAINER = world_new("web");
	char *folder_a MVM_CLEAN_FREE = NULL, *folder_b MVM_CLEAN_FREE = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	int lock_a MVM_CLEAN_FD = -1, lock_b MVM_CLEAN_FD = -1;

	assert_ok(mvm_state_create(world->state, &a->config, &folder_a, &lock_a, &err));
	assert_ok(mvm_state_create(world->state, &b->config, &folder_b, &lock_b, &err));
	assert_ok(mvm_state_commit(world->state, &b->config, &err));
	assert_error(mvm_state_commit(world->state, &a->config, &err), MVM_ERR_EXISTS, b->config.id);
	mvm_state_abort(world->state, &a->config);
	assert_int_equal(world_count(world), 1);
}

/* Given back as a user's own, each passes the check of names. */
static void generated_names_are_valid(void **state)
{
	struct world *world = *state;

	for (int i = 0; i < 30; i++) {
		struct mvm_container *made MVM_CLEAN_CONTAINER = world_new(NULL);
		char *folder MVM_CLEAN_FREE = NULL, *id MVM_CLEAN_FREE = NULL;
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;
		int lock MVM_CLEAN_FD = -1;

		assert_ok(mvm_state_create(world->state, &made->config, &folder, &lock, &err));
		assert_non_null(strchr(made->config.name, '_'));
		mvm_state_abort(world->state, &made->config);
		id = world_add(world, made->config.name, false, NULL);
		assert_ok(mvm_state_remove(world->state, id, &err));
	}
}

/* A picked name that somebody else commits first gives way to another; the user did not ask for it. */
static void a_generated_name_gives_way(void **state)
{
	struct world *world = *state;
	struct mvm_container *made MVM_CLEAN_CONTAINER = world_new(NULL);
	char *folder MVM_CLEAN_FREE = NULL, *taken MVM_CLEAN_FREE = NULL, *id MVM_CLEAN_FREE = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	int lock MVM_CLEAN_FD = -1;

	assert_ok(mvm_state_create(world->state, &made->config, &folder, &lock, &err));
	taken = mvm_strdup(made->config.name);
	id = world_add(world, taken, false, NULL);
	assert_ok(mvm_state_commit(world->state, &made->config, &err));
	assert_string_not_equal(made->config.name, taken);
	assert_int_equal(world_count(world), 2);
}

static int race_for_name(struct world *world, int start)
{
	struct mvm_container *made MVM_CLEAN_CONTAINER = world_new("same");
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *folder MVM_CLEAN_FREE = NULL;
	int lock = -1;
	char byte;

	if (read(start, &byte, 1) != 1)
		return 2;
	if (mvm_state_create(world->state, &made->config, &folder, &lock, &err) == 0 &&
	    mvm_state_commit(world->state, &made->config, &err) == 0)
		return 0;
	if (folder)
		mvm_state_abort(world->state, &made->config);
	return mvm_error_code(err) == MVM_ERR_EXISTS ? 1 : 3;
}

static void of_two_processes_one_gets_the_name(void **state)
{
	struct world *world = *state;

	for (int round = 0; round < 10; round++) {
		struct mvm_container *winner MVM_CLEAN_CONTAINER = NULL;
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;
		int start[2], results[2];
		pid_t pids[2];

		assert_int_equal(mvm_pipe(start), 0);
		for (int i = 0; i < 2; i++) {
			pids[i] = fork();
			if (pids[i] == 0)
				_exit(race_for_name(world, start[0]));
		}
		assert_int_equal(write(start[1], "go", 2), 2);
		for (int i = 0; i < 2; i++)
			results[i] = wait_for_exit(pids[i]);
		close(start[0]);
		close(start[1]);
		assert_int_equal(results[0] + results[1], 1);
		assert_int_equal(world_count(world), 1);
		assert_ok(mvm_state_find(world->state, "same", &winner, &err));
		assert_ok(mvm_state_remove(world->state, winner->config.id, &err));
	}
}

/* Finding */

static void assert_finds(struct world *world, const char *what, const char *id)
{
	struct mvm_container *found MVM_CLEAN_CONTAINER = NULL;
	struct mvm_error *err = NULL;

	assert_ok(mvm_state_find(world->state, what, &found, &err));
	assert_string_equal(found->config.id, id);
}

static void found_by_id_name_and_prefix(void **state)
{
	struct world *world = *state;
	char *one MVM_CLEAN_FREE = world_add(world, "one", false, NULL);
	char *two MVM_CLEAN_FREE = world_add(world, "two", false, NULL);
	char *prefix MVM_CLEAN_FREE = mvm_strndup(one, MVM_SHORT_ID_LENGTH);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_container *found = NULL;

	assert_finds(world, one, one);
	assert_finds(world, "one", one);
	assert_finds(world, "/two", two);
	assert_finds(world, prefix, one);
	assert_error(mvm_state_find(world->state, "", &found, &err), MVM_ERR_NOT_FOUND, "No such container");
	assert_error(mvm_state_find(world->state, "on", &found, &err), MVM_ERR_NOT_FOUND, "No such container: on");
	assert_error(mvm_state_find(world->state, "/", &found, &err), MVM_ERR_NOT_FOUND, "No such container");
	prefix[0] = 'g';
	assert_error(mvm_state_find(world->state, prefix, &found, &err), MVM_ERR_NOT_FOUND, prefix);
	assert_null(found);
}

/* 17 containers: two must share their first digit. */
static void an_ambiguous_prefix_is_refused(void **state)
{
	struct world *world = *state;
	char *ids[17], first[2] = "";
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_container *found = NULL;
	unsigned seen = 0;

	for (int i = 0; i < 17; i++) {
		unsigned digit;

		ids[i] = world_add(world, NULL, false, NULL);
		digit = (unsigned)strtoul((char[]){ids[i][0], '\0'}, NULL, 16);
		if (seen & 1u << digit)
			first[0] = ids[i][0];
		seen |= 1u << digit;
	}
	assert_error(mvm_state_find(world->state, first, &found, &err), MVM_ERR_INVALID, "fits several");
	assert_null(found);
	for (int i = 0; i < 17; i++) {
		assert_finds(world, ids[i], ids[i]);
		free(ids[i]);
	}
}

static void a_name_goes_before_a_prefix(void **state)
{
	struct world *world = *state;
	char *one MVM_CLEAN_FREE = world_add(world, "one", false, NULL);
	char *prefix MVM_CLEAN_FREE = mvm_strndup(one, 12);
	char *named MVM_CLEAN_FREE = world_add(world, prefix, false, NULL);

	assert_finds(world, prefix, named);
	assert_finds(world, one, one);
}

static void renamed_whoever_is_in_charge(void **state)
{
	struct world *world = *state;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	int lock MVM_CLEAN_FD = -1;
	char *one MVM_CLEAN_FREE = world_add(world, "one", false, &lock);
	char *two MVM_CLEAN_FREE = world_add(world, "two", false, NULL);

	assert_ok(mvm_state_rename(world->state, one, "/uno", &err));
	assert_finds(world, "uno", one);
	assert_error(mvm_state_rename(world->state, one, "two", &err), MVM_ERR_EXISTS, two);
	assert_error(mvm_state_rename(world->state, one, "uno", &err), MVM_ERR_USAGE, "same name as its current name");
	assert_error(mvm_state_rename(world->state, one, "/", &err), MVM_ERR_USAGE, "may be empty");
	assert_error(mvm_state_rename(world->state, one, "u o", &err), MVM_ERR_USAGE, "Invalid container name (u o)");
	assert_finds(world, "uno", one);
	assert_ok(mvm_state_remove(world->state, two, &err));
	assert_error(mvm_state_rename(world->state, two, "dos", &err), MVM_ERR_NOT_FOUND, "No such container");
	assert_ok(mvm_state_rename(world->state, one, "two", &err));
	assert_finds(world, "two", one);
}

static void set_created(struct world *world, const char *id, const char *time)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/containers/%s/config.json", world->folder, id);
	struct mvm_error *err = NULL;
	json_t *json MVM_CLEAN_JSON = NULL;

	assert_ok(mvm_json_load(path, 1 << 20, &json, &err));
	json_object_set_new(json, "Created", json_string(time));
	assert_ok(mvm_json_save(path, json, &err));
}

static void listed_newest_first(void **state)
{
	static const char *const times[] = {"2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00.4Z",
					    "2025-12-31T23:59:59.9Z", "2025-01-01T00:00:00Z"};
	struct world *world = *state;
	char *ids[MVM_COUNT(times)];
	struct mvm_container **list;
	struct mvm_error *err = NULL;
	size_t count;

	/* Made in another order than they claim. */
	for (size_t i = 0; i < MVM_COUNT(times); i++)
		ids[i] = world_add(world, NULL, false, NULL);
	for (size_t i = 0; i < MVM_COUNT(times); i++)
		set_created(world, ids[i], times[i]);
	assert_ok(mvm_state_list(world->state, &list, &count, &err));
	assert_int_equal(count, MVM_COUNT(times));
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(list[i]->config.id, ids[i]);
		mvm_container_free(list[i]);
		free(ids[i]);
	}
	free(list);
}

static void foreign_files_are_not_containers(void **state)
{
	struct world *world = *state;
	char *file MVM_CLEAN_FREE = world_path(world, "README"), *folder MVM_CLEAN_FREE = world_path(world, "abcdef");
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	assert_ok(mvm_replace_file(file, "x", 1, 0600, &err));
	assert_int_equal(mkdir(folder, 0700), 0);
	assert_int_equal(world_count(world), 0);
	assert_int_equal(access(file, F_OK), 0);
}

static void removed_is_gone_with_its_name_and_socket(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL), *again MVM_CLEAN_FREE = NULL;
	char *socket MVM_CLEAN_FREE = mvm_state_socket_path(world->state, id),
		     *path MVM_CLEAN_FREE = world_path(world, id);
	struct mvm_container *found = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	assert_ok(mvm_replace_file(socket, "", 0, 0600, &err));
	assert_ok(mvm_state_remove(world->state, id, &err));
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(access(socket, F_OK), -1);
	assert_error(mvm_state_find(world->state, id, &found, &err), MVM_ERR_NOT_FOUND, id);
	assert_error(mvm_state_remove(world->state, id, &err), MVM_ERR_NOT_FOUND, "cannot remove");
	again = world_add(world, "web", false, NULL);
	assert_string_not_equal(again, id);
}

static void sockets_are_short_and_below_the_runtime_folder(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
	char *socket MVM_CLEAN_FREE = mvm_state_socket_path(world->state, id);
	const char *folder = mvm_state_runtime_folder(world->state);

	assert_int_equal(strncmp(socket, folder, strlen(folder)), 0);
	assert_int_equal(strlen(socket), strlen(folder) + 17);
	assert_string_equal(mvm_state_home(world->state), world->folder);
}

/* A command with bytes that JSON cannot hold must not lose them in silence. */
static void text_that_is_no_utf8_is_refused(void **state)
{
	struct world *world = *state;
	struct mvm_container *made MVM_CLEAN_CONTAINER = world_new("web");
	char *folder MVM_CLEAN_FREE = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	int lock MVM_CLEAN_FD = -1;

	mvm_strv_add(&made->config.args, "\xff");
	assert_ok(mvm_state_create(world->state, &made->config, &folder, &lock, &err));
	assert_error(mvm_state_commit(world->state, &made->config, &err), MVM_ERR_USAGE, "Args");
	mvm_state_abort(world->state, &made->config);
	assert_int_equal(world_count(world), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(created_is_invisible_until_committed),
		WORLD_TEST(aborted_leaves_nothing),
		WORLD_TEST(names_are_checked),
		WORLD_TEST(a_taken_name_is_refused_with_its_owner),
		WORLD_TEST(the_name_is_checked_again_at_commit),
		WORLD_TEST(generated_names_are_valid),
		WORLD_TEST(a_generated_name_gives_way),
		WORLD_TEST(of_two_processes_one_gets_the_name),
		WORLD_TEST(found_by_id_name_and_prefix),
		WORLD_TEST(an_ambiguous_prefix_is_refused),
		WORLD_TEST(a_name_goes_before_a_prefix),
		WORLD_TEST(renamed_whoever_is_in_charge),
		WORLD_TEST(listed_newest_first),
		WORLD_TEST(foreign_files_are_not_containers),
		WORLD_TEST(removed_is_gone_with_its_name_and_socket),
		WORLD_TEST(sockets_are_short_and_below_the_runtime_folder),
		WORLD_TEST(text_that_is_no_utf8_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
