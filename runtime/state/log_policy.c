#include "log_policy.h"

#include <string.h>

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"

/* Reading opens all of them. */
#define MAX_FILES 1000

static const struct {
	const char *name;
	struct mvm_log_policy policy;
} drivers[] = {
	{"json-file", {.kept = true, .max_size = 0, .max_files = 1}},
	{"local", {.kept = true, .max_size = 20000000, .max_files = 5}},
	{"none", {.kept = false}},
};

static int take_option(const char *driver, const char *option, struct mvm_log_policy *policy, struct mvm_error **err)
{
	size_t length = strcspn(option, "=");
	char *key MVM_CLEAN_FREE = mvm_strndup(option, length);
	const char *value = option[length] ? option + length + 1 : "";

	if (!strcmp(key, "max-size")) {
		if (!mvm_parse_decimal_size(value, &policy->max_size) || !policy->max_size)
			return mvm_fail(err, MVM_ERR_USAGE,
					"invalid log opt 'max-size=%s': max-size must be a positive number, such as "
					"10m",
					value);
	} else if (!strcmp(key, "max-file")) {
		if (!mvm_parse_int(value, 1, MAX_FILES, &policy->max_files))
			return mvm_fail(err, MVM_ERR_USAGE,
					"invalid log opt 'max-file=%s': max-file must be a number from 1 to %d", value,
					MAX_FILES);
	} else if (!strcmp(key, "mode")) {
		/* Writing to a file holds nobody up: there is no other mode to choose. */
		if (strcmp(value, "blocking") != 0 && strcmp(value, "non-blocking") != 0)
			return mvm_fail(err, MVM_ERR_USAGE, "logger: logging mode not supported: %s", value);
	} else {
		return mvm_fail(err, MVM_ERR_USAGE,
				"unknown log opt '%s' for %s log driver; there are max-size, max-file and mode", key,
				driver);
	}
	return 0;
}

int mvm_log_policy_parse(const char *driver, const struct mvm_strv *options, struct mvm_log_policy *policy,
			 struct mvm_error **err)
{
	struct mvm_log_policy found = drivers[0].policy;
	size_t which = 0;

	if (driver) {
		while (which < MVM_COUNT(drivers) && strcmp(driver, drivers[which].name) != 0)
			which++;
		if (which == MVM_COUNT(drivers))
			return mvm_fail(err, MVM_ERR_USAGE,
					"logger: no log driver named '%s' is registered; there are json-file, local "
					"and none",
					driver);
		found = drivers[which].policy;
	}
	/* As docker, one that keeps nothing does not look at how. */
	for (size_t i = 0; found.kept && options && i < options->count; i++)
		if (take_option(drivers[which].name, options->items[i], &found, err) < 0)
			return -1;
	*policy = found;
	return 0;
}
