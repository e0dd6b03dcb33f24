/* One container, several runs: what the restart policy makes of an end, and what is new in the next round. */
#include "vm.h"

#include "runtime/base/log.h"
#include "runtime/state/restart_policy.h"

static void begin_with_policy(struct vm *vm, struct world *world, const char *policy, int64_t max)
{
	begin(vm, world, false);
	vm->supervisor.container->config.restart_policy = mvm_strdup(policy);
	vm->supervisor.container->config.restart_max = max;
	go_to(vm, PHASE_RUNNING);
}

/* From running to what comes after the end. */
static void exits(struct vm *vm, int code)
{
	process_exits(vm, code);
	output_ends(vm);
	event(vm, EVENT_GUEST_CLOSED);
	event(vm, EVENT_MACHINE_STOPPED);
}

static void runs_again(struct vm *vm)
{
	fake_timer_fire(vm->supervisor.phase_timer);
	event(vm, EVENT_AGENT_READY);
	event(vm, EVENT_PROCESS_STARTED);
	assert_int_equal(vm->supervisor.phase, PHASE_RUNNING);
}

static void expect_waiting(struct vm *vm, int exit_code, int64_t delay_ms)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = load(vm);

	assert_int_equal(vm->supervisor.phase, PHASE_WAITING);
	assert_int_equal(fake_timer_ms(vm->supervisor.phase_timer), delay_ms);
	assert_int_equal(container->state.status, MVM_STATUS_RESTARTING);
	assert_int_equal(container->state.exit_code, exit_code);
	assert_int_equal(container->state.restart_count, vm->supervisor.rounds);
	assert_int_equal(container->state.pid, getpid());
	assert_true(container->state.finished.tv_sec > 0);
	assert_false(fake_parts.loop_stopped);
}

static void each_round_has_everything_anew(void **state)
{
	struct vm vm;

	begin_with_policy(&vm, *state, "always", 0);
	vm.supervisor.boot_tries = 2;
	exits(&vm, 0);
	fake_parts_expect("shutdown plug release abandon end-of-round");
	expect_waiting(&vm, 0, MVM_RESTART_FIRST_MS);
	fake_timer_fire(vm.supervisor.phase_timer);
	fake_parts_expect("streams boot");
	assert_int_equal(vm.supervisor.boot_tries, 1);
	/* Until it runs it shows as restarting. */
	assert_true(rounds_restarting(&vm.supervisor));
	event(&vm, EVENT_AGENT_READY);
	event(&vm, EVENT_PROCESS_STARTED);
	fake_parts_expect("orders started");
	expect_status(&vm, MVM_STATUS_RUNNING);
	/* The outcome of this round is its own. */
	exits(&vm, 7);
	expect_waiting(&vm, 7, 2 * MVM_RESTART_FIRST_MS);
	event(&vm, EVENT_DESTROY);
	expect_final(&vm, MVM_STATUS_EXITED, 7, NULL);
	finish(&vm);
}

static void who_ran_long_enough_waits_a_moment_only(void **state)
{
	struct vm vm;

	begin_with_policy(&vm, *state, "unless-stopped", 0);
	for (int i = 0; i < 4; i++) {
		exits(&vm, 1);
		expect_waiting(&vm, 1, MVM_RESTART_FIRST_MS << i);
		runs_again(&vm);
	}
	fake_parts.now_ms += MVM_RESTART_STEADY_MS;
	exits(&vm, 1);
	expect_waiting(&vm, 1, MVM_RESTART_FIRST_MS);
	event(&vm, EVENT_DESTROY);
	finish(&vm);
}

static void failures_are_counted(void **state)
{
	struct vm vm;

	begin_with_policy(&vm, *state, "on-failure", 2);
	for (int i = 0; i < 2; i++) {
		exits(&vm, 3);
		runs_again(&vm);
	}
	exits(&vm, 3);
	expect_final(&vm, MVM_STATUS_EXITED, 3, NULL);
	assert_int_equal(vm.supervisor.container->state.restart_count, 2);
	finish(&vm);

	begin_with_policy(&vm, *state, "on-failure", 0);
	exits(&vm, 0);
	expect_final(&vm, MVM_STATUS_EXITED, 0, NULL);
	finish(&vm);
}

static void a_machine_that_died_is_followed_by_another(void **state)
{
	struct vm vm;

	begin_with_policy(&vm, *state, "on-failure", 0);
	machine_dies(&vm);
	output_ends(&vm);
	expect_waiting(&vm, 255, MVM_RESTART_FIRST_MS);
	assert_string_equal(vm.supervisor.container->state.error, "the VM died");
	runs_again(&vm);
	assert_null(vm.supervisor.container->state.error);
	assert_int_equal(vm.supervisor.container->state.exit_code, 0);
	exits(&vm, 0);
	expect_final(&vm, MVM_STATUS_EXITED, 0, NULL);
	finish(&vm);
}

static void a_start_that_fails_is_not_tried_again(void **state)
{
	struct mvm_error *err = NULL;
	struct vm vm;

	/* The first, which its client is told of. */
	begin(&vm, *state, false);
	vm.supervisor.container->config.restart_policy = mvm_strdup("always");
	go_to(&vm, PHASE_STARTING);
	mvm_fail(&err, MVM_ERR_NO_PROGRAM, "no such program");
	supervisor_failed(&vm.supervisor, err);
	event(&vm, EVENT_START_REFUSED);
	vm.supervisor.output_ended = true;
	event(&vm, EVENT_MACHINE_STOPPED);
	expect_final(&vm, MVM_STATUS_CREATED, 127, "no such program");
	finish(&vm);

	/* A later one: how it ended before is how it has ended. */
	begin_with_policy(&vm, *state, "always", 0);
	exits(&vm, 4);
	fake_timer_fire(vm.supervisor.phase_timer);
	event(&vm, EVENT_AGENT_READY);
	err = NULL;
	mvm_fail(&err, MVM_ERR_NO_PROGRAM, "no such program");
	supervisor_failed(&vm.supervisor, err);
	event(&vm, EVENT_START_REFUSED);
	vm.supervisor.output_ended = true;
	event(&vm, EVENT_MACHINE_STOPPED);
	expect_final(&vm, MVM_STATUS_EXITED, 4, "no such program");
	finish(&vm);
}

static void a_log_that_cannot_be_opened_ends_it(void **state)
{
	struct vm vm;

	begin_with_policy(&vm, *state, "always", 0);
	exits(&vm, 4);
	fake_parts.streams_fail = true;
	fake_timer_fire(vm.supervisor.phase_timer);
	expect_final(&vm, MVM_STATUS_EXITED, 4, "there is no room");
	finish(&vm);
}

static void the_user_has_the_last_word(void **state)
{
	struct vm vm;

	/* A stop ends whatever the policy is. */
	begin_with_policy(&vm, *state, "always", 0);
	rounds_stop_by_user(&vm.supervisor, true);
	supervisor_stop(&vm.supervisor, 15, 10);
	exits(&vm, 143);
	expect_final(&vm, MVM_STATUS_EXITED, 143, NULL);
	assert_true(vm.supervisor.container->state.stopped_by_user);
	finish(&vm);

	/* Another signal is remembered, and obeyed by "unless-stopped" alone. */
	begin_with_policy(&vm, *state, "unless-stopped", 0);
	rounds_stop_by_user(&vm.supervisor, false);
	exits(&vm, 1);
	expect_final(&vm, MVM_STATUS_EXITED, 1, NULL);
	finish(&vm);
	begin_with_policy(&vm, *state, "always", 0);
	rounds_stop_by_user(&vm.supervisor, false);
	exits(&vm, 1);
	expect_waiting(&vm, 1, MVM_RESTART_FIRST_MS);

	/* While the machine of the next round is on its way, too. */
	fake_timer_fire(vm.supervisor.phase_timer);
	vm.supervisor.final = true;
	event(&vm, EVENT_DESTROY);
	event(&vm, EVENT_MACHINE_STOPPED);
	expect_final(&vm, MVM_STATUS_EXITED, 1, NULL);
	finish(&vm);
}

/* It is known to have run, and to whom it belongs to be started after the next boot. */
static void a_host_that_goes_down_is_no_wish_of_the_user(void **state)
{
	struct vm vm;

	begin_with_policy(&vm, *state, "unless-stopped", 0);
	vm.supervisor.final = true;
	supervisor_stop(&vm.supervisor, 15, 10);
	exits(&vm, 143);
	expect_final(&vm, MVM_STATUS_EXITED, 143, NULL);
	assert_true(mvm_restart_at_boot(&vm.supervisor.container->config, &vm.supervisor.container->state));
	finish(&vm);
}

/* A `start` that finds it just ending bounds the wait for its last output, and no more. */
static void a_bounded_end_is_no_stop(void **state)
{
	struct vm vm;

	begin_with_policy(&vm, *state, "always", 0);
	process_exits(&vm, 0);
	supervisor_stop(&vm.supervisor, 15, 10);
	fake_timer_fire(vm.supervisor.stop_timer);
	event(&vm, EVENT_MACHINE_STOPPED);
	expect_waiting(&vm, 0, MVM_RESTART_FIRST_MS);
	runs_again(&vm);
	assert_false(vm.supervisor.stopping);
	/* Where the output came in time, the bound is not the next round's. */
	process_exits(&vm, 0);
	supervisor_stop(&vm.supervisor, 15, 10);
	assert_int_equal(fake_timer_ms(vm.supervisor.stop_timer), 10000);
	output_ends(&vm);
	event(&vm, EVENT_GUEST_CLOSED);
	event(&vm, EVENT_MACHINE_STOPPED);
	expect_waiting(&vm, 0, 2 * MVM_RESTART_FIRST_MS);
	assert_int_equal(fake_timer_ms(vm.supervisor.stop_timer), -1);
	runs_again(&vm);
	vm.supervisor.final = true;
	event(&vm, EVENT_DESTROY);
	vm.supervisor.output_ended = true;
	event(&vm, EVENT_MACHINE_STOPPED);
	finish(&vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_round_has_everything_anew, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(who_ran_long_enough_waits_a_moment_only, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(failures_are_counted, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(a_machine_that_died_is_followed_by_another, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(a_start_that_fails_is_not_tried_again, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(a_log_that_cannot_be_opened_ends_it, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(the_user_has_the_last_word, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(a_host_that_goes_down_is_no_wish_of_the_user, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(a_bounded_end_is_no_stop, world_setup, world_teardown),
	};

	mvm_log_open("test", -1, MVM_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
