#include "filter.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "image/reference.h"
#include "moment.h"

/* "label!=x" is of the name "label!". */
static size_t name_length(const char *filter)
{
	return strcspn(filter, "=");
}

static bool is_named(const char *filter, const char *name)
{
	size_t length = name_length(filter);

	return strlen(name) == length && !strncmp(filter, name, length);
}

int cli_filters_check(const struct mvm_strv *filters, const char *const *known, struct mvm_error **err)
{
	for (size_t i = 0; i < filters->count; i++) {
		const char *filter = filters->items[i];
		size_t n = 0;

		if (!strchr(filter, '='))
			return mvm_fail(
				err, MVM_ERR_USAGE,
				"invalid argument \"%s\" for --filter: bad format of filter (expected name=value)",
				filter);
		while (known[n] && !is_named(filter, known[n]))
			n++;
		if (!known[n])
			return mvm_fail(err, MVM_ERR_USAGE, "invalid filter '%.*s'", (int)name_length(filter), filter);
	}
	return 0;
}

const char *cli_filter_next(const struct mvm_strv *filters, const char *name, size_t *at)
{
	while (*at < filters->count) {
		const char *filter = filters->items[(*at)++];

		if (is_named(filter, name))
			return filter + name_length(filter) + 1;
	}
	return NULL;
}

static int parse_until(const char *text, time_t *moment, struct mvm_error **err)
{
	struct timespec exact;

	if (!cli_parse_moment(text, &exact))
		return mvm_fail(err, MVM_ERR_USAGE,
				"invalid filter 'until=%s': a time like 2026-11-21T06:00:00Z, or a duration like 24h",
				text);
	*moment = exact.tv_sec;
	return 0;
}

int cli_prune_filter(const struct mvm_strv *filters, struct mvm_prune_filter *filter, struct mvm_error **err)
{
	static const char *const known[] = {"until", "label", "label!", NULL};
	const char *value;
	size_t at = 0;

	if (cli_filters_check(filters, known, err) < 0)
		return -1;
	while ((value = cli_filter_next(filters, "until", &at)))
		if (parse_until(value, &filter->until, err) < 0)
			return -1;
	for (at = 0; (value = cli_filter_next(filters, "label", &at));)
		mvm_strv_add(&filter->labels, value);
	for (at = 0; (value = cli_filter_next(filters, "label!", &at));)
		mvm_strv_add(&filter->other_labels, value);
	return 0;
}

static int parse_dangling(struct cli_image_filter *filter, const char *text, struct mvm_error **err)
{
	bool yes = !strcasecmp(text, "true") || !strcmp(text, "1"),
	     no = !strcasecmp(text, "false") || !strcmp(text, "0");

	if (!yes && !no)
		return mvm_fail(err, MVM_ERR_USAGE, "invalid filter 'dangling=%s': true or false", text);
	filter->has_dangling = true;
	filter->dangling = yes;
	return 0;
}

static int created_of(struct mvm_store *store, const char *text, time_t *created, struct mvm_error **err)
{
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;

	if (mvm_store_find(store, text, &image, err) < 0)
		return -1;
	*created = mvm_image_created(image);
	return 0;
}

int cli_image_filter_init(struct cli_image_filter *filter, struct mvm_store *store, const struct mvm_strv *filters,
			  const char *pattern, struct mvm_error **err)
{
	static const char *const known[] = {"dangling", "label", "before", "since", "until", "reference", NULL};
	const char *value;
	size_t at = 0;

	if (cli_filters_check(filters, known, err) < 0)
		return -1;
	filter->filters = filters;
	while ((value = cli_filter_next(filters, "dangling", &at)))
		if (parse_dangling(filter, value, err) < 0)
			return -1;
	for (at = 0; (value = cli_filter_next(filters, "before", &at)); filter->has_before = true)
		if (created_of(store, value, &filter->before, err) < 0)
			return -1;
	for (at = 0; (value = cli_filter_next(filters, "since", &at)); filter->has_since = true)
		if (created_of(store, value, &filter->since, err) < 0)
			return -1;
	for (at = 0; (value = cli_filter_next(filters, "until", &at));)
		if (parse_until(value, &filter->until, err) < 0)
			return -1;
	for (at = 0; (value = cli_filter_next(filters, "reference", &at));)
		mvm_strv_add(&filter->references, value);
	if (pattern)
		mvm_strv_add(&filter->references, pattern);
	return 0;
}

void cli_image_filter_finish(struct cli_image_filter *filter)
{
	mvm_strv_finish(&filter->references);
}

/* As docker has it: one that keeps only digests is dangling, but is not left out for it. */
static bool dangling_fits(const struct cli_image_filter *filter, const struct mvm_image *image)
{
	if (!filter->has_dangling)
		return true;
	if (filter->dangling)
		return !mvm_image_names(image)->count;
	return mvm_image_names(image)->count || mvm_image_repo_digests(image)->count;
}

static bool has_shown_reference(const struct cli_image_filter *filter, const struct mvm_strv *references)
{
	for (size_t i = 0; i < references->count; i++)
		if (cli_image_filter_shows(filter, references->items[i]))
			return true;
	return false;
}

bool cli_image_filter_takes(const struct cli_image_filter *filter, const struct mvm_image *image)
{
	time_t created = mvm_image_created(image);
	const char *label;
	size_t at = 0;

	while ((label = cli_filter_next(filter->filters, "label", &at)))
		if (!mvm_image_has_label(image, label))
			return false;
	if (!dangling_fits(filter, image) || (filter->has_before && created >= filter->before) ||
	    (filter->has_since && created <= filter->since) || (filter->until && created > filter->until))
		return false;
	return !filter->references.count || has_shown_reference(filter, mvm_image_names(image)) ||
	       has_shown_reference(filter, mvm_image_repo_digests(image));
}

bool cli_image_filter_shows(const struct cli_image_filter *filter, const char *name)
{
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	char *familiar MVM_CLEAN_FREE = NULL, *repository MVM_CLEAN_FREE = NULL;

	if (!filter->references.count)
		return true;
	if (mvm_reference_parse(name, &reference, NULL) < 0)
		return false;
	familiar = mvm_reference_familiar(&reference);
	repository = mvm_reference_familiar_repository(&reference);
	/* Go's path.Match: "*" and "?" stop at a slash. */
	for (size_t i = 0; i < filter->references.count; i++) {
		const char *pattern = filter->references.items[i];

		if (!fnmatch(pattern, familiar, FNM_PATHNAME) || !fnmatch(pattern, repository, FNM_PATHNAME))
			return true;
	}
	return false;
}
