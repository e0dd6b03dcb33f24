/*
 * Which files make a project, and what its variables are.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "dotenv.h"
#include "internal.h"
#include "runtime/base/spawn.h"

static const char *find_set(void *arg, const char *name)
{
	return environment_find(arg, name);
}

struct lookup {
	struct mvm_compose *compose;
	const struct mvm_strv *environment;
};

static const char *look_up(void *arg, const char *name)
{
	const struct lookup *lookup = arg;

	return find_set((void *)lookup->environment, name);
}

static void look_up_failed(void *arg, const char *name)
{
	const struct lookup *lookup = arg;

	note_unset(lookup->compose, name);
}

/* What is set already stays. */
int read_env_files(struct mvm_compose *compose, const struct mvm_strv *files, struct mvm_strv *environment,
		   struct mvm_error **err)
{
	const struct lookup lookup = {.compose = compose, .environment = environment};
	const struct substitution how = {.find = look_up, .unset = look_up_failed, .arg = (void *)&lookup};
	struct mvm_strv read MVM_CLEAN_STRV = {0};

	for (size_t i = 0; i < files->count; i++) {
		if (access(files->items[i], F_OK) < 0)
			return mvm_fail(err, MVM_ERR_NOT_FOUND, "couldn't find env file: %s", files->items[i]);
		if (dotenv_read(files->items[i], &how, &read, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < read.count; i++) {
		char *name MVM_CLEAN_FREE = mvm_strndup(read.items[i], strcspn(read.items[i], "="));

		if (!environment_find(environment, name))
			mvm_strv_add(environment, read.items[i]);
	}
	return 0;
}

static bool is_true(const char *text)
{
	return text && (!strcasecmp(text, "true") || !strcmp(text, "1") || !strcasecmp(text, "t"));
}

/* "a:b" in pieces. */
static void split(const char *text, const char *separator, struct mvm_strv *pieces)
{
	size_t length = strlen(separator);

	for (const char *end; *separator && (end = strstr(text, separator)); text = end + length)
		mvm_strv_take(pieces, mvm_strndup(text, (size_t)(end - text)));
	mvm_strv_add(pieces, text);
}

/* Those that were named, or the .env of a folder. */
static int read_environment(struct mvm_compose *compose, const char *folder, struct mvm_error **err)
{
	const struct mvm_strv *given = compose->options->env_files;
	const char *named = getenv("COMPOSE_ENV_FILES");
	struct mvm_strv files MVM_CLEAN_STRV = {0}, set MVM_CLEAN_STRV = {0};
	char here[PATH_MAX];

	if (!getcwd(here, sizeof(here)))
		return mvm_fail_errno(err, errno, "cannot tell the current folder");
	if (named)
		split(named, ",", &set);
	if (!given || !given->count)
		given = &set;
	for (size_t i = 0; i < given->count; i++)
		if (*given->items[i])
			mvm_strv_take(&files, join_path(here, given->items[i]));
	if (!files.count && !is_true(getenv("COMPOSE_DISABLE_ENV_FILE"))) {
		char *usual = join_path(folder, ".env");

		if (is_file(usual))
			mvm_strv_take(&files, usual);
		else
			free(usual);
	}
	return read_env_files(compose, &files, &compose->environment, err);
}

static int take_files(struct mvm_compose *compose, const struct mvm_strv *names, const char *here,
		      struct mvm_error **err)
{
	for (size_t i = 0; i < names->count; i++) {
		char *path MVM_CLEAN_FREE = join_path(here, names->items[i]);
		bool is_stdin = !strcmp(names->items[i], "-");

		if (!is_stdin && access(path, F_OK) < 0)
			return mvm_fail_errno(err, errno, "cannot read the compose file %s", path);
		mvm_strv_add(&compose->files, is_stdin ? "-" : path);
	}
	return 0;
}

/* The first of the names that is in the folder; the others are spoken of. */
static bool take_first(struct mvm_compose *compose, const char *folder, const char *const *names, const char *kind)
{
	struct mvm_strv found MVM_CLEAN_STRV = {0};

	for (; *names; names++) {
		char *path MVM_CLEAN_FREE = join_path(folder, *names);

		if (access(path, F_OK) == 0)
			mvm_strv_add(&found, path);
	}
	if (!found.count)
		return false;
	if (found.count > 1) {
		char *all MVM_CLEAN_FREE = mvm_strv_join(&found, ", ");

		node_warn(&compose->pool, NULL, "Found multiple %s files with supported names: %s", kind, all);
		node_warn(&compose->pool, NULL, "Using %s", found.items[0]);
	}
	mvm_strv_add(&compose->files, found.items[0]);
	return true;
}

/* In the folder, or the nearest one above it. */
static int search_files(struct mvm_compose *compose, const char *from, struct mvm_error **err)
{
	static const char *const usual[] = {"compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml",
					    NULL};
	static const char *const overrides[] = {"compose.override.yml", "compose.override.yaml",
						"docker-compose.override.yml", "docker-compose.override.yaml", NULL};
	char *folder MVM_CLEAN_FREE = mvm_strdup(from);

	for (;;) {
		char *above;

		if (take_first(compose, folder, usual, "config")) {
			(void)take_first(compose, folder, overrides, "override");
			return 0;
		}
		if (!strcmp(folder, "/"))
			return mvm_fail(err, MVM_ERR_NOT_FOUND,
					"no configuration file provided: not found; go to where compose.yaml is, or "
					"name one with -f");
		above = folder_of(folder);
		free(folder);
		folder = above;
	}
}

/* The project's folder, or NULL where files say it. */
static char *folder_of_files(const struct mvm_compose *compose, const char *here)
{
	for (size_t i = 0; i < compose->files.count; i++)
		if (strcmp(compose->files.items[i], "-") != 0)
			return folder_of(compose->files.items[i]);
	return mvm_strdup(here);
}

static void take_profiles(struct mvm_compose *compose)
{
	const struct mvm_strv *given = compose->options->profiles;
	const char *set = environment_find(&compose->environment, "COMPOSE_PROFILES");

	for (size_t i = 0; given && i < given->count; i++)
		mvm_strv_add(&compose->profiles, given->items[i]);
	if (!compose->profiles.count && set) {
		struct mvm_strv pieces MVM_CLEAN_STRV = {0};

		split(set, ",", &pieces);
		for (size_t i = 0; i < pieces.count; i++) {
			const char *piece = pieces.items[i] + strspn(pieces.items[i], " \t");

			mvm_strv_take(&compose->profiles, mvm_strndup(piece, strcspn(piece, " \t")));
		}
	}
}

/* By -f, by COMPOSE_FILE, or by their names. */
static int choose_files(struct mvm_compose *compose, const char *here, struct mvm_error **err)
{
	const struct mvm_strv *given = compose->options->files;
	const char *separator = environment_find(&compose->environment, "COMPOSE_PATH_SEPARATOR");
	const char *set = environment_find(&compose->environment, "COMPOSE_FILE");
	struct mvm_strv names MVM_CLEAN_STRV = {0};

	if (given && given->count)
		return take_files(compose, given, here, err);
	if (!set || !*set)
		return search_files(compose, compose->folder ? compose->folder : here, err);
	split(set, separator && *separator ? separator : ":", &names);
	return take_files(compose, &names, here, err);
}

int find_files(struct mvm_compose *compose, struct mvm_error **err)
{
	const char *directory = compose->options->project_directory;
	char here[PATH_MAX], *first MVM_CLEAN_FREE = NULL;

	if (!getcwd(here, sizeof(here)))
		return mvm_fail_errno(err, errno, "cannot tell the current folder");
	for (char **variable = environ; *variable; variable++)
		if (strchr(*variable, '='))
			mvm_strv_add(&compose->environment, *variable);
	if (!environment_find(&compose->environment, "PWD"))
		environment_set(&compose->environment, "PWD", here);
	if (directory && *directory)
		compose->folder = join_path(here, directory);
	/* A .env beside the files that are named; it may itself name files, and then there is theirs. */
	if (compose->options->files && compose->options->files->count && choose_files(compose, here, err) < 0)
		return -1;
	first = compose->folder ? mvm_strdup(compose->folder) : folder_of_files(compose, here);
	if (read_environment(compose, first, err) < 0)
		return -1;
	if (!compose->files.count && choose_files(compose, here, err) < 0)
		return -1;
	if (!compose->folder)
		compose->folder = folder_of_files(compose, here);
	if (strcmp(compose->folder, first) != 0 && read_environment(compose, compose->folder, err) < 0)
		return -1;
	take_profiles(compose);
	return 0;
}
