/*
 * What `ps --filter` chooses by. Values of one name are alternatives, but for labels, all of which must be there.
 */
#ifndef MVM_CLI_CONTAINER_FILTER_H
#define MVM_CLI_CONTAINER_FILTER_H

#include "cli.h"

struct cli_container_filter {
	const struct mvm_strv *filters; /* borrowed */
	bool any_status;		/* they name states, so it is not about those that run alone */
	bool has_before, has_since;
	struct timespec before, since;
	struct mvm_strv image_ids; /* of ancestor= */
};

/* USAGE for a filter or value that does not exist, NOT_FOUND for a container of before= or since= that does not. */
int cli_container_filter_init(struct cli_container_filter *filter, struct mvm_engine *engine,
			      const struct mvm_strv *filters, struct mvm_error **err);
void cli_container_filter_finish(struct cli_container_filter *filter);
#define MVM_CLEAN_CONTAINER_FILTER __attribute__((cleanup(cli_container_filter_finish)))
bool cli_container_filter_takes(const struct cli_container_filter *filter, const struct mvm_container *container);

#endif
