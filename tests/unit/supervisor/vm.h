/*
 * A container whose life is driven by hand, over fake parts: only its folder is real.
 */
#ifndef MVM_TESTS_UNIT_SUPERVISOR_VM_H
#define MVM_TESTS_UNIT_SUPERVISOR_VM_H

#include "fake_parts.h"

#include "tests/unit/state/world.h"

struct vm {
	struct world *world;
	struct supervisor supervisor;
	char *id;
};

/* What holds at the moment when clients learn of the end: they may act on it at once. */
static inline void check_at_exit(struct supervisor *supervisor)
{
	const char *id = supervisor->container->config.id;
	struct mvm_container *found MVM_CLEAN_CONTAINER = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	int lock MVM_CLEAN_FD = -1;

	if (supervisor->container->config.auto_remove) {
		assert_int_equal(access(supervisor->container->folder, F_OK), -1);
		return;
	}
	assert_ok(mvm_state_load(supervisor->state, id, &found, &err));
	assert_false(mvm_status_alive(found->state.status));
	assert_int_equal(mvm_state_lock(supervisor->state, id, &lock, &err), 0);
}

static inline void begin(struct vm *vm, struct world *world, bool auto_remove)
{
	struct supervisor *supervisor = &vm->supervisor;
	struct mvm_error *err = NULL;

	fake_parts_reset();
	fake_parts.at_exit = check_at_exit;
	*vm = (struct vm){.world = world, .supervisor = {.state = world->state, .lock_fd = -1}};
	vm->id = world_add(world, NULL, auto_remove, &supervisor->lock_fd);
	assert_ok(mvm_state_load(world->state, vm->id, &supervisor->container, &err));
	assert_ok(lifecycle_init(supervisor, &err));
	fake_parts_expect("");
}

static inline void finish(struct vm *vm)
{
	assert_true(fake_parts.loop_stopped);
	assert_int_equal(vm->supervisor.phase, PHASE_ENDED);
	mvm_error_free(vm->supervisor.refusal);
	mvm_container_free(vm->supervisor.container);
	mvm_close(&vm->supervisor.lock_fd);
	free(vm->id);
	fake_parts_reset();
}

static inline void event(struct vm *vm, enum event event)
{
	supervisor_event(&vm->supervisor, event);
}

static inline void output_ends(struct vm *vm)
{
	vm->supervisor.output_ended = true;
	event(vm, EVENT_OUTPUT_ENDED);
}

static inline void process_exits(struct vm *vm, int code)
{
	supervisor_exited(&vm->supervisor, code, false);
	event(vm, EVENT_PROCESS_EXITED);
}

static inline void machine_dies(struct vm *vm)
{
	struct mvm_error *err = NULL;

	mvm_fail(&err, MVM_ERR_MACHINE, "the VM died");
	supervisor_failed(&vm->supervisor, err);
	event(vm, EVENT_MACHINE_STOPPED);
}

/* From the start to a phase, by the events of an orderly life with exit code 42. */
static inline void go_to(struct vm *vm, enum phase phase)
{
	if (phase >= PHASE_BOOTING)
		event(vm, EVENT_START);
	if (phase == PHASE_REBOOTING)
		event(vm, EVENT_TIMEOUT);
	if (phase >= PHASE_STARTING)
		event(vm, EVENT_AGENT_READY);
	if (phase == PHASE_SERVING)
		event(vm, EVENT_GUEST_READY);
	if (phase >= PHASE_RUNNING)
		event(vm, EVENT_PROCESS_STARTED);
	if (phase >= PHASE_PAUSING && phase <= PHASE_RESUMING)
		event(vm, EVENT_PAUSE);
	if (phase == PHASE_PAUSED || phase == PHASE_RESUMING)
		event(vm, EVENT_MACHINE_PAUSED);
	if (phase == PHASE_RESUMING)
		event(vm, EVENT_RESUME);
	if (phase >= PHASE_DRAINING)
		process_exits(vm, 42);
	if (phase == PHASE_CLOSING || phase == PHASE_ENDING)
		output_ends(vm);
	if (phase == PHASE_ENDING)
		event(vm, EVENT_GUEST_CLOSED);
	/* The machine went while clients still took the output. */
	if (phase == PHASE_FLUSHING)
		event(vm, EVENT_MACHINE_STOPPED);
	assert_int_equal(vm->supervisor.phase, phase);
	mvm_buf_consume(&fake_parts.calls, fake_parts.calls.length);
}

static inline struct mvm_container *load(struct vm *vm)
{
	struct mvm_container *container = NULL;
	struct mvm_error *err = NULL;

	assert_ok(mvm_state_load(vm->world->state, vm->id, &container, &err));
	return container;
}

static inline void expect_status(struct vm *vm, enum mvm_status status)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = load(vm);

	assert_int_equal(container->state.status, status);
	assert_int_equal(container->state.pid, getpid());
}

static inline void expect_final(struct vm *vm, enum mvm_status status, int exit_code, const char *error)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = load(vm);

	assert_int_equal(container->state.status, status);
	assert_int_equal(container->state.exit_code, exit_code);
	assert_int_equal(container->state.pid, 0);
	if (!error)
		assert_null(container->state.error);
	else if (!container->state.error || !strstr(container->state.error, error))
		fail_msg("'%s' does not hold '%s'", container->state.error, error);
	assert_int_equal(container->state.finished.tv_sec > 0, status == MVM_STATUS_EXITED);
}

#endif
