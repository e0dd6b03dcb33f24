#include "substitute.h"

#include <ctype.h>
#include <string.h>

enum { MAX_DEPTH = 32 };

/* What stands between braces. */
struct braced {
	char *name;
	char operation; /* '-', '?', '+'; 0: none */
	bool or_empty;	/* ':' before it */
	char *rest;
};

static void braced_finish(struct braced *braced)
{
	free(braced->name);
	free(braced->rest);
}

static size_t name_length(const char *text)
{
	size_t length = 0;

	if (isdigit((unsigned char)*text))
		return 0;
	while (isalnum((unsigned char)text[length]) || text[length] == '_')
		length++;
	return length;
}

/* The brace that closes the one before `text`; NULL where there is none. */
static const char *closing_brace(const char *text)
{
	unsigned open = 1;

	for (; *text; text++) {
		if (*text == '{')
			open++;
		else if (*text == '}' && --open == 0)
			return text;
	}
	return NULL;
}

/* `text` follows "${"; *end follows "}". */
static bool parse_braced(const char *text, struct braced *braced, const char **end)
{
	size_t length = name_length(text);
	const char *at = text + length, *close;

	if (!length)
		return false;
	if (*at != '}') {
		braced->or_empty = *at == ':';
		at += braced->or_empty;
		if (!*at || !strchr("-?+", *at))
			return false;
		braced->operation = *at++;
	}
	close = braced->operation ? closing_brace(at) : at;
	if (!close)
		return false;
	braced->name = mvm_strndup(text, length);
	braced->rest = mvm_strndup(at, (size_t)(close - at));
	*end = close + 1;
	return true;
}

static int expand(const char *text, const struct substitution *how, unsigned depth, struct mvm_buf *out,
		  struct mvm_error **err);

static int add(struct mvm_buf *out, const char *text, size_t length, struct mvm_error **err)
{
	if (out->length + length > SUBSTITUTE_MAX)
		return mvm_fail(err, MVM_ERR_INVALID, "a text with its variables is larger than %d bytes",
				SUBSTITUTE_MAX);
	mvm_buf_add(out, text, length);
	return 0;
}

static int add_value(const struct substitution *how, const char *name, struct mvm_buf *out, struct mvm_error **err)
{
	const char *value = how->find(how->arg, name);

	if (!value && how->unset)
		how->unset(how->arg, name);
	return value ? add(out, value, strlen(value), err) : 0;
}

static int fail_required(const struct braced *braced, const struct substitution *how, unsigned depth,
			 struct mvm_error **err)
{
	struct mvm_buf reason MVM_CLEAN_BUF = {0};

	if (expand(braced->rest, how, depth, &reason, err) < 0)
		return -1;
	if (reason.length)
		return mvm_fail(err, MVM_ERR_INVALID, "required variable %s is missing a value: %s", braced->name,
				reason.data);
	return mvm_fail(err, MVM_ERR_INVALID, "required variable %s is missing a value", braced->name);
}

static int add_braced(const struct braced *braced, const struct substitution *how, unsigned depth, struct mvm_buf *out,
		      struct mvm_error **err)
{
	const char *value = how->find(how->arg, braced->name);
	bool given = value && (*value || !braced->or_empty);

	switch (braced->operation) {
	case '-':
		if (!given)
			return expand(braced->rest, how, depth, out, err);
		break;
	case '?':
		if (!given)
			return fail_required(braced, how, depth, err);
		break;
	case '+':
		if (given)
			return expand(braced->rest, how, depth, out, err);
		break;
	default:
		return add_value(how, braced->name, out, err);
	}
	return value ? add(out, value, strlen(value), err) : 0;
}

/* What begins with "${" at *text, which is moved behind it. */
static int expand_braced(const char **text, const struct substitution *how, unsigned depth, struct mvm_buf *out,
			 struct mvm_error **err)
{
	struct braced braced __attribute__((cleanup(braced_finish))) = {0};

	if (!parse_braced(*text + 2, &braced, text))
		return mvm_fail(err, MVM_ERR_INVALID,
				"invalid interpolation format; you may need to escape any $ with another $: \"%s\"",
				*text);
	return add_braced(&braced, how, depth + 1, out, err);
}

static int expand(const char *text, const struct substitution *how, unsigned depth, struct mvm_buf *out,
		  struct mvm_error **err)
{
	if (depth > MAX_DEPTH)
		return mvm_fail(err, MVM_ERR_INVALID, "variables are nested deeper than %d levels", MAX_DEPTH);
	while (*text) {
		size_t plain = strcspn(text, "$"), length;

		if (add(out, text, plain, err) < 0)
			return -1;
		text += plain;
		if (!*text)
			break;
		length = name_length(text + 1);
		if (text[1] == '{') {
			if (expand_braced(&text, how, depth, out, err) < 0)
				return -1;
		} else if (length) {
			char *name MVM_CLEAN_FREE = mvm_strndup(text + 1, length);

			if (add_value(how, name, out, err) < 0)
				return -1;
			text += 1 + length;
		} else {
			/* "$$" is one; alone, before anything else, it stands for itself. */
			if (add(out, "$", 1, err) < 0)
				return -1;
			text += text[1] == '$' ? 2 : 1;
		}
	}
	return 0;
}

int substitute(const char *text, const struct substitution *how, struct mvm_buf *out, struct mvm_error **err)
{
	return expand(text, how, 0, out, err);
}

void each_variable(const char *text, void (*found)(void *arg, const struct variable *variable), void *arg)
{
	while ((text = strchr(text, '$'))) {
		struct braced braced __attribute__((cleanup(braced_finish))) = {0};
		size_t length = name_length(text + 1);

		if (text[1] == '{' && parse_braced(text + 2, &braced, &text)) {
			found(arg, &(struct variable){braced.name, braced.operation, braced.rest});
		} else if (length) {
			char *name MVM_CLEAN_FREE = mvm_strndup(text + 1, length);

			found(arg, &(struct variable){name, 0, ""});
			text += 1 + length;
		} else {
			text += text[1] ? 2 : 1;
		}
	}
}

static char **find_variable(const struct mvm_strv *environment, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < environment->count; i++)
		if (!strncmp(environment->items[i], name, length) && environment->items[i][length] == '=')
			return &environment->items[i];
	return NULL;
}

const char *environment_find(const struct mvm_strv *environment, const char *name)
{
	char **variable = find_variable(environment, name);

	return variable ? *variable + strlen(name) + 1 : NULL;
}

void environment_set(struct mvm_strv *environment, const char *name, const char *value)
{
	char **variable = find_variable(environment, name);

	if (!variable) {
		mvm_strv_addf(environment, "%s=%s", name, value);
		return;
	}
	free(*variable);
	*variable = mvm_format("%s=%s", name, value);
}
