/*
 * --filter name=value, as often as one likes, and what images are chosen by.
 */
#ifndef MVM_CLI_FILTER_H
#define MVM_CLI_FILTER_H

#include <time.h>

#include "cli.h"

/* Checks that each is name=value with a known name; `known` ends with NULL. */
int cli_filters_check(const struct mvm_strv *filters, const char *const *known, struct mvm_error **err);
/* The values of one name: begin with *at = 0; NULL after the last. */
const char *cli_filter_next(const struct mvm_strv *filters, const char *name, size_t *at);

/* until=, label= and label!= of `prune`. */
int cli_prune_filter(const struct mvm_strv *filters, struct mvm_prune_filter *filter, struct mvm_error **err);

/* dangling=, label=, before=, since=, until= and reference= of `images`. */
struct cli_image_filter {
	bool has_dangling, dangling, has_before, has_since;
	time_t before, since, until;
	const struct mvm_strv *filters; /* borrowed, for labels */
	struct mvm_strv references;	/* patterns */
};
/* `pattern` is the command's argument; it may be NULL. */
int cli_image_filter_init(struct cli_image_filter *filter, struct mvm_store *store, const struct mvm_strv *filters,
			  const char *pattern, struct mvm_error **err);
void cli_image_filter_finish(struct cli_image_filter *filter);
bool cli_image_filter_takes(const struct cli_image_filter *filter, const struct mvm_image *image);
/* Whether a full reference, with tag or digest, is one of those asked for. */
bool cli_image_filter_shows(const struct cli_image_filter *filter, const char *reference);

#endif
