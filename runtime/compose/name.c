/*
 * The project's name: the command line's, the environment's, the files', or the folder's.
 */
#include <ctype.h>
#include <limits.h>
#include <string.h>

#include "internal.h"
#include "substitute.h"

/* Lower case, only letters, digits, "_" and "-", and a letter or digit first. */
static char *normalize_name(const char *text)
{
	struct mvm_buf out = {0};

	for (; *text; text++) {
		char c = (char)tolower((unsigned char)*text);
		bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

		if (plain || (out.length && (c == '_' || c == '-')))
			mvm_buf_add(&out, &c, 1);
	}
	return mvm_buf_steal(&out);
}

static int take_given(struct mvm_compose *compose, const char *name, struct mvm_error **err)
{
	char *normal MVM_CLEAN_FREE = normalize_name(name);

	if (strcmp(normal, name) != 0)
		return mvm_fail(err, MVM_ERR_USAGE,
				"invalid project name \"%s\": must consist only of lowercase alphanumeric characters, "
				"hyphens, and underscores as well as start with a letter or number",
				name);
	compose->name = mvm_strdup(name);
	return 0;
}

/* The last one that a file says. */
static struct node *name_in_files(const struct mvm_compose *compose)
{
	struct node *found = NULL;

	for (size_t i = 0; i < compose->documents->count; i++) {
		const struct node *documents = compose->documents->entries[i].value;

		for (size_t j = 0; j < documents->count; j++) {
			struct node *name = node_get(documents->entries[j].value, "name");

			if (node_is(name, NODE_STRING) && *name->text)
				found = name;
		}
	}
	return found;
}

static int take_from_files(struct mvm_compose *compose, struct node *name, struct mvm_error **err)
{
	const struct path path = {.key = "name"};
	struct node *copy = node_copy(&compose->pool, name);

	if (!compose->options->no_interpolate &&
	    replace_variables(compose, copy, &compose->environment, &path, err) < 0)
		return -1;
	compose->name = normalize_name(copy->text);
	return 0;
}

static void take_from_folder(struct mvm_compose *compose)
{
	const char *base = strrchr(compose->folder, '/') + 1, *real_base;
	char real[PATH_MAX];

	if (realpath(compose->folder, real)) {
		real_base = strrchr(real, '/') + 1;
		if (strcmp(real_base, base) != 0)
			node_warn(&compose->pool, NULL,
				  "project has been loaded without an explicit name from a symlink. Using name \"%s\"",
				  base);
	}
	compose->name = normalize_name(base);
}

int find_name(struct mvm_compose *compose, struct mvm_error **err)
{
	const char *given = compose->options->project_name;
	struct node *in_files = name_in_files(compose);

	if (!given || !*given)
		given = environment_find(&compose->environment, "COMPOSE_PROJECT_NAME");
	if (given && *given) {
		if (take_given(compose, given, err) < 0)
			return -1;
	} else if (in_files) {
		if (take_from_files(compose, in_files, err) < 0)
			return -1;
	} else {
		take_from_folder(compose);
	}
	if (!*compose->name)
		return mvm_fail(err, MVM_ERR_USAGE,
				"project name must not be empty; give one with -p, or as name: in the compose file");
	environment_set(&compose->environment, "COMPOSE_PROJECT_NAME", compose->name);
	return 0;
}
