#include "docker_config.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/mem.h"

#define MAX_SIZE  (4 << 20)
#define MAX_LINKS 40

static int find_path(char **path, struct mvm_error **err)
{
	const char *folder = getenv("DOCKER_CONFIG"), *home = getenv("HOME");

	if (folder && *folder)
		*path = mvm_format("%s/config.json", folder);
	else if (home && *home)
		*path = mvm_format("%s/.docker/config.json", home);
	else
		return mvm_fail(err, MVM_ERR_NOT_FOUND,
				"neither HOME nor DOCKER_CONFIG is set, so there is no place for credentials");
	return 0;
}

/* The file that a chain of symlinks leads to, whether it is there yet or not. */
static int follow_links(const char *path, char **target, struct mvm_error **err)
{
	char *at = mvm_strdup(path), link[PATH_MAX];

	for (int i = 0; i < MAX_LINKS; i++) {
		ssize_t length = readlink(at, link, sizeof(link));
		const char *slash = strrchr(at, '/');
		char *next;

		if (length < 0 || length == (ssize_t)sizeof(link)) {
			*target = at;
			return 0;
		}
		next = *link == '/' || !slash ? mvm_strndup(link, (size_t)length)
					      : mvm_format("%.*s/%.*s", (int)(slash - at), at, (int)length, link);
		free(at);
		at = next;
	}
	free(at);
	return mvm_fail_errno(err, ELOOP, "%s", path);
}

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? mvm_strndup(path, (size_t)(slash - path) + (slash == path)) : mvm_strdup(".");
}

static int take_lock(struct mvm_docker_config *config, struct mvm_error **err)
{
	char *folder MVM_CLEAN_FREE = folder_of(config->target);
	char *path MVM_CLEAN_FREE = mvm_format("%s.lock", config->target);

	if (mvm_make_folders(folder, err) < 0)
		return -1;
	return mvm_lock(path, 0, &config->lock, err);
}

/* The first indented line says how the file is indented; docker's own way is a tab. */
static void learn_layout(struct mvm_docker_config *config, const char *text, size_t length)
{
	const char *line = strchr(text, '\n');
	size_t blank = line ? strspn(line + 1, " \t") : 0;

	strcpy(config->indent, "\t");
	if (blank && blank < sizeof(config->indent)) {
		memcpy(config->indent, line + 1, blank);
		config->indent[blank] = '\0';
	}
	config->newline = length && text[length - 1] == '\n';
}

static int read_file(struct mvm_docker_config *config, struct mvm_error **err)
{
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	char *text MVM_CLEAN_FREE = NULL;
	size_t length = 0;

	if (mvm_read_file(config->target, MAX_SIZE, &text, &length, &cause) < 0 &&
	    mvm_error_code(cause) != MVM_ERR_NOT_FOUND)
		return mvm_error_move(err, &cause);
	learn_layout(config, text ? text : "", length);
	/* docker takes an empty file for none. */
	if (!text || !text[strspn(text, " \t\r\n")]) {
		config->root = json_object();
		return 0;
	}
	if (mvm_json_parse(text, length, config->path, &config->root, err) < 0)
		return -1;
	if (!json_is_object(config->root))
		return mvm_fail(err, MVM_ERR_INVALID, "%s: not a JSON object; correct the file and try again",
				config->path);
	return 0;
}

int mvm_docker_config_open(struct mvm_docker_config *out, bool change, struct mvm_error **err)
{
	struct mvm_docker_config config MVM_CLEAN_DOCKER_CONFIG = {.lock = -1};

	if (find_path(&config.path, err) < 0 || follow_links(config.path, &config.target, err) < 0 ||
	    (change && take_lock(&config, err) < 0) || read_file(&config, err) < 0)
		return -1;
	*out = config;
	config = (struct mvm_docker_config){.lock = -1};
	return 0;
}

/* jansson indents with blanks: one a level here, each of which becomes what the file has. Within a line none is
 * touched, and a text has no line breaks. */
static char *print(const struct mvm_docker_config *config)
{
	char *text = json_dumps(config->root, JSON_INDENT(1) | JSON_REAL_PRECISION(15));
	struct mvm_buf out = {0};

	for (const char *line = text; line && *line;) {
		size_t level = strspn(line, " "), length = strcspn(line, "\n");

		for (size_t i = 0; i < level; i++)
			mvm_buf_addf(&out, "%s", config->indent);
		mvm_buf_add(&out, line + level, length - level + (line[length] == '\n'));
		line += length + (line[length] == '\n');
	}
	if (config->newline)
		mvm_buf_addf(&out, "\n");
	free(text);
	return mvm_buf_steal(&out);
}

int mvm_docker_config_save(struct mvm_docker_config *config, struct mvm_error **err)
{
	char *text MVM_CLEAN_FREE = print(config);

	return mvm_replace_file(config->target, text, strlen(text), 0600, err);
}

void mvm_docker_config_close(struct mvm_docker_config *config)
{
	free(config->path);
	free(config->target);
	json_decref(config->root);
	mvm_close(&config->lock);
	*config = (struct mvm_docker_config){.lock = -1};
}
