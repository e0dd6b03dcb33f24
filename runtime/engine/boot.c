/*
 * What a docker daemon does when it starts and when it ends, for a host that has no daemon: what is to run after a boot
 * is started, and before the host goes down all that runs is stopped, without a word of the user's.
 *
 * Several machines boot at a time, as many as there are processors; stops, which mostly wait, are many more.
 */
#include "internal.h"

#include <stdlib.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/state/restart_policy.h"

#define STOPS 64

/* A request that was made and not answered. */
struct job {
	struct mvm_client *client;
	json_int_t id;
};

struct work {
	bool (*concerns)(const struct mvm_container *container);
	int (*begin)(struct mvm_engine *engine, const struct mvm_container *container, struct job *job,
		     struct mvm_error **err);
	/* It ended just then: success, 1 where there was nothing to do, or failure. */
	int (*crossed)(struct mvm_engine *engine, const struct mvm_container *container, struct mvm_error **err);
	enum mvm_error_code crossing; /* the error that says so */
	size_t at_once;
};

/* 1: nothing had to be done. */
static int finish_job(struct mvm_engine *engine, const struct mvm_container *container, const struct work *work,
		      struct job *job, int begun, struct mvm_error **err)
{
	int result = begun < 0 ? -1 : mvm_client_wait(job->client, job->id, err);

	mvm_client_destroy(job->client);
	if (result == 0)
		return 0;
	/* Somebody has removed it. */
	if (access(container->folder, F_OK) < 0)
		return 1;
	if (mvm_error_code(*err) != work->crossing)
		return -1;
	mvm_error_clear(err);
	return work->crossed(engine, container, err);
}

/* `list` holds what is to be done, no more than is done at once. */
static void do_batch(struct mvm_engine *engine, struct mvm_container *const *list, size_t count,
		     const struct work *work, const struct mvm_engine_report *report)
{
	struct job *jobs MVM_CLEAN_FREE = mvm_alloc(count * sizeof(*jobs));
	struct mvm_error **errors MVM_CLEAN_FREE = mvm_alloc(count * sizeof(*errors));
	int *begun MVM_CLEAN_FREE = mvm_alloc(count * sizeof(*begun));

	for (size_t i = 0; i < count; i++)
		begun[i] = work->begin(engine, list[i], &jobs[i], &errors[i]);
	for (size_t i = 0; i < count; i++) {
		if (finish_job(engine, list[i], work, &jobs[i], begun[i], &errors[i]) <= 0)
			report->done(report->arg, list[i], errors[i]);
		mvm_error_free(errors[i]);
	}
}

static int do_all(struct mvm_engine *engine, const struct work *work, const struct mvm_engine_report *report,
		  struct mvm_error **err)
{
	struct mvm_container **list;
	struct mvm_strv damaged MVM_CLEAN_STRV = {0};
	size_t count, chosen = 0;

	if (mvm_state_list_readable(mvm_engine_state(engine), &list, &count, &damaged, err) < 0)
		return -1;
	for (size_t i = 0; i < damaged.count; i++)
		report->damaged(report->arg, damaged.items[i]);
	/* The newest stand first; the oldest come first, as others may need them. Those left out go to the end. */
	for (size_t i = 0; i < count / 2; i++) {
		struct mvm_container *other = list[i];

		list[i] = list[count - 1 - i];
		list[count - 1 - i] = other;
	}
	for (size_t i = 0; i < count; i++) {
		struct mvm_container *container = list[i];

		if (!work->concerns(container))
			continue;
		list[i] = list[chosen];
		list[chosen++] = container;
	}
	for (size_t i = 0; i < chosen; i += work->at_once)
		do_batch(engine, list + i, chosen - i < work->at_once ? chosen - i : work->at_once, work, report);
	mvm_container_list_free(list, count);
	return 0;
}

static bool is_to_start(const struct mvm_container *container)
{
	return mvm_restart_at_boot(&container->config, &container->state);
}

/* Where another process is at the same, there is one start, and both hear of it. */
static int begin_start(struct mvm_engine *engine, const struct mvm_container *container, struct job *job,
		       struct mvm_error **err)
{
	struct mvm_container *found MVM_CLEAN_CONTAINER = NULL;
	bool own;

	if (mvm_engine_open_supervisor(engine, container->config.id, &found, &job->client, &own, err) < 0)
		return -1;
	return mvm_client_send(job->client, "start", NULL, &job->id, err);
}

static int start_again(struct mvm_engine *engine, const struct mvm_container *container, struct mvm_error **err)
{
	return mvm_engine_start(engine, container->config.id, NULL, err);
}

int mvm_engine_start_after_boot(struct mvm_engine *engine, const struct mvm_engine_report *report,
				struct mvm_error **err)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	const struct work work = {
		.concerns = is_to_start,
		.begin = begin_start,
		.crossed = start_again,
		.crossing = MVM_ERR_INTERRUPTED,
		.at_once = cpus > 1 ? (size_t)cpus : 1,
	};

	return do_all(engine, &work, report, err);
}

static bool is_to_stop(const struct mvm_container *container)
{
	return mvm_status_alive(container->state.status);
}

static int begin_stop(struct mvm_engine *engine, const struct mvm_container *container, struct job *job,
		      struct mvm_error **err)
{
	const struct mvm_container_config *config = &container->config;
	int signo;

	if (!mvm_parse_signal(config->stop_signal, &signo))
		signo = 15;
	if (mvm_engine_connect(engine, container, &job->client, err) < 0)
		return -1;
	return mvm_client_send(
		job->client, "stop",
		json_pack("{si, sI, sb}", "signo", signo, "timeout", (json_int_t)config->stop_timeout, "system", 1),
		&job->id, err);
}

static int has_ended(struct mvm_engine *engine, const struct mvm_container *container, struct mvm_error **err)
{
	return 1;
}

int mvm_engine_stop_for_shutdown(struct mvm_engine *engine, const struct mvm_engine_report *report,
				 struct mvm_error **err)
{
	const struct work work = {
		.concerns = is_to_stop,
		.begin = begin_stop,
		.crossed = has_ended,
		.crossing = MVM_ERR_CONFLICT,
		.at_once = STOPS,
	};

	return do_all(engine, &work, report, err);
}
