/* `--health-*` and `--no-healthcheck`: docker's words. */
#include "cli.h"

#include <stdint.h>

#include "runtime/base/duration.h"
#include "runtime/base/text.h"

#define LEAST 1000000 /* nanoseconds */

static int parse_time(const char *flag, const char *field, const char *text, int64_t *value, struct mvm_error **err)
{
	if (!text)
		return 0;
	if (!mvm_parse_duration(text, value))
		return mvm_fail(err, MVM_ERR_USAGE,
				"invalid argument \"%s\" for \"--%s\" flag: time: invalid duration \"%s\"", text, flag,
				text);
	if (*value < 0)
		return mvm_fail(err, MVM_ERR_USAGE, "--%s cannot be negative", flag);
	if (*value && *value < LEAST)
		return mvm_fail(err, MVM_ERR_USAGE, "%s in Healthcheck cannot be less than 1ms", field);
	return 0;
}

int cli_parse_health(const struct cli_health_flags *flags, struct mvm_health_check *check, struct mvm_error **err)
{
	if (parse_time("health-interval", "Interval", flags->interval, &check->interval, err) < 0 ||
	    parse_time("health-timeout", "Timeout", flags->timeout, &check->timeout, err) < 0 ||
	    parse_time("health-start-period", "StartPeriod", flags->start_period, &check->start_period, err) < 0 ||
	    parse_time("health-start-interval", "StartInterval", flags->start_interval, &check->start_interval, err) <
		    0 ||
	    cli_parse_number("health-retries", flags->retries, &check->retries, err) < 0)
		return -1;
	if (check->retries < 0)
		return mvm_fail(err, MVM_ERR_USAGE, "--health-retries cannot be negative");
	if (flags->none && ((flags->command && *flags->command) || check->interval || check->timeout ||
			    check->start_period || check->start_interval || check->retries))
		return mvm_fail(err, MVM_ERR_USAGE, "--no-healthcheck conflicts with --health-* options");
	if (flags->none) {
		mvm_strv_add(&check->test, "NONE");
	} else if (flags->command && *flags->command) {
		mvm_strv_add(&check->test, "CMD-SHELL");
		mvm_strv_add(&check->test, flags->command);
	}
	return 0;
}
