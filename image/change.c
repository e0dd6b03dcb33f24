#include "change.h"

#include <string.h>
#include <strings.h>

#include "change_internal.h"
#include "runtime/base/error.h"
#include "runtime/base/json.h"
#include "runtime/base/text.h"

struct changes {
	json_t *config;
	bool has_cmd; /* among the changes */
};

struct instruction {
	const char *name;
	/* `text` is what follows the name, without blanks around it, and not empty. */
	int (*apply)(struct changes *changes, const char *text, struct mvm_error **err);
};

json_t *change_list(const char *text)
{
	json_t *list = NULL;
	json_t *value;
	size_t i;

	if (*text != '[' || mvm_json_parse(text, strlen(text), "", &list, NULL) < 0)
		return NULL;
	json_array_foreach(list, i, value)
	{
		if (json_is_string(value))
			continue;
		json_decref(list);
		return NULL;
	}
	return list;
}

static json_t *make_command(const struct changes *changes, const char *text)
{
	json_t *list = change_list(text), *shell = json_object_get(changes->config, "Shell");

	if (list)
		return list;
	list = json_array_size(shell) ? json_copy(shell) : json_pack("[s, s]", "/bin/sh", "-c");
	json_array_append_new(list, json_string(text));
	return list;
}

static int apply_cmd(struct changes *changes, const char *text, struct mvm_error **err)
{
	json_object_set_new(changes->config, "Cmd", make_command(changes, text));
	changes->has_cmd = true;
	return 0;
}

/* The image's own command was for its own entrypoint. */
static int apply_entrypoint(struct changes *changes, const char *text, struct mvm_error **err)
{
	json_object_set_new(changes->config, "Entrypoint", make_command(changes, text));
	if (!changes->has_cmd)
		json_object_del(changes->config, "Cmd");
	return 0;
}

/* The object or list under `key`, made where it is missing. */
static json_t *get(const struct changes *changes, const char *key, json_t *(*make)(void))
{
	json_t *value = json_object_get(changes->config, key);

	if (value && !json_is_null(value))
		return value;
	json_object_set_new(changes->config, key, make());
	return json_object_get(changes->config, key);
}

static void set_env(struct changes *changes, const char *name, const char *value)
{
	json_t *env = get(changes, "Env", json_array);
	json_t *entry = json_sprintf("%s=%s", name, value);
	size_t length = strlen(name);

	for (size_t i = 0; i < json_array_size(env); i++) {
		const char *old = json_string_value(json_array_get(env, i));

		if (old && !strncmp(old, name, length) && old[length] == '=') {
			json_array_set_new(env, i, entry);
			return;
		}
	}
	json_array_append_new(env, entry);
}

static void set_label(struct changes *changes, const char *name, const char *value)
{
	json_object_set_new(get(changes, "Labels", json_object), name, json_string(value));
}

/* Name and value in turn, as they are written: "a=b c=d", or the old "a all the rest". */
static int split_pairs(const char *text, struct mvm_strv *pairs, struct mvm_error **err)
{
	struct mvm_strv words MVM_CLEAN_STRV = {0};

	change_split(text, &words);
	if (!strchr(words.items[0], '=')) {
		const char *rest = text + strlen(words.items[0]);

		while (change_is_blank(*rest))
			rest++;
		if (!*rest)
			return mvm_fail(err, MVM_ERR_INVALID, "must have two arguments");
		mvm_strv_add(pairs, words.items[0]);
		mvm_strv_add(pairs, rest);
		return 0;
	}
	for (size_t i = 0; i < words.count; i++) {
		const char *word = words.items[i], *equals = strchr(word, '=');

		if (!equals)
			return mvm_fail(err, MVM_ERR_INVALID,
					"Syntax error - can't find = in \"%s\". Must be of the form: name=value", word);
		mvm_strv_take(pairs, mvm_strndup(word, (size_t)(equals - word)));
		mvm_strv_add(pairs, equals + 1);
	}
	return 0;
}

/* Variables mean what they meant before the instruction, for all of it. */
static int apply_pairs(struct changes *changes, const char *text,
		       void (*set)(struct changes *changes, const char *name, const char *value),
		       struct mvm_error **err)
{
	struct mvm_strv written MVM_CLEAN_STRV = {0};
	struct mvm_strv pairs MVM_CLEAN_STRV = {0};

	if (split_pairs(text, &written, err) < 0)
		return -1;
	for (size_t i = 0; i < written.count; i++) {
		char *value;

		if (change_expand(changes->config, written.items[i], &value, err) < 0)
			return -1;
		mvm_strv_take(&pairs, value);
		if (i % 2 == 0 && !*value)
			return mvm_fail(err, MVM_ERR_INVALID, "names can not be blank");
	}
	for (size_t i = 0; i < pairs.count; i += 2)
		set(changes, pairs.items[i], pairs.items[i + 1]);
	return 0;
}

static int apply_env(struct changes *changes, const char *text, struct mvm_error **err)
{
	return apply_pairs(changes, text, set_env, err);
}

static int apply_label(struct changes *changes, const char *text, struct mvm_error **err)
{
	return apply_pairs(changes, text, set_label, err);
}

/* "80", "80/udp", "8000-8010/tcp" */
static int expose(struct changes *changes, const char *text, struct mvm_error **err)
{
	static const char *const protocols[] = {"tcp", "udp", "sctp"};
	json_t *ports = get(changes, "ExposedPorts", json_object);
	const char *slash = strchr(text, '/'), *protocol = slash ? slash + 1 : "tcp";
	char *range MVM_CLEAN_FREE = mvm_strndup(text, slash ? (size_t)(slash - text) : strlen(text));
	char *dash = strchr(range, '-');
	int64_t first, last;
	size_t known = 0;

	if (dash)
		*dash = '\0';
	while (known < MVM_COUNT(protocols) && strcasecmp(protocol, protocols[known]))
		known++;
	if (known == MVM_COUNT(protocols))
		return mvm_fail(err, MVM_ERR_INVALID, "invalid proto: %s", protocol);
	if (!mvm_parse_int(range, 0, UINT16_MAX, &first) ||
	    !mvm_parse_int(dash ? dash + 1 : range, first, UINT16_MAX, &last))
		return mvm_fail(err, MVM_ERR_INVALID, "invalid containerPort: %s", text);
	for (; first <= last; first++) {
		char *port MVM_CLEAN_FREE = mvm_format("%d/%s", (int)first, protocols[known]);

		json_object_set_new(ports, port, json_object());
	}
	return 0;
}

static int add_volume(struct changes *changes, const char *path, struct mvm_error **err)
{
	if (!*path)
		return mvm_fail(err, MVM_ERR_INVALID, "VOLUME specified can not be an empty string");
	return json_object_set_new(get(changes, "Volumes", json_object), path, json_object());
}

static int apply_words(struct changes *changes, const char *text,
		       int (*apply)(struct changes *changes, const char *word, struct mvm_error **err),
		       struct mvm_error **err)
{
	struct mvm_strv words MVM_CLEAN_STRV = {0};

	change_split(text, &words);
	for (size_t i = 0; i < words.count; i++) {
		char *word MVM_CLEAN_FREE = NULL;

		if (change_expand(changes->config, words.items[i], &word, err) < 0 || apply(changes, word, err) < 0)
			return -1;
	}
	return 0;
}

static int apply_expose(struct changes *changes, const char *text, struct mvm_error **err)
{
	return apply_words(changes, text, expose, err);
}

static int apply_volume(struct changes *changes, const char *text, struct mvm_error **err)
{
	json_t *list MVM_CLEAN_JSON = change_list(text);
	json_t *value;
	size_t i;

	if (!list)
		return apply_words(changes, text, add_volume, err);
	json_array_foreach(list, i, value)
	{
		if (add_volume(changes, json_string_value(value), err) < 0)
			return -1;
	}
	return 0;
}

/* One argument; blanks in it belong to it, as docker reads these. */
static int one_word(const struct changes *changes, const char *text, char **word, struct mvm_error **err)
{
	struct mvm_strv words MVM_CLEAN_STRV = {0};

	change_split(text, &words);
	if (words.count != 1)
		return mvm_fail(err, MVM_ERR_INVALID, "requires exactly one argument");
	return change_expand(changes->config, text, word, err);
}

static int apply_user(struct changes *changes, const char *text, struct mvm_error **err)
{
	char *user MVM_CLEAN_FREE = NULL;

	if (one_word(changes, text, &user, err) < 0)
		return -1;
	return json_object_set_new(changes->config, "User", json_string(user));
}

static int apply_stopsignal(struct changes *changes, const char *text, struct mvm_error **err)
{
	char *name MVM_CLEAN_FREE = NULL;
	int signo;

	if (one_word(changes, text, &name, err) < 0)
		return -1;
	if (!mvm_parse_signal(name, &signo))
		return mvm_fail(err, MVM_ERR_INVALID, "invalid signal: %s", name);
	return json_object_set_new(changes->config, "StopSignal", json_string(name));
}

/* One that is relative goes on from the one before. */
static int apply_workdir(struct changes *changes, const char *text, struct mvm_error **err)
{
	const char *before = json_string_value(json_object_get(changes->config, "WorkingDir"));
	char *word MVM_CLEAN_FREE = NULL;
	char *joined MVM_CLEAN_FREE = NULL;
	struct mvm_buf clean MVM_CLEAN_BUF = {0};

	if (change_expand(changes->config, text, &word, err) < 0)
		return -1;
	joined = mvm_format("%s/%s", *word == '/' || !before ? "" : before, word);
	for (const char *at = joined; *at;) {
		size_t part = strcspn(at, "/");

		if (part == 2 && !strncmp(at, "..", 2)) {
			while (clean.length && clean.data[--clean.length] != '/')
				;
		} else if (part && !(part == 1 && *at == '.')) {
			mvm_buf_add(&clean, "/", 1);
			mvm_buf_add(&clean, at, part);
		}
		at += part + (at[part] == '/');
	}
	return json_object_set_new(changes->config, "WorkingDir",
				   clean.length ? json_stringn(clean.data, clean.length) : json_string("/"));
}

static int apply_onbuild(struct changes *changes, const char *text, struct mvm_error **err)
{
	static const char *const refused[] = {"FROM", "MAINTAINER"};
	size_t length = strcspn(text, " \t");

	if (length == strlen("ONBUILD") && !strncasecmp(text, "ONBUILD", length))
		return mvm_fail(err, MVM_ERR_INVALID, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
	for (size_t i = 0; i < MVM_COUNT(refused); i++)
		if (length == strlen(refused[i]) && !strncasecmp(text, refused[i], length))
			return mvm_fail(err, MVM_ERR_INVALID, "%s isn't allowed as an ONBUILD trigger", refused[i]);
	return json_array_append_new(get(changes, "OnBuild", json_array), json_string(text));
}

static int apply_healthcheck(struct changes *changes, const char *text, struct mvm_error **err)
{
	json_t *health;

	if (change_health(text, &health, err) < 0)
		return -1;
	return json_object_set_new(changes->config, "Healthcheck", health);
}

static const struct instruction instructions[] = {
	{"CMD", apply_cmd},	    {"ENTRYPOINT", apply_entrypoint},	{"ENV", apply_env},
	{"EXPOSE", apply_expose},   {"HEALTHCHECK", apply_healthcheck}, {"LABEL", apply_label},
	{"ONBUILD", apply_onbuild}, {"STOPSIGNAL", apply_stopsignal},	{"USER", apply_user},
	{"VOLUME", apply_volume},   {"WORKDIR", apply_workdir},
};

static int apply(struct changes *changes, const char *name, const char *text, struct mvm_error **err)
{
	for (size_t i = 0; i < MVM_COUNT(instructions); i++) {
		if (strcasecmp(name, instructions[i].name))
			continue;
		if (!*text)
			return mvm_fail(err, MVM_ERR_INVALID, "%s requires at least one argument",
					instructions[i].name);
		if (instructions[i].apply(changes, text, err) == 0)
			return 0;
		return mvm_error_wrap(err, "%s", instructions[i].name);
	}
	return mvm_fail(err, MVM_ERR_INVALID, "%s is not a valid change command", name);
}

static int apply_line(struct changes *changes, const char *line, struct mvm_error **err)
{
	size_t length = strlen(line);
	json_t *text MVM_CLEAN_JSON = json_string(line);
	char *copy MVM_CLEAN_FREE = NULL;
	char *name, *rest;

	if (!text)
		return mvm_fail(err, MVM_ERR_INVALID, "\"%s\" is not UTF-8", line);
	while (length && change_is_blank(line[length - 1]))
		length--;
	copy = mvm_strndup(line, length);
	for (name = copy; change_is_blank(*name); name++)
		;
	rest = name + strcspn(name, " \t\r\n");
	while (change_is_blank(*rest))
		*rest++ = '\0';
	return apply(changes, name, rest, err);
}

int mvm_changes_apply(json_t *config, const struct mvm_strv *list, struct mvm_error **err)
{
	struct changes changes = {.config = config};

	for (size_t i = 0; i < list->count; i++)
		if (apply_line(&changes, list->items[i], err) < 0)
			return mvm_error_wrap(err, "change \"%.100s\"", list->items[i]);
	return 0;
}
