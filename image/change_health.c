/* HEALTHCHECK [--interval=30s ...] CMD command, or NONE. */
#include <string.h>
#include <strings.h>

#include "change_internal.h"
#include "runtime/base/duration.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"

static int set_option(json_t *health, const char *option, struct mvm_error **err)
{
	static const struct {
		const char *flag, *key;
	} durations[] = {{"--interval=", "Interval"},
			 {"--timeout=", "Timeout"},
			 {"--start-period=", "StartPeriod"},
			 {"--start-interval=", "StartInterval"}};
	static const char retries[] = "--retries=";
	int64_t value;

	for (size_t i = 0; i < MVM_COUNT(durations); i++) {
		size_t length = strlen(durations[i].flag);

		if (strncmp(option, durations[i].flag, length))
			continue;
		/* Docker's least is a millisecond; 0 leaves it to the default. */
		if (!mvm_parse_duration(option + length, &value) || (value && value < 1000000))
			return mvm_fail(err, MVM_ERR_INVALID, "%s is no time of at least 1ms, like 30s or 1m30s",
					option);
		json_object_set_new(health, durations[i].key, json_integer(value));
		return 0;
	}
	if (strncmp(option, retries, strlen(retries)))
		return mvm_fail(err, MVM_ERR_INVALID, "unknown flag: %s", option);
	if (!mvm_parse_int(option + strlen(retries), 0, INT32_MAX, &value))
		return mvm_fail(err, MVM_ERR_INVALID, "%s is no number", option);
	json_object_set_new(health, "Retries", json_integer(value));
	return 0;
}

static json_t *make_test(const char *command)
{
	json_t *list = change_list(command);

	if (!list)
		return json_pack("[s, s]", "CMD-SHELL", command);
	json_array_insert_new(list, 0, json_string("CMD"));
	return list;
}

int change_health(const char *text, json_t **out, struct mvm_error **err)
{
	json_t *health = json_object();

	while (!strncmp(text, "--", 2)) {
		size_t length = strcspn(text, " \t");
		char *option MVM_CLEAN_FREE = mvm_strndup(text, length);

		if (set_option(health, option, err) < 0) {
			json_decref(health);
			return -1;
		}
		for (text += length; change_is_blank(*text); text++)
			;
	}
	if (!strcasecmp(text, "NONE") && !json_object_size(health)) {
		json_object_set_new(health, "Test", json_pack("[s]", "NONE"));
	} else if (!strncasecmp(text, "CMD", 3) && change_is_blank(text[3])) {
		for (text += 3; change_is_blank(*text); text++)
			;
		json_object_set_new(health, "Test", make_test(text));
	} else {
		json_decref(health);
		return mvm_fail(err, MVM_ERR_INVALID, "HEALTHCHECK takes NONE, or options and CMD with a command");
	}
	*out = health;
	return 0;
}
