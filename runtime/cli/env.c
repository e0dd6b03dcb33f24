/*
 * `-e` and `--env-file`, as docker reads them.
 */
#include "cli.h"

#include <ctype.h>
#include <string.h>

#include "runtime/base/io.h"

#define MAX_ENV_FILE (4u << 20)

/* NAME=value as it is; NAME alone takes ours, or nothing where we have none. */
static void add_env(struct mvm_strv *env, const char *text)
{
	const char *ours = strchr(text, '=') ? NULL : getenv(text);

	if (strchr(text, '='))
		mvm_strv_add(env, text);
	else if (ours)
		mvm_strv_addf(env, "%s=%s", text, ours);
}

static int add_env_line(struct mvm_strv *env, const char *path, size_t number, char *line, struct mvm_error **err)
{
	size_t name;

	while (isspace((unsigned char)*line))
		line++;
	if (!*line || *line == '#')
		return 0;
	name = strcspn(line, "=");
	if (!name)
		return mvm_fail(err, MVM_ERR_USAGE, "%s, line %zu: no variable name on line '%s'", path, number, line);
	for (size_t i = 0; i < name; i++)
		if (isspace((unsigned char)line[i]))
			return mvm_fail(err, MVM_ERR_USAGE, "%s, line %zu: variable '%.*s' contains whitespaces", path,
					number, (int)name, line);
	add_env(env, line);
	return 0;
}

static int add_env_file(struct mvm_strv *env, const char *path, struct mvm_error **err)
{
	char *data MVM_CLEAN_FREE = NULL;
	size_t length, number = 0;

	if (mvm_read_file(path, MAX_ENV_FILE, &data, &length, err) < 0)
		return mvm_error_wrap(err, "env file");
	if (memchr(data, '\0', length))
		return mvm_fail(err, MVM_ERR_USAGE, "env file %s: not a text file", path);
	for (char *line = data, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		line[strcspn(line, "\r")] = '\0';
		if (add_env_line(env, path, ++number, line, err) < 0)
			return -1;
	}
	return 0;
}

int cli_read_env(const struct mvm_strv *files, const struct mvm_strv *given, struct mvm_strv *env,
		 struct mvm_error **err)
{
	for (size_t i = 0; i < files->count; i++)
		if (add_env_file(env, files->items[i], err) < 0)
			return -1;
	for (size_t i = 0; i < given->count; i++) {
		if (*given->items[i] == '=')
			return mvm_fail(err, MVM_ERR_USAGE, "invalid environment variable: %s", given->items[i]);
		/* A name that we have no value for takes the image's away. */
		if (!strchr(given->items[i], '=') && !getenv(given->items[i]))
			mvm_strv_add(env, given->items[i]);
		else
			add_env(env, given->items[i]);
	}
	return 0;
}
