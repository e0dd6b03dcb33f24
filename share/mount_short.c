#include <string.h>

#include "mount_internal.h"
#include "runtime/base/error.h"

/* A mode has at most one word of each kind. */
enum kind { KIND_ACCESS, KIND_LABEL, KIND_COPY, KIND_CONSISTENCY, KIND_PROPAGATION, KIND_WATCH, KIND_COUNT };

static const struct {
	const char *word;
	enum kind kind;
} words[] = {
	{"ro", KIND_ACCESS},
	{"rw", KIND_ACCESS},
	{"z", KIND_LABEL},
	{"Z", KIND_LABEL},
	{"nocopy", KIND_COPY},
	{"consistent", KIND_CONSISTENCY},
	{"cached", KIND_CONSISTENCY},
	{"delegated", KIND_CONSISTENCY},
	{"private", KIND_PROPAGATION},
	{"rprivate", KIND_PROPAGATION},
	{"shared", KIND_PROPAGATION},
	{"rshared", KIND_PROPAGATION},
	{"slave", KIND_PROPAGATION},
	{"rslave", KIND_PROPAGATION},
	{"watch", KIND_WATCH},
};

static const char *find_word(const char *text, size_t length, enum kind *kind)
{
	for (size_t i = 0; i < MVM_COUNT(words); i++)
		if (strlen(words[i].word) == length && !memcmp(words[i].word, text, length)) {
			*kind = words[i].kind;
			return words[i].word;
		}
	return NULL;
}

static bool is_mode(const char *text)
{
	unsigned seen = 0;
	enum kind kind;

	for (;;) {
		size_t length = strcspn(text, ",");

		if (!find_word(text, length, &kind) || seen & 1u << kind)
			return false;
		seen |= 1u << kind;
		if (!text[length])
			return true;
		text += length + 1;
	}
}

static int apply_mode(struct mvm_mount *mount, struct mvm_error **err)
{
	const char *text = mount->mode;

	while (*text) {
		size_t length = strcspn(text, ",");
		enum kind kind;
		const char *word = find_word(text, length, &kind);

		if (kind == KIND_PROPAGATION && mount_set_propagation(mount, word, err) < 0)
			return -1;
		if (kind == KIND_ACCESS)
			mount->read_only = !strcmp(word, "ro");
		if (kind == KIND_COPY)
			mount->no_copy = true;
		if (kind == KIND_WATCH)
			mount->watch = true;
		text += length + (text[length] == ',');
	}
	return 0;
}

static int fail_spec(const char *text, struct mvm_error **err)
{
	return mvm_fail(err, MVM_ERR_USAGE, "invalid volume specification: '%s'", text);
}

/* "/host:/guest:ro" into up to three parts. */
static int split(const char *text, struct mvm_strv *parts, struct mvm_error **err)
{
	for (const char *at = text;; at++) {
		size_t length = strcspn(at, ":");

		mvm_strv_take(parts, mvm_strndup(at, length));
		at += length;
		if (!*at)
			break;
	}
	if (parts->count > 3 || !*parts->items[0] || (parts->count == 2 && is_mode(parts->items[1])))
		return fail_spec(text, err);
	for (size_t i = 1; i < parts->count; i++)
		if (!*parts->items[i])
			return mvm_fail(err, MVM_ERR_USAGE, "invalid spec: %s: empty section between colons", text);
	if (parts->count == 3 && !is_mode(parts->items[2]))
		return mvm_fail(err, MVM_ERR_USAGE, "invalid mode: %s", parts->items[2]);
	return 0;
}

int mvm_mount_parse_short(const char *text, struct mvm_mount *mount, struct mvm_error **err)
{
	struct mvm_strv parts MVM_CLEAN_STRV = {0};
	struct mvm_mount made MVM_CLEAN_MOUNT = {.short_form = true, .tmpfs_mode = -1};

	if (split(text, &parts, err) < 0)
		return -1;
	if (parts.count > 1)
		made.source = mvm_strdup(parts.items[0]);
	made.target = mvm_strdup(parts.items[parts.count > 1]);
	made.mode = mvm_strdup(parts.count > 2 ? parts.items[2] : "");
	made.type = made.source && *made.source == '/' ? MVM_MOUNT_BIND : MVM_MOUNT_VOLUME;
	if (apply_mode(&made, err) < 0 || mount_check(&made, err) < 0)
		return mvm_error_wrap(err, "invalid volume specification: '%s'", text);
	*mount = made;
	made = (struct mvm_mount){0};
	return 0;
}
