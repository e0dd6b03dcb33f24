/*
 * Work of many steps, as parallel as their order allows. A step blocks, so each is a child process of its own, which
 * tells what it does; the parent holds the one loop, starts what may be started, and passes on what is told.
 *
 * A child ends with its parent (Linux), so that whoever comes after one that was killed is alone with what there is.
 */
#ifndef MVM_COMPOSE_WORK_H
#define MVM_COMPOSE_WORK_H

#include "runtime/base/loop.h"
#include "runtime/engine/engine.h"
#include "up.h"

struct work;
struct step;

/* What a step has in its process. */
struct step_context {
	struct mvm_engine *engine; /* its own */
	int fd;			   /* to the parent */
};
typedef int (*step_fn)(struct step_context *context, void *arg, struct mvm_error **err);
/* From within a step. */
void step_tell(struct step_context *context, enum mvm_compose_phase phase, const char *text, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void step_warn(struct step_context *context, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The sink is borrowed. */
struct work *work_create(const struct mvm_compose_sink *sink);
void work_destroy(struct work *work);
static inline void work_cleanup(struct work **work)
{
	work_destroy(*work);
}
#define CLEAN_WORK __attribute__((cleanup(work_cleanup)))

/* `arg` is borrowed until the work is done. NULL for `fn`: it does nothing, and stands for all that it comes after. */
struct step *work_add(struct work *work, step_fn fn, void *arg);
/* `before` may be NULL. */
void step_after(struct step *step, const struct step *before);
/* It may be ended at any moment, for it changes nothing, or leaves nothing half done. */
void step_may_end(struct step *step);
/* So too, and it has no part in COMPOSE_PARALLEL_LIMIT: what it waits for may be another step's doing. */
void step_only_waits(struct step *step);

/* Until all steps are done. After the first failure, or SIGINT or SIGTERM, no other is started, those that may be ended
 * are, and the others come to their end. The error is the first one; INTERRUPTED, "canceled", after a signal. */
int work_run(struct work *work, struct mvm_error **err);
/* The same within a loop of the caller's, who looks after signals: `done` is told once, with the error, which is its
 * to free, or NULL. It may be called from within this. */
typedef void (*work_fn)(void *arg, struct mvm_error *error);
void work_begin(struct work *work, struct mvm_loop *loop, work_fn done, void *arg);
void work_cancel(struct work *work);

#endif
