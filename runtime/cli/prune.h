/*
 * What `container prune`, `image prune` and `system prune` share: the question, what is said of what went, and the
 * bytes that came back.
 */
#ifndef MVM_CLI_PRUNE_H
#define MVM_CLI_PRUNE_H

#include "cli.h"

/* 0 yes; INTERRUPTED where the answer is another one. `what` is cancelled: "image prune". */
int cli_confirm(const char *warning, const char *what, struct mvm_error **err);
/* Prunes and says what went. */
int cli_prune_images(struct mvm_engine *engine, bool all, const struct mvm_prune_filter *filter, uint64_t *reclaimed,
		     struct mvm_error **err);
int cli_prune_containers(struct mvm_engine *engine, const struct mvm_prune_filter *filter, uint64_t *reclaimed,
			 struct mvm_error **err);
void cli_print_reclaimed(uint64_t reclaimed);

/* network_prune.c */
int cli_prune_networks(struct mvm_engine *engine, const struct mvm_prune_filter *filter, struct mvm_error **err);

/* volume_prune.c */
int cli_prune_volumes(struct mvm_engine *engine, bool all, const struct mvm_prune_filter *filter, uint64_t *reclaimed,
		      struct mvm_error **err);

#endif
