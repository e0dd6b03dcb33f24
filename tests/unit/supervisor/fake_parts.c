#include "fake_parts.h"

#include "runtime/supervisor/network.h"
#include "runtime/supervisor/publish.h"
#include "runtime/supervisor/shares.h"
#include "runtime/supervisor/sockets.h"
#include "runtime/supervisor/volumes.h"
#include "tests/unit/unit.h"

struct fake_parts fake_parts;

struct mvm_timer {
	mvm_timer_fn fn;
	void *arg;
	int64_t milliseconds; /* -1: stopped */
};

static struct mvm_timer timers[8];
static size_t timer_count;

void fake_parts_reset(void)
{
	mvm_buf_finish(&fake_parts.calls);
	fake_parts = (struct fake_parts){0};
	timer_count = 0;
}

void fake_parts_expect(const char *calls)
{
	assert_string_equal(fake_parts.calls.data ? fake_parts.calls.data : "", calls);
	mvm_buf_consume(&fake_parts.calls, fake_parts.calls.length);
}

static void called(const char *what)
{
	mvm_buf_addf(&fake_parts.calls, "%s%s", fake_parts.calls.length ? " " : "", what);
}

/* A container's life has enough words without them. */
static void called_by_helper(const struct supervisor *supervisor, const char *what)
{
	if (supervisor->helper)
		called(what);
}

/* Networks: none, which is to be there at once. */

bool network_is_ready(const struct network *network)
{
	return !fake_parts.network_missing;
}

void network_leave(struct network *network)
{
}

void publish_note(const struct publish *publish, struct mvm_strv *ports)
{
}

void publish_open(struct publish *publish, struct mvm_vsock *vsock)
{
}

void sockets_open(struct sockets *sockets)
{
}

void sockets_finish(struct sockets *sockets)
{
}

void publish_finish(struct publish *publish)
{
}

void network_note_events(const struct network *network, const char *action)
{
}

void network_run_changes(struct network *network)
{
}

void shares_watch(struct shares *shares, bool on)
{
}

void volumes_close(struct volumes *volumes)
{
}

void network_note(const struct network *network, struct mvm_strv *endpoints)
{
}

/* Timers and the loop: runtime/base/loop.h */

struct mvm_timer *mvm_loop_timer(struct mvm_loop *loop, mvm_timer_fn fn, void *arg)
{
	assert_true(timer_count < MVM_COUNT(timers));
	timers[timer_count] = (struct mvm_timer){.fn = fn, .arg = arg, .milliseconds = -1};
	return &timers[timer_count++];
}

void mvm_timer_start(struct mvm_timer *timer, uint64_t milliseconds)
{
	timer->milliseconds = (int64_t)milliseconds;
}

void mvm_timer_stop(struct mvm_timer *timer)
{
	timer->milliseconds = -1;
}

uint64_t mvm_now_ns(void)
{
	return fake_parts.now_ms * 1000000;
}

void mvm_loop_stop(struct mvm_loop *loop)
{
	fake_parts.loop_stopped = true;
}

int64_t fake_timer_ms(const struct mvm_timer *timer)
{
	return timer->milliseconds;
}

void fake_timer_fire(struct mvm_timer *timer)
{
	assert_true(timer->milliseconds >= 0);
	timer->milliseconds = -1;
	timer->fn(timer->arg);
}

/* machine.c */

int machine_boot(struct supervisor *supervisor, struct mvm_error **err)
{
	called(supervisor->accel == MVM_ACCEL_TCG ? "boot-tcg" : "boot");
	if (fake_parts.boot_fails)
		return mvm_fail(err, MVM_ERR_NOT_FOUND, "there is no kernel");
	supervisor->machine = (struct mvm_machine *)&fake_parts;
	return 0;
}

void machine_kill(struct supervisor *supervisor)
{
	assert_non_null(supervisor->machine);
	called("plug");
}

void machine_pause(struct supervisor *supervisor)
{
	called("pause");
}

void machine_resume(struct supervisor *supervisor)
{
	called("resume");
}

void machine_release(struct supervisor *supervisor)
{
	supervisor->machine = NULL;
	called("release");
}

/* agent.c */

void agent_start_process(struct agent *agent)
{
	called("orders");
}

void agent_prepare(struct agent *agent)
{
	called("prepare");
}

void agent_signal(struct agent *agent, uint32_t process, int signo, agent_done_fn done, void *arg)
{
	char *text MVM_CLEAN_FREE = mvm_format("signal:%d", signo);

	called(text);
}

void agent_resize(struct agent *agent, uint32_t process, int rows, int cols, agent_done_fn done, void *arg)
{
	char *text MVM_CLEAN_FREE = mvm_format("resize:%u:%dx%d", process, rows, cols);

	called(text);
}

void agent_set_clock(struct agent *agent)
{
	called("clock");
}

void agent_shutdown(struct agent *agent)
{
	called("shutdown");
}

/* archives.c */

void archives_ready(struct supervisor *supervisor)
{
	called_by_helper(supervisor, "archives");
}

void archives_end(struct supervisor *supervisor)
{
	called_by_helper(supervisor, "archives-end");
}

/* execs.c */

void execs_end(struct supervisor *supervisor)
{
}

/* health.c */

void health_start(struct supervisor *supervisor)
{
}

void health_pause(struct supervisor *supervisor)
{
}

void health_resume(struct supervisor *supervisor)
{
}

void health_end(struct supervisor *supervisor)
{
}

/* streams.c */

void streams_abandon(struct streams *streams)
{
	called("abandon");
}

int streams_create(struct mvm_loop *loop, const struct streams_config *config, const struct streams_events *events,
		   void *arg, struct streams **out, struct mvm_error **err)
{
	called("streams");
	return fake_parts.streams_fail ? mvm_fail(err, MVM_ERR_IO, "there is no room") : 0;
}

void streams_destroy(struct streams *streams)
{
}

/* clients.c */

void clients_between_rounds(struct supervisor *supervisor)
{
	called("end-of-round");
}

void clients_logged(struct supervisor *supervisor)
{
}

void clients_started(struct supervisor *supervisor, const struct mvm_error *error)
{
	char *text MVM_CLEAN_FREE = mvm_format("refused:%s", mvm_error_code_name(mvm_error_code(error)));

	called(error ? text : "started");
}

void clients_answer(struct supervisor *supervisor, enum waiter_kind kind, const struct mvm_error *error)
{
	char *text MVM_CLEAN_FREE = mvm_format("%s%s", error ? "not-" : "", kind == WAIT_PAUSED ? "paused" : "resumed");

	called(text);
}

void clients_ended(struct supervisor *supervisor)
{
	if (supervisor->refusal)
		clients_started(supervisor, supervisor->refusal);
}

void clients_exited(struct supervisor *supervisor)
{
	called("exited");
	if (fake_parts.at_exit)
		fake_parts.at_exit(supervisor);
}
