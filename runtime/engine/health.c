/*
 * A container's health check: the user's, and the image's for what the user leaves open, each part by itself.
 */
#include "internal.h"

#include "runtime/base/error.h"
#include "runtime/base/json.h"

static void copy(const struct mvm_strv *from, struct mvm_strv *to)
{
	for (size_t i = 0; i < from->count; i++)
		mvm_strv_add(to, from->items[i]);
}

static int merge_number(const json_t *image, const char *key, int64_t *value, struct mvm_error **err)
{
	return *value ? 0 : mvm_json_get_int(image, key, 0, value, err);
}

static int merge(const json_t *image, struct mvm_health_check *check, struct mvm_error **err)
{
	if ((!check->test.count && mvm_json_get_strings(image, "Test", &check->test, err) < 0) ||
	    merge_number(image, "Interval", &check->interval, err) < 0 ||
	    merge_number(image, "Timeout", &check->timeout, err) < 0 ||
	    merge_number(image, "StartPeriod", &check->start_period, err) < 0 ||
	    merge_number(image, "StartInterval", &check->start_interval, err) < 0 ||
	    merge_number(image, "Retries", &check->retries, err) < 0)
		return mvm_error_wrap(err, "the image's health check is malformed; --no-healthcheck does without it");
	return 0;
}

int engine_set_health(const struct mvm_create_request *request, const struct mvm_image *image,
		      struct mvm_container_config *config, struct mvm_error **err)
{
	const json_t *theirs = json_object_get(mvm_image_config_json(image), "config");
	const json_t *check = mvm_image_config(image)->healthcheck;
	struct mvm_health_check *made = &config->health_check;

	if (request->health_check) {
		*made = *request->health_check;
		made->test = (struct mvm_strv){0};
		copy(&request->health_check->test, &made->test);
	}
	if (mvm_json_get_strings(theirs, "Shell", &config->shell, err) < 0)
		return mvm_error_wrap(err, "the image's shell is malformed");
	return check ? merge(check, made, err) : 0;
}
