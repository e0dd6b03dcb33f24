/* Words as Dockerfiles have them: quotes, backslashes, variables. */
#include <ctype.h>
#include <string.h>

#include "change_internal.h"
#include "runtime/base/error.h"

void change_split(const char *text, struct mvm_strv *words)
{
	while (*text) {
		const char *start;
		char quote = '\0';

		while (change_is_blank(*text))
			text++;
		for (start = text; *text && (quote || !change_is_blank(*text)); text++) {
			if (*text == '\\' && quote != '\'' && text[1])
				text++;
			else if (quote ? *text == quote : *text == '\'' || *text == '"')
				quote = quote ? '\0' : *text;
		}
		if (text > start)
			mvm_strv_take(words, mvm_strndup(start, (size_t)(text - start)));
	}
}

static const char *lookup(const json_t *config, const char *name, size_t length)
{
	const json_t *env = json_object_get(config, "Env");

	for (size_t i = json_array_size(env); i-- > 0;) {
		const char *entry = json_string_value(json_array_get(env, i));

		if (entry && !strncmp(entry, name, length) && entry[length] == '=')
			return entry + length + 1;
	}
	return NULL;
}

static size_t name_length(const char *text)
{
	size_t length = 0;

	while (text[length] == '_' || isalpha((unsigned char)text[length]) ||
	       (length && isdigit((unsigned char)text[length])))
		length++;
	return length;
}

/* $NAME, ${NAME}, ${NAME:-else} and ${NAME:+then}; `*at` stands behind the dollar, and moves behind the variable. */
static int expand_variable(const json_t *config, const char **at, struct mvm_buf *value, struct mvm_error **err)
{
	bool braces = **at == '{';
	const char *name = *at + braces;
	size_t length = name_length(name);
	const char *found = lookup(config, name, length), *rest = name + length;
	size_t rest_length = braces ? strcspn(rest, "}") : 0;
	char modifier = rest[0] == ':' ? rest[1] : '\0';
	bool is_set = found && *found;

	if (!length && !braces) {
		mvm_buf_add(value, "$", 1);
		return 0;
	}
	if (!length || (braces && (rest[rest_length] != '}' || (rest_length && modifier != '-' && modifier != '+'))))
		return mvm_fail(err, MVM_ERR_INVALID, "cannot read the variable in \"$%s\"", *at);
	*at = rest + rest_length + braces;
	if (rest_length && is_set == (modifier == '+'))
		mvm_buf_add(value, rest + 2, rest_length - 2);
	else if (is_set)
		mvm_buf_add(value, found, strlen(found));
	return 0;
}

int change_expand(const json_t *config, const char *word, char **out, struct mvm_error **err)
{
	struct mvm_buf value MVM_CLEAN_BUF = {0};
	char quote = '\0';

	for (const char *at = word; *at;) {
		char letter = *at++;

		if (letter == quote) {
			quote = '\0';
		} else if (!quote && (letter == '\'' || letter == '"')) {
			quote = letter;
		} else if (letter == '$' && quote != '\'') {
			if (expand_variable(config, &at, &value, err) < 0)
				return -1;
		} else {
			/* Between double quotes a backslash is one unless it hides something. */
			if (letter == '\\' && quote != '\'' && *at && (!quote || strchr("\"$\\", *at)))
				letter = *at++;
			mvm_buf_add(&value, &letter, 1);
		}
	}
	if (quote)
		return mvm_fail(err, MVM_ERR_INVALID, "a quote in \"%s\" is not closed", word);
	*out = mvm_buf_steal(&value);
	return 0;
}
