#include "detach.h"

#include <string.h>

#include "image/docker_config.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"

#define DEFAULT_KEYS "ctrl-p,ctrl-q"

/* One key of the list: a character, "ctrl-" and what stands with it on a keyboard, or "DEL". */
static bool parse_key(const char *text, size_t length, char *key)
{
	static const char controls[] = "@abcdefghijklmnopqrstuvwxyz[\\]^_";
	const char *at;

	if (length == 1) {
		*key = *text;
		return true;
	}
	if (length == 3 && !memcmp(text, "DEL", 3)) {
		*key = 0x7f;
		return true;
	}
	if (length != 6 || memcmp(text, "ctrl-", 5) != 0)
		return false;
	at = strchr(controls, text[5]);
	if (at)
		*key = (char)(at - controls);
	return at;
}

/* `detachKeys` of docker's configuration file, the caller's; NULL where it says nothing, or cannot be read, which
 * whoever needs more of it complains of. */
static char *configured_keys(void)
{
	struct mvm_docker_config config MVM_CLEAN_DOCKER_CONFIG = {.lock = -1};
	const char *keys = NULL;

	if (mvm_docker_config_open(&config, false, NULL) == 0)
		keys = json_string_value(json_object_get(config.root, "detachKeys"));
	return keys && *keys ? mvm_strdup(keys) : NULL;
}

int cli_detach_init(struct cli_detach *detach, const char *given, struct mvm_error **err)
{
	char *configured MVM_CLEAN_FREE = given && *given ? NULL : configured_keys();
	const char *text = given && *given ? given : configured ? configured : DEFAULT_KEYS, *at = text;
	struct cli_detach parsed = {.length = 0};

	for (;;) {
		size_t length = strcspn(at, ",");

		if (parsed.length == CLI_DETACH_KEYS || !parse_key(at, length, &parsed.keys[parsed.length]))
			return mvm_fail(err, MVM_ERR_USAGE,
					"invalid detach keys (%s) provided: characters and ctrl-<key>, with commas "
					"between, at most %d",
					text, CLI_DETACH_KEYS);
		parsed.length++;
		if (!at[length])
			break;
		at += length + 1;
	}
	*detach = parsed;
	return 0;
}

bool cli_detach_filter(struct cli_detach *detach, const char *data, size_t length, char *out, size_t *out_length)
{
	size_t count = 0;

	for (size_t i = 0; i < length; i++) {
		char held[CLI_DETACH_KEYS + 1], *first = held;
		size_t matched = detach->matched + 1;

		memcpy(held, detach->keys, detach->matched);
		held[detach->matched] = data[i];
		/* What can no longer begin the keys goes on. */
		while (matched && (!detach->length || memcmp(first, detach->keys, matched) != 0)) {
			out[count++] = *first++;
			matched--;
		}
		detach->matched = matched;
		if (matched && matched == detach->length) {
			detach->matched = 0;
			*out_length = count;
			return true;
		}
	}
	*out_length = count;
	return false;
}
