#include "net_endpoint.h"

#include <stddef.h>
#include <string.h>

#include "runtime/base/error.h"

static const struct {
	const char *key;
	size_t offset;
} members[] = {
	{"name", offsetof(struct mvm_net_endpoint, network)},
	{"ip", offsetof(struct mvm_net_endpoint, ip)},
	{"ip6", offsetof(struct mvm_net_endpoint, ip6)},
	{"gateway", offsetof(struct mvm_net_endpoint, gateway)},
	{"gateway6", offsetof(struct mvm_net_endpoint, gateway6)},
	{"mac-address", offsetof(struct mvm_net_endpoint, mac)},
	{"gw-priority", offsetof(struct mvm_net_endpoint, gw_priority)},
};

static char **member(struct mvm_net_endpoint *endpoint, const char *key, size_t length)
{
	for (size_t i = 0; i < MVM_COUNT(members); i++)
		if (strlen(members[i].key) == length && !strncmp(members[i].key, key, length))
			return (char **)(void *)((char *)endpoint + members[i].offset);
	return NULL;
}

static int take_word(struct mvm_net_endpoint *endpoint, const char *word, size_t length, struct mvm_error **err)
{
	const char *equals = memchr(word, '=', length);
	size_t key = equals ? (size_t)(equals - word) : length;
	char **text;

	if (equals && key == strlen("alias") && !strncmp(word, "alias", key)) {
		mvm_strv_take(&endpoint->aliases, mvm_strndup(equals + 1, length - key - 1));
		return 0;
	}
	text = equals ? member(endpoint, word, key) : NULL;
	if (!text || length == key + 1)
		return mvm_fail(
			err, MVM_ERR_USAGE,
			"invalid network: %.*s: words are name=, alias=, ip=, ip6=, mac-address= and gw-priority=",
			(int)length, word);
	free(*text);
	*text = mvm_strndup(equals + 1, length - key - 1);
	return 0;
}

int mvm_net_endpoint_parse(const char *text, struct mvm_net_endpoint *endpoint, struct mvm_error **err)
{
	*endpoint = (struct mvm_net_endpoint){0};
	if (!strchr(text, '=')) {
		endpoint->network = mvm_strdup(text);
		return 0;
	}
	for (const char *word = text; *word;) {
		size_t length = strcspn(word, ",");

		if (take_word(endpoint, word, length, err) < 0) {
			mvm_net_endpoint_finish(endpoint);
			return -1;
		}
		word += length + (word[length] == ',');
	}
	if (endpoint->network)
		return 0;
	mvm_net_endpoint_finish(endpoint);
	return mvm_fail(err, MVM_ERR_USAGE, "invalid network: %s: name= is missing", text);
}

char *mvm_net_endpoint_format(const struct mvm_net_endpoint *endpoint)
{
	struct mvm_buf text = {0};

	for (size_t i = 0; i < MVM_COUNT(members); i++) {
		const char *value = *(char *const *)(const void *)((const char *)endpoint + members[i].offset);

		if (value)
			mvm_buf_addf(&text, "%s%s=%s", text.length ? "," : "", members[i].key, value);
	}
	for (size_t i = 0; i < endpoint->aliases.count; i++)
		mvm_buf_addf(&text, ",alias=%s", endpoint->aliases.items[i]);
	return mvm_buf_steal(&text);
}

void mvm_net_endpoint_finish(struct mvm_net_endpoint *endpoint)
{
	for (size_t i = 0; i < MVM_COUNT(members); i++)
		free(*(char **)(void *)((char *)endpoint + members[i].offset));
	mvm_strv_finish(&endpoint->aliases);
	*endpoint = (struct mvm_net_endpoint){0};
}
