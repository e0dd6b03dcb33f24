/*
 * What changes a project: its containers, networks and volumes are made, started, stopped and taken away, by the rules
 * of docker compose (v2). What there is is told apart by labels (fleet.h), and nothing else is kept anywhere.
 *
 * Runs in `mvm`. Each step is a child process (work.h), and several commands may be at one project at once: who makes
 * or removes containers holds the project's lock meanwhile. Errors of a step name its container.
 */
#ifndef MVM_COMPOSE_UP_H
#define MVM_COMPOSE_UP_H

#include "compose.h"
#include "fleet.h"
#include "runtime/base/loop.h"
#include "runtime/engine/engine.h"

/* What becomes of something, for people. */
enum mvm_compose_phase { MVM_COMPOSE_WORKING, MVM_COMPOSE_DONE, MVM_COMPOSE_WARNING, MVM_COMPOSE_FAILED };

struct mvm_compose_sink {
	/* "Container web-1", "Started": docker's words. */
	void (*event)(void *arg, const char *what, enum mvm_compose_phase phase, const char *text);
	void (*warn)(void *arg, const char *text);
	void *arg;
};

/* What a command is about. All borrowed. */
struct mvm_compose_project {
	struct mvm_engine *engine;
	const struct mvm_compose_sink *sink;
	struct mvm_compose *compose; /* NULL: there are no files, and only what the labels say is known */
	const char *name;
	char *const *services; /* ends with NULL; NULL or empty: all of them */
	/* One of which no containers are made or started, but all that it depends on; NULL: none. */
	const char *only_needs;
};

enum mvm_compose_recreate { MVM_RECREATE_DIVERGED, MVM_RECREATE_FORCE, MVM_RECREATE_NEVER };

/* Patience with what is to stop, in seconds; not `given`: each container's own. */
struct mvm_compose_timeout {
	bool given;
	int64_t seconds;
};

struct mvm_compose_create {
	enum mvm_compose_recreate recreate;		 /* of the services that were named, or all */
	enum mvm_compose_recreate recreate_dependencies; /* of the others */
	bool renew_volumes;				 /* anonymous ones are not taken over */
	bool remove_orphans, ignore_orphans;
	struct mvm_compose_timeout timeout; /* of those that are replaced */
	const char *pull;		    /* for all services: "always", "missing", "never"; NULL: as each has it */
};
/* Images, networks, volumes and containers as the files have them; nothing is started. Only what has changed is made
 * again. The project must have its files. */
int mvm_compose_create(const struct mvm_compose_project *project, const struct mvm_compose_create *options,
		       struct mvm_error **err);

/* "SERVICE=N": as if the file said so. */
int mvm_compose_set_scale(struct mvm_compose *compose, const char *text, struct mvm_error **err);

/* Work that has been laid out and can be done in a loop of the caller's, who looks after signals there. It borrows the
 * project until it is destroyed. */
struct mvm_compose_job;
/* Until it is done, with SIGINT and SIGTERM as work.h has them. */
int mvm_compose_job_run(struct mvm_compose_job *job, struct mvm_error **err);
/* Or beside other things: `done` is told once, with an error that is its to free, or NULL, perhaps from within. */
void mvm_compose_job_begin(struct mvm_compose_job *job, struct mvm_loop *loop,
			   void (*done)(void *arg, struct mvm_error *error), void *arg);
/* Nothing more is started. */
void mvm_compose_job_cancel(struct mvm_compose_job *job);
void mvm_compose_job_destroy(struct mvm_compose_job *job);
static inline void mvm_compose_job_cleanup(struct mvm_compose_job **job)
{
	mvm_compose_job_destroy(*job);
}
#define MVM_CLEAN_JOB __attribute__((cleanup(mvm_compose_job_cleanup)))

struct mvm_compose_start {
	bool all_needed;      /* NOT_FOUND for a service that has no container */
	bool wait;	      /* until all run, and are healthy where they can be */
	int64_t wait_timeout; /* seconds; 0: for ever */
};
/* Starts what does not run, in the order of what depends on what. */
int mvm_compose_plan_start(const struct mvm_compose_project *project, const struct mvm_compose_start *options,
			   struct mvm_compose_job **job, struct mvm_error **err);

/* Does one thing to each container: stops in the reverse order, restarts in the order, and else in none. A service that
 * depends on one that is restarted, and says so, is restarted, too. */
enum mvm_compose_action {
	MVM_COMPOSE_STOP,
	MVM_COMPOSE_KILL,
	MVM_COMPOSE_RESTART,
	MVM_COMPOSE_PAUSE,
	MVM_COMPOSE_UNPAUSE,
	MVM_COMPOSE_REMOVE, /* those that do not run */
};
struct mvm_compose_act {
	enum mvm_compose_action action;
	enum mvm_oneoff oneoff;
	struct mvm_compose_timeout timeout;
	int signo;    /* of a kill */
	bool no_deps; /* of a restart */
	bool volumes; /* of a removal: anonymous ones, too */
};
/* 1: there is no container to do it to. */
int mvm_compose_plan_act(const struct mvm_compose_project *project, const struct mvm_compose_act *act,
			 struct mvm_compose_job **job, struct mvm_error **err);
/* Names of those that it is about; borrowed. */
const struct mvm_strv *mvm_compose_job_names(const struct mvm_compose_job *job);

/* One container beside those of a service: `run`. All borrowed; what is not said is the service's. */
struct mvm_compose_oneoff {
	const char *service;
	const char *name, *user, *working_dir;
	const char *entrypoint; /* words, as in a file; "" takes the image's away */
	const struct mvm_strv *command;
	const struct mvm_strv *env, *labels, *volumes, *publish, *cap_add, *cap_drop;
	bool tty, interactive, auto_remove, service_ports, use_aliases, detach;
};
/* Makes it; *lock as mvm_engine_create() has it. The images must be here. */
int mvm_compose_make_oneoff(const struct mvm_compose_project *project, const struct mvm_compose_oneoff *oneoff,
			    struct mvm_container **container, int *lock, struct mvm_error **err);

/* The images of services, all at once. `policy` "missing" leaves out those that are here, NULL those that the files do
 * not want pulled. */
struct mvm_compose_pull {
	const char *policy;
	bool ignore_failures, ignore_buildable;
};
int mvm_compose_pull(const struct mvm_compose_project *project, const struct mvm_compose_pull *options,
		     struct mvm_error **err);
/* Those that have both a build and a name. */
int mvm_compose_push(const struct mvm_compose_project *project, bool ignore_failures, struct mvm_error **err);

struct mvm_compose_down {
	bool volumes, remove_orphans;
	const char *images; /* "local": those that have no name of their own, "all", or NULL */
	struct mvm_compose_timeout timeout;
};
int mvm_compose_down(const struct mvm_compose_project *project, const struct mvm_compose_down *options,
		     struct mvm_error **err);

#endif
