#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mount_internal.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"

/* A field of a line of CSV (RFC 4180), which a quoted one may have commas in; the caller's. *at moves behind it; NULL
 * where the quotes are wrong. */
static char *read_field(const char **at)
{
	struct mvm_buf field = {0};
	const char *p = *at;
	bool quoted = *p == '"';

	for (p += quoted; *p && (quoted || *p != ','); p++) {
		if (*p == '"') {
			if (!quoted || (p[1] != '"' && p[1] != ',' && p[1]))
				break;
			if (*++p != '"') {
				quoted = false;
				break;
			}
		}
		mvm_buf_add(&field, p, 1);
	}
	if (quoted || (*p && *p != ',')) {
		mvm_buf_finish(&field);
		return NULL;
	}
	*at = *p ? p + 1 : NULL;
	return mvm_buf_steal(&field);
}

static void add_field(struct mvm_buf *line, const char *key, const char *value)
{
	char *field MVM_CLEAN_FREE = value ? mvm_format("%s=%s", key, value) : mvm_strdup(key);

	if (line->length)
		mvm_buf_add(line, ",", 1);
	if (!strpbrk(field, ",\"")) {
		mvm_buf_add(line, field, strlen(field));
		return;
	}
	mvm_buf_add(line, "\"", 1);
	for (const char *p = field; *p; p++)
		mvm_buf_add(line, *p == '"' ? "\"\"" : p, *p == '"' ? 2 : 1);
	mvm_buf_add(line, "\"", 1);
}

static void add_list(struct mvm_buf *line, const char *key, const struct mvm_strv *list)
{
	for (size_t i = 0; i < list->count; i++)
		add_field(line, key, list->items[i]);
}

static void add_text(struct mvm_buf *line, const char *key, const char *value)
{
	if (value)
		add_field(line, key, value);
}

static void add_tmpfs(struct mvm_buf *line, const struct mvm_mount *mount)
{
	char *size MVM_CLEAN_FREE = mvm_format("%llu", (unsigned long long)mount->tmpfs_size);
	char *mode MVM_CLEAN_FREE = mvm_format("%llo", (unsigned long long)mount->tmpfs_mode);

	if (mount->tmpfs_size)
		add_field(line, "tmpfs-size", size);
	if (mount->tmpfs_mode >= 0)
		add_field(line, "tmpfs-mode", mode);
}

char *mvm_mount_format(const struct mvm_mount *mount)
{
	struct mvm_buf line = {0};

	if (mount->short_form) {
		mvm_buf_addf(&line, "%s%s%s%s%s", mount->source ? mount->source : "", mount->source ? ":" : "",
			     mount->target, *mount->mode ? ":" : "", mount->mode);
		return mvm_buf_steal(&line);
	}
	add_field(&line, "type", mvm_mount_type_name(mount->type));
	add_text(&line, "source", mount->source);
	add_field(&line, "target", mount->target);
	if (mount->read_only)
		add_field(&line, "readonly", NULL);
	if (mount->watch)
		add_field(&line, "watch", NULL);
	add_text(&line, "bind-propagation", mount->propagation);
	if (mount->no_copy)
		add_field(&line, "volume-nocopy", NULL);
	add_text(&line, "volume-subpath", mount->subpath);
	add_text(&line, "volume-driver", mount->driver);
	add_list(&line, "volume-opt", &mount->driver_options);
	add_list(&line, "volume-label", &mount->labels);
	add_tmpfs(&line, mount);
	return mvm_buf_steal(&line);
}

/* A key and its value, NULL for a key alone. */
struct option {
	const char *field, *value;
	char *key; /* in small letters */
};

static int bad_value(const struct option *option, struct mvm_error **err)
{
	return mvm_fail(err, MVM_ERR_USAGE, "invalid value for %s: %s", option->key, option->value);
}

/* Go's strconv.ParseBool. */
static int set_bool(const struct option *option, void *to, struct mvm_error **err)
{
	static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
	static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};

	for (size_t i = 0; option->value && i < MVM_COUNT(yes); i++) {
		if (!strcmp(option->value, yes[i]) || !strcmp(option->value, no[i])) {
			*(bool *)to = !strcmp(option->value, yes[i]);
			return 0;
		}
	}
	if (option->value)
		return bad_value(option, err);
	*(bool *)to = true;
	return 0;
}

static int set_text(const struct option *option, void *to, struct mvm_error **err)
{
	free(*(char **)to);
	*(char **)to = mvm_strdup(option->value);
	return 0;
}

static int add_to_list(const struct option *option, void *to, struct mvm_error **err)
{
	mvm_strv_add(to, option->value);
	return 0;
}

static int set_type(const struct option *option, void *to, struct mvm_error **err)
{
	for (int type = MVM_MOUNT_BIND; type <= MVM_MOUNT_TMPFS; type++)
		if (!strcasecmp(option->value, mvm_mount_type_name((enum mvm_mount_type)type))) {
			*(enum mvm_mount_type *)to = (enum mvm_mount_type)type;
			return 0;
		}
	return mvm_fail(err, MVM_ERR_USAGE, "mount type unknown: \"%s\"; use bind, volume or tmpfs", option->value);
}

static int set_size(const struct option *option, void *to, struct mvm_error **err)
{
	return mvm_parse_size(option->value, to) ? 0 : bad_value(option, err);
}

static int set_mode(const struct option *option, void *to, struct mvm_error **err)
{
	char *end;
	unsigned long mode = strtoul(option->value, &end, 8);

	if (!*option->value || *end || mode > 07777)
		return bad_value(option, err);
	*(int64_t *)to = (int64_t)mode;
	return 0;
}

/* What docker takes and what has no meaning for a virtual machine. */
static int ignore(const struct option *option, void *to, struct mvm_error **err)
{
	return 0;
}

static int set_bind_propagation(const struct option *option, void *to, struct mvm_error **err)
{
	struct mvm_mount *mount = (struct mvm_mount *)((char *)to - offsetof(struct mvm_mount, propagation));
	int rc = mount_set_propagation(mount, option->value, err);

	return rc > 0 ? bad_value(option, err) : rc;
}

#define MEMBER(name) offsetof(struct mvm_mount, name)

static const struct {
	const char *key;
	bool alone; /* it may stand without a value */
	size_t offset;
	int (*set)(const struct option *option, void *to, struct mvm_error **err);
} keys[] = {
	{"type", false, MEMBER(type), set_type},
	{"source", false, MEMBER(source), set_text},
	{"src", false, MEMBER(source), set_text},
	{"target", false, MEMBER(target), set_text},
	{"dst", false, MEMBER(target), set_text},
	{"destination", false, MEMBER(target), set_text},
	{"readonly", true, MEMBER(read_only), set_bool},
	{"ro", true, MEMBER(read_only), set_bool},
	{"watch", true, MEMBER(watch), set_bool},
	{"consistency", false, 0, ignore},
	{"bind-propagation", false, MEMBER(propagation), set_bind_propagation},
	{"bind-nonrecursive", true, 0, ignore},
	{"bind-recursive", false, 0, ignore},
	{"volume-nocopy", true, MEMBER(no_copy), set_bool},
	{"volume-subpath", false, MEMBER(subpath), set_text},
	{"volume-driver", false, MEMBER(driver), set_text},
	{"volume-opt", false, MEMBER(driver_options), add_to_list},
	{"volume-label", false, MEMBER(labels), add_to_list},
	{"tmpfs-size", false, MEMBER(tmpfs_size), set_size},
	{"tmpfs-mode", false, MEMBER(tmpfs_mode), set_mode},
};

/* "volume-nocopy" is for volumes. */
static enum mvm_mount_type type_of_key(const char *key, enum mvm_mount_type fallback)
{
	for (int type = MVM_MOUNT_BIND; type <= MVM_MOUNT_TMPFS; type++) {
		const char *name = mvm_mount_type_name((enum mvm_mount_type)type);

		if (!strncmp(key, name, strlen(name)) && key[strlen(name)] == '-')
			return (enum mvm_mount_type)type;
	}
	return fallback;
}

/* `stranger` becomes the type of an option that is for one type only. */
static int apply(const struct option *option, struct mvm_mount *mount, unsigned *types, struct mvm_error **err)
{
	for (size_t i = 0; i < MVM_COUNT(keys); i++) {
		if (strcmp(keys[i].key, option->key))
			continue;
		if (!option->value && !keys[i].alone)
			break;
		if (strchr(option->key, '-'))
			*types |= 1u << type_of_key(option->key, MVM_MOUNT_BIND);
		return keys[i].set(option, (char *)mount + keys[i].offset, err);
	}
	if (!option->value)
		return mvm_fail(err, MVM_ERR_USAGE, "invalid field '%s' must be a key=value pair", option->field);
	return mvm_fail(err, MVM_ERR_USAGE, "unexpected key '%s' in '%s'", option->key, option->field);
}

static int apply_field(const char *field, struct mvm_mount *mount, unsigned *types, struct mvm_error **err)
{
	size_t length = strcspn(field, "=");
	char *key MVM_CLEAN_FREE = mvm_strndup(field, length);
	struct option option = {field, field[length] ? field + length + 1 : NULL, key};

	for (char *p = key; *p; p++)
		*p = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
	return apply(&option, mount, types, err);
}

static int check_types(const struct mvm_mount *mount, unsigned types, struct mvm_error **err)
{
	for (int type = MVM_MOUNT_BIND; type <= MVM_MOUNT_TMPFS; type++)
		if (types & 1u << type && type != (int)mount->type)
			return mvm_fail(err, MVM_ERR_USAGE, "cannot mix '%s-*' options with mount type '%s'",
					mvm_mount_type_name((enum mvm_mount_type)type),
					mvm_mount_type_name(mount->type));
	return 0;
}

static int apply_line(const char *text, struct mvm_mount *mount, struct mvm_error **err)
{
	unsigned types = 0;

	do {
		char *field MVM_CLEAN_FREE = read_field(&text);

		if (!field)
			return mvm_fail(err, MVM_ERR_USAGE, "a quote (\") is missing or out of place");
		if (apply_field(field, mount, &types, err) < 0)
			return -1;
	} while (text);
	if (!mount->target)
		return mvm_fail(err, MVM_ERR_USAGE, "target is required");
	return check_types(mount, types, err);
}

int mvm_mount_parse_long(const char *text, struct mvm_mount *mount, struct mvm_error **err)
{
	struct mvm_mount made MVM_CLEAN_MOUNT = {.type = MVM_MOUNT_VOLUME, .tmpfs_mode = -1};

	if (!*text)
		return mvm_fail(err, MVM_ERR_USAGE, "value is empty");
	if (apply_line(text, &made, err) < 0)
		return mvm_error_wrap(err, "invalid argument \"%s\" for \"--mount\" flag", text);
	if (made.type == MVM_MOUNT_BIND && made.source) {
		char *absolute = mvm_mount_absolute(made.source);

		if (!absolute)
			return mvm_fail(err, MVM_ERR_NOT_FOUND, "the current folder is gone, and %s is relative to it",
					made.source);
		free(made.source);
		made.source = absolute;
	}
	if (mount_check(&made, err) < 0)
		return -1;
	if (made.source && !*made.source) {
		free(made.source);
		made.source = NULL;
	}
	*mount = made;
	made = (struct mvm_mount){0};
	return 0;
}
