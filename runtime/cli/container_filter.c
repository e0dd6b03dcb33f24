#include "container_filter.h"

#include <regex.h>
#include <string.h>

#include "filter.h"
#include "runtime/base/text.h"
#include "volume.h"

static int check_status(const char *text, struct mvm_error **err)
{
	static const char *const known[] = {"created", "restarting", "running", "removing", "paused", "exited", "dead"};

	for (size_t i = 0; i < MVM_COUNT(known); i++)
		if (!strcmp(known[i], text))
			return 0;
	return mvm_fail(err, MVM_ERR_USAGE, "invalid filter 'status=%s'", text);
}

static bool is_health(const char *text)
{
	for (enum mvm_health_status status = MVM_HEALTH_NONE; status <= MVM_HEALTH_UNHEALTHY; status++)
		if (!strcmp(text, mvm_health_name(status)))
			return true;
	return false;
}

static int check_values(struct cli_container_filter *filter, struct mvm_error **err)
{
	const char *value;
	int64_t code;
	size_t at = 0;

	while ((value = cli_filter_next(filter->filters, "status", &at))) {
		if (check_status(value, err) < 0)
			return -1;
		filter->any_status = true;
	}
	for (at = 0; (value = cli_filter_next(filter->filters, "health", &at));)
		if (!is_health(value))
			return mvm_fail(err, MVM_ERR_USAGE, "invalid filter 'health=%s'", value);
	for (at = 0; (value = cli_filter_next(filter->filters, "exited", &at));)
		if (!mvm_parse_int(value, INT32_MIN, INT32_MAX, &code))
			return mvm_fail(err, MVM_ERR_USAGE, "invalid filter 'exited=%s': an exit code", value);
	return 0;
}

static int created_of(struct mvm_engine *engine, const char *what, struct timespec *created, struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;

	if (mvm_state_find(mvm_engine_state(engine), what, &container, err) < 0)
		return -1;
	*created = container->config.created;
	return 0;
}

/* An image that is not there is no ancestor of any, which is no error to docker. */
static int find_ancestors(struct cli_container_filter *filter, struct mvm_engine *engine, struct mvm_error **err)
{
	struct mvm_store *store;
	const char *value;
	size_t at = 0;

	if (mvm_engine_store(engine, &store, err) < 0)
		return -1;
	while ((value = cli_filter_next(filter->filters, "ancestor", &at))) {
		struct mvm_image *image MVM_CLEAN_IMAGE = NULL;

		if (mvm_store_find(store, value, &image, NULL) == 0)
			mvm_strv_add(&filter->image_ids, mvm_image_id(image)->text);
	}
	return 0;
}

int cli_container_filter_init(struct cli_container_filter *filter, struct mvm_engine *engine,
			      const struct mvm_strv *filters, struct mvm_error **err)
{
	static const char *const known[] = {"name",   "id",	  "status", "health", "label", "exited",
					    "before", "ancestor", "since",  "volume", NULL};
	const char *value;
	size_t at = 0;

	filter->filters = filters;
	if (cli_filters_check(filters, known, err) < 0 || check_values(filter, err) < 0)
		return -1;
	for (; (value = cli_filter_next(filters, "before", &at)); filter->has_before = true)
		if (created_of(engine, value, &filter->before, err) < 0)
			return -1;
	for (at = 0; (value = cli_filter_next(filters, "since", &at)); filter->has_since = true)
		if (created_of(engine, value, &filter->since, err) < 0)
			return -1;
	at = 0;
	return cli_filter_next(filters, "ancestor", &at) ? find_ancestors(filter, engine, err) : 0;
}

void cli_container_filter_finish(struct cli_container_filter *filter)
{
	mvm_strv_finish(&filter->image_ids);
}

/* Docker's are regular expressions. What is none is taken for itself. */
static bool text_fits(const char *pattern, const char *text)
{
	regex_t compiled;
	bool fits;

	if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB))
		return strstr(text, pattern);
	fits = regexec(&compiled, text, 0, NULL, 0) == 0;
	regfree(&compiled);
	return fits;
}

static bool name_fits(const char *pattern, const struct mvm_container *container)
{
	char *with_slash MVM_CLEAN_FREE = mvm_format("/%s", container->config.name);

	return text_fits(pattern, container->config.name) || text_fits(pattern, with_slash);
}

static bool id_fits(const char *pattern, const struct mvm_container *container)
{
	return text_fits(pattern, container->config.id);
}

static bool status_fits(const char *status, const struct mvm_container *container)
{
	enum mvm_status its = container->state.status;

	return !strcmp(status, mvm_status_name(its == MVM_STATUS_STARTING ? MVM_STATUS_CREATED : its));
}

static bool health_fits(const char *health, const struct mvm_container *container)
{
	return !strcmp(health, mvm_health_name(container->health.status));
}

static bool exit_fits(const char *text, const struct mvm_container *container)
{
	int64_t code;

	return container->state.status == MVM_STATUS_EXITED && mvm_parse_int(text, INT32_MIN, INT32_MAX, &code) &&
	       code == container->state.exit_code;
}

/* Any of the filters of that name, or there is none. */
static bool any_fits(const struct cli_container_filter *filter, const char *name,
		     bool (*fits)(const char *value, const struct mvm_container *container),
		     const struct mvm_container *container)
{
	const char *value;
	size_t at = 0;
	bool none = true;

	for (; (value = cli_filter_next(filter->filters, name, &at)); none = false)
		if (fits(value, container))
			return true;
	return none;
}

static bool ancestor_fits(const struct cli_container_filter *filter, const struct mvm_container *container)
{
	size_t at = 0;

	for (size_t i = 0; i < filter->image_ids.count; i++)
		if (!strcmp(filter->image_ids.items[i], container->config.image_id))
			return true;
	return !cli_filter_next(filter->filters, "ancestor", &at);
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

bool cli_container_filter_takes(const struct cli_container_filter *filter, const struct mvm_container *container)
{
	const struct timespec *created = &container->config.created;
	const char *label;
	size_t at = 0;

	while ((label = cli_filter_next(filter->filters, "label", &at)))
		if (!mvm_has_label(&container->config.labels, label))
			return false;
	return any_fits(filter, "name", name_fits, container) && any_fits(filter, "id", id_fits, container) &&
	       any_fits(filter, "status", status_fits, container) && any_fits(filter, "exited", exit_fits, container) &&
	       any_fits(filter, "health", health_fits, container) &&
	       any_fits(filter, "volume", cli_mounts_fit, container) && ancestor_fits(filter, container) &&
	       (!filter->has_before || is_before(created, &filter->before)) &&
	       (!filter->has_since || is_before(&filter->since, created));
}
