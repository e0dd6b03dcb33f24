/* What the files that change a project share. */
#ifndef MVM_COMPOSE_CONDUCT_H
#define MVM_COMPOSE_CONDUCT_H

#include "fleet.h"
#include "graph.h"
#include "up.h"
#include "work.h"

/* In the parent: told at once. */
void conduct_tell(const struct mvm_compose_project *project, enum mvm_compose_phase phase, const char *text,
		  const char *format, ...) __attribute__((format(printf, 4, 5)));
void conduct_warn(const struct mvm_compose_project *project, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Who makes or removes a project's containers holds this, so that two commands do not both make what is missing. */
int conduct_lock(const struct mvm_compose_project *project, int *lock, struct mvm_error **err);

/* The project's containers, whether they run or not; those of `run` too where `oneoff` says so. */
int conduct_load(const struct mvm_compose_project *project, enum mvm_oneoff oneoff, struct mvm_fleet *fleet,
		 struct mvm_error **err);
/* From the files where there are some, else from the labels of the fleet. */
void conduct_graph(const struct mvm_compose_project *project, const struct mvm_fleet *fleet, struct graph *graph);
/* Whether the service is one of those that were named, or none was. */
bool conduct_is_named(const struct mvm_compose_project *project, const char *service);

/* images.c: pulled where they are to be, all at once; then each member knows its image. */
int conduct_images(const struct mvm_compose_project *project, struct graph *graph, const char *policy,
		   struct mvm_error **err);
/* The same where they must be here. */
int conduct_find_images(const struct mvm_compose_project *project, struct graph *graph, struct mvm_error **err);
/* resources.c */
int conduct_networks(const struct mvm_compose_project *project, struct mvm_error **err);
int conduct_volumes(const struct mvm_compose_project *project, struct mvm_error **err);
/* ports.c: two of one number on the host. */
int conduct_check_ports(const struct mvm_compose_project *project, const struct graph *graph, struct mvm_error **err);

/* One container, and what is to be done to it. All borrowed. */
struct task {
	const struct mvm_compose_project *project;
	const struct member *member;
	const struct mvm_container *container; /* that is there */
	char *name;			       /* of one that is to be; owned */
	int64_t number;
	const struct mvm_container *replaced; /* its anonymous volumes are taken over */
	struct mvm_compose_timeout timeout;
	bool volumes;
	int signo;
};
/* As many as are asked for; the steps borrow them. */
struct tasks {
	struct task **items;
	size_t count;
};
struct task *tasks_add(struct tasks *tasks, struct task task);
void tasks_finish(struct tasks *tasks);
#define CLEAN_TASKS __attribute__((cleanup(tasks_finish)))

struct mvm_compose_job {
	const struct mvm_compose_project *project;
	struct mvm_fleet fleet;
	struct graph graph;
	struct work *work;
	struct tasks tasks;
	struct mvm_strv names;
	struct awaited **awaited; /* start.c */
	size_t awaited_count;
};
/* With the fleet and the graph. NULL on failure. */
struct mvm_compose_job *job_create(const struct mvm_compose_project *project, enum mvm_oneoff oneoff,
				   struct mvm_error **err);
/* A step about one of its containers, between the service's beginning and its end where `member` is not NULL. */
struct step *job_add(struct mvm_compose_job *job, step_fn fn, const struct member *member, struct task task);

/* container_steps.c: steps, each with a task. */
int step_create(struct step_context *context, void *arg, struct mvm_error **err);
int step_recreate(struct step_context *context, void *arg, struct mvm_error **err);
int step_start(struct step_context *context, void *arg, struct mvm_error **err);
int step_stop(struct step_context *context, void *arg, struct mvm_error **err);
int step_remove(struct step_context *context, void *arg, struct mvm_error **err); /* stops it first */
int step_rename(struct step_context *context, void *arg, struct mvm_error **err);
int step_kill(struct step_context *context, void *arg, struct mvm_error **err);
int step_restart(struct step_context *context, void *arg, struct mvm_error **err);
int step_pause(struct step_context *context, void *arg, struct mvm_error **err);
int step_unpause(struct step_context *context, void *arg, struct mvm_error **err);
int step_drop(struct step_context *context, void *arg, struct mvm_error **err); /* that does not run */
/* The containers that a service's volumes_from means: "service[:ro]" and "container:name[:ro]". */
int find_lenders(struct mvm_engine *engine, const char *project, const struct node *service, struct mvm_strv *lenders,
		 struct mvm_error **err);

/* "PROJECT-SERVICE-N", or the service's own. The caller's. */
char *container_name(const struct mvm_compose_project *project, const struct member *member, int64_t number);

#endif
