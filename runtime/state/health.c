#include "health.h"

#include <string.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/text.h"

#define SECOND		       1000000000LL
#define LEAST		       1000000 /* docker takes no shorter duration */
#define DEFAULT_INTERVAL       (30 * SECOND)
#define DEFAULT_TIMEOUT	       (30 * SECOND)
#define DEFAULT_START_INTERVAL (5 * SECOND)
#define DEFAULT_RETRIES	       3
#define MAX_FILE	       (1u << 20)

static const char *const names[] = {
	[MVM_HEALTH_NONE] = "none",
	[MVM_HEALTH_STARTING] = "starting",
	[MVM_HEALTH_HEALTHY] = "healthy",
	[MVM_HEALTH_UNHEALTHY] = "unhealthy",
};

const char *mvm_health_name(enum mvm_health_status status)
{
	return names[status];
}

bool mvm_health_has_probe(const struct mvm_health_check *check)
{
	return check->test.count > 1 &&
	       (!strcmp(check->test.items[0], "CMD") || !strcmp(check->test.items[0], "CMD-SHELL"));
}

void mvm_health_command(const struct mvm_health_check *check, const struct mvm_strv *shell, struct mvm_strv *command)
{
	bool by_shell = !strcmp(check->test.items[0], "CMD-SHELL");

	for (size_t i = 0; by_shell && i < shell->count; i++)
		mvm_strv_add(command, shell->items[i]);
	if (by_shell && !shell->count) {
		mvm_strv_add(command, "/bin/sh");
		mvm_strv_add(command, "-c");
	}
	for (size_t i = 1; i < check->test.count; i++)
		mvm_strv_add(command, check->test.items[i]);
}

/* What an image says may be anything. */
static int64_t or_default(int64_t asked, int64_t fallback)
{
	return asked >= LEAST ? asked : fallback;
}

int64_t mvm_health_timeout(const struct mvm_health_check *check)
{
	return or_default(check->timeout, DEFAULT_TIMEOUT);
}

void mvm_health_begin(struct mvm_health *health)
{
	health->status = MVM_HEALTH_STARTING;
	health->failing_streak = 0;
}

/* While it may still be starting it is looked at more often; and at once when that time is over. */
int64_t mvm_health_wait(const struct mvm_health *health, const struct mvm_health_check *check, int64_t age)
{
	int64_t interval = or_default(check->interval, DEFAULT_INTERVAL);
	int64_t left = or_default(check->start_period, 0) - age;

	if (left <= 0)
		return interval;
	if (left < interval)
		return left;
	return health->status == MVM_HEALTH_STARTING ? or_default(check->start_interval, DEFAULT_START_INTERVAL)
						     : interval;
}

static void add_to_log(struct mvm_health *health, const struct mvm_health_result *result)
{
	if (health->count == MVM_HEALTH_LOG) {
		free(health->log[0].output);
		memmove(&health->log[0], &health->log[1], (MVM_HEALTH_LOG - 1) * sizeof(health->log[0]));
		health->count--;
	}
	health->log[health->count++] = *result;
}

void mvm_health_note(struct mvm_health *health, const struct mvm_health_check *check,
		     const struct mvm_health_result *result, int64_t age)
{
	int64_t retries = check->retries > 0 ? check->retries : DEFAULT_RETRIES;

	add_to_log(health, result);
	if (result->exit_code == 0) {
		health->failing_streak = 0;
		health->status = MVM_HEALTH_HEALTHY;
		return;
	}
	/* One that is still starting is allowed to fail. */
	if (health->status == MVM_HEALTH_STARTING && age < or_default(check->start_period, 0))
		return;
	if (++health->failing_streak >= retries)
		health->status = MVM_HEALTH_UNHEALTHY;
}

static json_t *time_json(const struct timespec *time)
{
	char text[MVM_TIME_LENGTH + 1];

	mvm_format_time(time, text);
	return json_string(text);
}

json_t *mvm_health_check_to_json(const struct mvm_health_check *check)
{
	const struct {
		const char *key;
		int64_t value;
	} numbers[] = {
		{"Interval", check->interval},	      {"Timeout", check->timeout},
		{"StartPeriod", check->start_period}, {"StartInterval", check->start_interval},
		{"Retries", check->retries},
	};
	json_t *json = json_object();

	if (check->test.count)
		json_object_set_new(json, "Test", mvm_json_from_strings(&check->test));
	for (size_t i = 0; i < MVM_COUNT(numbers); i++)
		if (numbers[i].value)
			json_object_set_new(json, numbers[i].key, json_integer(numbers[i].value));
	return json;
}

json_t *mvm_health_to_json(const struct mvm_health *health)
{
	json_t *log = json_array();

	for (size_t i = 0; i < health->count; i++) {
		const struct mvm_health_result *result = &health->log[i];

		json_array_append_new(log, json_pack("{s:o, s:o, s:I, s:o}", "Start", time_json(&result->start), "End",
						     time_json(&result->end), "ExitCode", (json_int_t)result->exit_code,
						     "Output", mvm_json_message(result->output ? result->output : "")));
	}
	return json_pack("{s:s, s:I, s:o}", "Status", names[health->status], "FailingStreak",
			 (json_int_t)health->failing_streak, "Log", log);
}

static char *file_in(const char *folder)
{
	return mvm_format("%s/health.json", folder);
}

int mvm_health_save(const struct mvm_health *health, const char *folder, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = file_in(folder);
	json_t *json MVM_CLEAN_JSON = mvm_health_to_json(health);
	char *text MVM_CLEAN_FREE = json_dumps(json, JSON_INDENT(2));

	return mvm_replace_passing_file(path, text, strlen(text), 0600, err);
}

static bool load_result(const json_t *json, struct mvm_health_result *result)
{
	const char *start, *end, *output;

	if (mvm_json_get_string(json, "Start", "", &start, NULL) < 0 ||
	    mvm_json_get_string(json, "End", "", &end, NULL) < 0 || !mvm_parse_time(start, &result->start) ||
	    !mvm_parse_time(end, &result->end) || mvm_json_get_int(json, "ExitCode", 0, &result->exit_code, NULL) < 0 ||
	    mvm_json_get_string(json, "Output", "", &output, NULL) < 0)
		return false;
	result->output = mvm_strdup(output);
	return true;
}

void mvm_health_load(struct mvm_health *health, const char *folder)
{
	char *path MVM_CLEAN_FREE = file_in(folder);
	json_t *json MVM_CLEAN_JSON = NULL, *value;
	const char *status;
	size_t i;

	if (mvm_json_load(path, MAX_FILE, &json, NULL) < 0 ||
	    mvm_json_get_string(json, "Status", "", &status, NULL) < 0 ||
	    mvm_json_get_int(json, "FailingStreak", 0, &health->failing_streak, NULL) < 0)
		return;
	for (i = 0; i < MVM_COUNT(names); i++)
		if (!strcmp(status, names[i]))
			health->status = (enum mvm_health_status)i;
	json_array_foreach(json_object_get(json, "Log"), i, value)
	{
		struct mvm_health_result result = {0};

		if (load_result(value, &result))
			add_to_log(health, &result);
	}
}

void mvm_health_finish(struct mvm_health *health)
{
	for (size_t i = 0; i < health->count; i++)
		free(health->log[i].output);
	*health = (struct mvm_health){0};
}
