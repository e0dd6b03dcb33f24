#include "orders.h"

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"

#define SILENCE_MS     10000 /* before it is asked for a sign of life, and again before it is taken to hang */
#define SILENCE_MAX_MS 30000 /* on a host that is busy */

struct pending {
	struct pending *next;
	uint32_t number;
	agent_done_fn done;
	void *arg;
};

static void fail_all(struct orders *orders, const struct mvm_error *error)
{
	while (orders->pending) {
		struct pending *pending = orders->pending;

		orders->pending = pending->next;
		if (pending->done)
			pending->done(pending->arg, error);
		free(pending);
	}
}

void orders_fail(struct orders *orders)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	mvm_fail(&err, MVM_ERR_CONFLICT, "the container has ended");
	fail_all(orders, err);
}

static void watch(struct orders *orders)
{
	uint64_t limit = supervisor_patience(SILENCE_MS);

	orders->heard = false;
	mvm_timer_start(orders->timer, limit < SILENCE_MAX_MS ? limit : SILENCE_MAX_MS);
}

/* The starts and ends of a life have limits of their own, and a machine that is paused says nothing. */
static bool should_answer(const struct supervisor *supervisor)
{
	return supervisor->phase == PHASE_RUNNING || supervisor->phase == PHASE_SERVING;
}

static void silence(void *arg)
{
	struct orders *orders = arg;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	if (!orders->pending)
		return;
	if (orders->heard || !should_answer(orders->supervisor)) {
		orders->asked = false;
		watch(orders);
	} else if (!orders->asked) {
		orders->asked = true;
		watch(orders);
		agent_set_clock(orders->supervisor->agent);
	} else {
		mvm_fail(&err, MVM_ERR_TIMEOUT, "the VM hangs: it does not answer; 'mvm rm -f' or 'mvm stop' ends it");
		mvm_log(MVM_LOG_WARN, "%s", mvm_error_message(err));
		orders->asked = false;
		fail_all(orders, err);
	}
}

void orders_init(struct orders *orders, struct supervisor *supervisor)
{
	*orders = (struct orders){.supervisor = supervisor};
	orders->timer = mvm_loop_timer(supervisor->loop, silence, orders);
}

void orders_finish(struct orders *orders)
{
	mvm_timer_remove(orders->timer);
	orders->timer = NULL;
	orders_fail(orders);
}

uint32_t orders_add(struct orders *orders, agent_done_fn done, void *arg)
{
	struct pending *pending = mvm_alloc(sizeof(*pending));
	bool first = !orders->pending;

	*pending = (struct pending){.next = orders->pending, .number = ++orders->last, .done = done, .arg = arg};
	orders->pending = pending;
	if (first) {
		orders->asked = false;
		watch(orders);
	}
	return pending->number;
}

void orders_answered(struct orders *orders, uint32_t number, const struct mvm_error *error)
{
	for (struct pending **at = &orders->pending; *at; at = &(*at)->next) {
		struct pending *pending = *at;

		if (pending->number != number)
			continue;
		*at = pending->next;
		if (pending->done)
			pending->done(pending->arg, error);
		free(pending);
		return;
	}
	mvm_log(MVM_LOG_WARN, "the guest answers request %u, which nobody made", number);
}

void orders_heard(struct orders *orders)
{
	orders->heard = true;
	orders->asked = false;
}
