/*
 * `events --filter`, as docker's daemon understands it.
 */
#ifndef MVM_CLI_EVENT_FILTER_H
#define MVM_CLI_EVENT_FILTER_H

#include <stdbool.h>

#include "runtime/base/mem.h"
#include "runtime/state/events.h"

struct mvm_error;

/* Names that docker knows, those of kinds of things that are not here included. */
int cli_event_filters_check(const struct mvm_strv *filters, struct mvm_error **err);
/* One value of each name must fit; of `label`, all. */
bool cli_event_is_wanted(const struct mvm_event *event, const struct mvm_strv *filters);

#endif
