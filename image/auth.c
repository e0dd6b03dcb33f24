#include "auth.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/error.h"
#include "runtime/base/json.h"
#include "runtime/base/mem.h"

static const char *skip_space(const char *at)
{
	return at + strspn(at, " \t");
}

/* RFC 9110 token; 0 where there is none. */
static size_t token_length(const char *at)
{
	size_t length = 0;

	while (isalnum((unsigned char)at[length]) || (at[length] && strchr("!#$%&'*+-.^_`|~", at[length])))
		length++;
	return length;
}

/* A token or a quoted string; NULL where it is neither. Advances past it. */
static char *take_value(const char **at)
{
	struct mvm_buf value = {0};
	size_t length = token_length(*at);

	if (**at != '"') {
		const char *start = *at;

		*at += length;
		return length ? mvm_strndup(start, length) : NULL;
	}
	for (++*at; **at != '"'; ++*at) {
		if (**at == '\\')
			++*at;
		/* A control letter has no business here and would end up in a URL. */
		if ((unsigned char)**at < ' ') {
			mvm_buf_finish(&value);
			return NULL;
		}
		mvm_buf_add(&value, *at, 1);
	}
	++*at;
	return mvm_buf_steal(&value);
}

static bool same_name(const char *at, size_t length, const char *name)
{
	return length == strlen(name) && !strncasecmp(at, name, length);
}

static void set_parameter(struct mvm_challenge *challenge, const char *name, size_t length, char *value)
{
	char **field = same_name(name, length, "realm")	    ? &challenge->realm
		       : same_name(name, length, "service") ? &challenge->service
		       : same_name(name, length, "scope")   ? &challenge->scope
							    : NULL;

	if (!field || *field)
		free(value);
	else
		*field = value;
}

/* name "=" value, ... up to the next scheme. Returns where it ended, NULL where malformed. */
static const char *take_parameters(const char *at, struct mvm_challenge *challenge)
{
	for (;;) {
		const char *name = at = skip_space(at);
		size_t length = token_length(at);
		char *value;

		at = skip_space(at + length);
		if (!length || *at != '=')
			return name;
		at = skip_space(at + 1);
		value = take_value(&at);
		if (!value)
			return NULL;
		set_parameter(challenge, name, length, value);
		at = skip_space(at);
		if (*at != ',')
			return *at ? NULL : at;
		at++;
	}
}

void mvm_challenge_parse(const char *header, struct mvm_challenge *challenge)
{
	const char *at = header;

	*challenge = (struct mvm_challenge){0};
	while (at && *(at += strspn(at, " \t,"))) {
		const char *scheme = at;
		size_t length = token_length(at);
		struct mvm_challenge found MVM_CLEAN_CHALLENGE = {0};

		if (!length)
			return;
		at = take_parameters(at + length, &found);
		challenge->basic |= same_name(scheme, length, "basic");
		if (at && same_name(scheme, length, "bearer") && found.realm && !challenge->realm) {
			found.basic = challenge->basic;
			*challenge = found;
			found = (struct mvm_challenge){0};
		}
	}
}

/* "repository:<name>:<actions>"; 0 where it is another kind or malformed. */
static size_t repository_name(const char *scope, const char **name)
{
	static const char kind[] = "repository:";
	size_t length = 0;

	if (strncmp(scope, kind, strlen(kind)) != 0)
		return 0;
	*name = scope + strlen(kind);
	while (islower((unsigned char)(*name)[length]) || isdigit((unsigned char)(*name)[length]) ||
	       ((*name)[length] && strchr("._-/", (*name)[length])))
		length++;
	return length;
}

char *mvm_challenge_scope(const struct mvm_challenge *challenge, const char *path, const char *actions)
{
	size_t tail = strlen(path), length;
	const char *at = challenge->scope, *name;

	for (; at && *at; at += strcspn(at, " ")) {
		at += strspn(at, " ");
		length = repository_name(at, &name);
		if (length > tail + 1 && name[length] == ':' && name[length - tail - 1] == '/' &&
		    !strncmp(name + length - tail, path, tail))
			return mvm_format("repository:%.*s:%s", (int)length, name, actions);
	}
	return NULL;
}

void mvm_challenge_finish(struct mvm_challenge *challenge)
{
	free(challenge->realm);
	free(challenge->service);
	free(challenge->scope);
	*challenge = (struct mvm_challenge){0};
}

bool mvm_token_is_valid(const char *text)
{
	if (!*text)
		return false;
	for (; *text; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

int mvm_token_parse(const char *data, size_t length, struct mvm_token *token, struct mvm_error **err)
{
	json_t *root MVM_CLEAN_JSON = NULL;
	const char *text = "", *refresh = "";

	if (mvm_json_parse(data, length, "the token server's answer", &root, err) < 0 ||
	    mvm_json_get_string(root, "token", "", &text, err) < 0 ||
	    (!*text && mvm_json_get_string(root, "access_token", "", &text, err) < 0) ||
	    mvm_json_get_string(root, "refresh_token", "", &refresh, err) < 0)
		return -1;
	if (!mvm_token_is_valid(text))
		return mvm_fail(err, MVM_ERR_INVALID, "the token server's answer holds no token");
	token->access = mvm_strdup(text);
	token->refresh = *refresh ? mvm_strdup(refresh) : NULL;
	return 0;
}

void mvm_token_finish(struct mvm_token *token)
{
	free(token->access);
	free(token->refresh);
	*token = (struct mvm_token){0};
}
