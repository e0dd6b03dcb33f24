/*
 * Orders that the guest has not answered, and a watch over whether it answers at all: while one waits, silence makes
 * it be asked for a sign of life, and where that does not come either, all that wait fail with TIMEOUT. An order may
 * take long while the guest answers others, as an archive does.
 */
#ifndef MVM_SUPERVISOR_ORDERS_H
#define MVM_SUPERVISOR_ORDERS_H

#include <stdbool.h>
#include <stdint.h>

#include "internal.h"

struct pending;

struct orders {
	struct supervisor *supervisor;
	struct pending *pending;
	uint32_t last; /* order's number */
	struct mvm_timer *timer;
	bool heard; /* of the guest, since the timer began */
	bool asked; /* for a sign of life */
};

void orders_init(struct orders *orders, struct supervisor *supervisor);
/* Fails what is left: CONFLICT, the container has ended. */
void orders_finish(struct orders *orders);
/* The number for a new order. */
uint32_t orders_add(struct orders *orders, agent_done_fn done, void *arg);
void orders_answered(struct orders *orders, uint32_t number, const struct mvm_error *error);
/* Whatever it was that the guest said. */
void orders_heard(struct orders *orders);
/* All of them: the container has ended. */
void orders_fail(struct orders *orders);

#endif
