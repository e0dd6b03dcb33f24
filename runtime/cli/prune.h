/*
 * What `image prune` and `system prune` share: the question, what is said of what went, and the bytes that came back.
 */
#ifndef MVM_CLI_PRUNE_H
#define MVM_CLI_PRUNE_H

#include "cli.h"

/* 0 yes; INTERRUPTED where the answer is another one. `what` is cancelled: "image prune". */
int cli_confirm(const char *warning, const char *what, struct mvm_error **err);
void cli_print_removed_images(const struct mvm_store_removed *removed);
/* `before` is what mvm_engine_allocated() said. */
void cli_print_reclaimed(struct mvm_engine *engine, uint64_t before);

#endif
