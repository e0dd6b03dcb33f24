/*
 * The state machine of one VM, with everything around it faked but the container's folder: which calls are made in
 * which order, and what stands in state.json at the end.
 */
#include "vm.h"

#include "runtime/base/log.h"

/* Orderly lives */

static void a_program_runs_and_exits(void **state)
{
	struct vm vm;

	begin(&vm, *state, false);
	expect_status(&vm, MVM_STATUS_STARTING);
	event(&vm, EVENT_START);
	fake_parts_expect("boot");
	event(&vm, EVENT_AGENT_READY);
	fake_parts_expect("orders");
	expect_status(&vm, MVM_STATUS_STARTING);
	event(&vm, EVENT_PROCESS_STARTED);
	fake_parts_expect("started");
	expect_status(&vm, MVM_STATUS_RUNNING);
	assert_true(supervisor_has_process(&vm.supervisor));
	process_exits(&vm, 42);
	assert_false(supervisor_has_process(&vm.supervisor));
	fake_parts_expect("");
	output_ends(&vm);
	fake_parts_expect("shutdown");
	event(&vm, EVENT_GUEST_CLOSED);
	fake_parts_expect("plug");
	event(&vm, EVENT_MACHINE_STOPPED);
	fake_parts_expect("release abandon exited");
	expect_final(&vm, MVM_STATUS_EXITED, 42, NULL);
	finish(&vm);
}

/* Orders tell of the networks, so they wait until these are known. */
static void orders_wait_for_the_network(void **state)
{
	struct vm vm;

	begin(&vm, *state, false);
	event(&vm, EVENT_START);
	fake_parts_expect("boot");
	fake_parts.network_missing = true;
	event(&vm, EVENT_AGENT_READY);
	fake_parts_expect("");
	assert_int_equal(vm.supervisor.phase, PHASE_STARTING);
	fake_parts.network_missing = false;
	event(&vm, EVENT_NETWORK_READY);
	fake_parts_expect("orders");
	event(&vm, EVENT_PROCESS_STARTED);
	fake_parts_expect("started");
	/* A network that is joined again later is no news to the guest. */
	event(&vm, EVENT_NETWORK_READY);
	fake_parts_expect("");
	process_exits(&vm, 0);
	output_ends(&vm);
	event(&vm, EVENT_GUEST_CLOSED);
	event(&vm, EVENT_MACHINE_STOPPED);
	expect_final(&vm, MVM_STATUS_EXITED, 0, NULL);
	finish(&vm);
}

static void output_may_end_before_the_program(void **state)
{
	struct vm vm;

	begin(&vm, *state, false);
	go_to(&vm, PHASE_RUNNING);
	output_ends(&vm);
	fake_parts_expect("");
	assert_int_equal(vm.supervisor.phase, PHASE_RUNNING);
	process_exits(&vm, 0);
	fake_parts_expect("shutdown");
	event(&vm, EVENT_GUEST_CLOSED);
	event(&vm, EVENT_MACHINE_STOPPED);
	fake_parts_expect("plug release abandon exited");
	expect_final(&vm, MVM_STATUS_EXITED, 0, NULL);
	finish(&vm);
}

/* Nobody looks at its disk again, so nothing waits for the guest. */
static void one_to_be_removed_goes_without_ceremony(void **state)
{
	struct world *world = *state;
	struct vm vm;

	begin(&vm, world, true);
	go_to(&vm, PHASE_RUNNING);
	process_exits(&vm, 3);
	output_ends(&vm);
	fake_parts_expect("plug");
	event(&vm, EVENT_MACHINE_STOPPED);
	fake_parts_expect("release abandon exited");
	assert_int_equal(vm.supervisor.container->state.exit_code, 3);
	assert_int_equal(world_count(world), 0);
	finish(&vm);
}

/* But at its volumes, whether it ends by itself, by force or by force as it is paused; and a second one who has no
 * patience is none the faster. */
static void one_with_volumes_is_closed_first(void **state)
{
	static int volumes;
	static const struct {
		enum phase phase;
		enum event event;
		const char *calls;
	} cases[] = {
		{PHASE_RUNNING, EVENT_PROCESS_EXITED, "shutdown"},
		{PHASE_RUNNING, EVENT_DESTROY, "shutdown"},
		{PHASE_PAUSED, EVENT_DESTROY, "resume shutdown"},
		{PHASE_DRAINING, EVENT_DESTROY, "shutdown"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct vm vm;

		begin(&vm, *state, true);
		vm.supervisor.volumes = (struct volumes *)&volumes;
		go_to(&vm, cases[i].phase);
		if (cases[i].event == EVENT_DESTROY)
			event(&vm, EVENT_DESTROY);
		else
			process_exits(&vm, 0);
		if (cases[i].event != EVENT_DESTROY)
			output_ends(&vm);
		fake_parts_expect(cases[i].calls);
		assert_int_equal(vm.supervisor.phase, PHASE_CLOSING);
		assert_true(fake_timer_ms(vm.supervisor.phase_timer) > 0);
		event(&vm, EVENT_DESTROY);
		fake_parts_expect("");
		vm.supervisor.output_ended = true;
		event(&vm, EVENT_GUEST_CLOSED);
		event(&vm, EVENT_MACHINE_STOPPED);
		finish(&vm);
		assert_int_equal(world_count(*state), 0);
	}
}

static void paused_and_unpaused(void **state)
{
	struct vm vm;

	begin(&vm, *state, false);
	go_to(&vm, PHASE_RUNNING);
	event(&vm, EVENT_PAUSE);
	fake_parts_expect("pause");
	expect_status(&vm, MVM_STATUS_RUNNING);
	event(&vm, EVENT_MACHINE_PAUSED);
	fake_parts_expect("paused");
	expect_status(&vm, MVM_STATUS_PAUSED);
	assert_true(supervisor_has_process(&vm.supervisor));
	event(&vm, EVENT_RESUME);
	fake_parts_expect("resume");
	event(&vm, EVENT_MACHINE_RESUMED);
	fake_parts_expect("clock resumed");
	expect_status(&vm, MVM_STATUS_RUNNING);
	process_exits(&vm, 0);
	output_ends(&vm);
	event(&vm, EVENT_GUEST_CLOSED);
	event(&vm, EVENT_MACHINE_STOPPED);
	finish(&vm);
}

/* The word was on its way when the machine was stopped; the disk is yet to be left in order. */
static void one_that_ends_as_it_is_paused_is_closed(void **state)
{
	static const enum phase phases[] = {PHASE_PAUSING, PHASE_PAUSED};

	for (size_t i = 0; i < MVM_COUNT(phases); i++) {
		struct vm vm;

		begin(&vm, *state, false);
		go_to(&vm, phases[i]);
		process_exits(&vm, 6);
		fake_parts_expect("resume");
		output_ends(&vm);
		fake_parts_expect("shutdown");
		event(&vm, EVENT_GUEST_CLOSED);
		event(&vm, EVENT_MACHINE_STOPPED);
		expect_final(&vm, MVM_STATUS_EXITED, 6, NULL);
		finish(&vm);
	}
}

/* A restart keeps it, and its disk is left clean. */
static void one_to_be_removed_is_kept_by_a_restart(void **state)
{
	struct world *world = *state;
	struct vm vm;

	begin(&vm, world, true);
	go_to(&vm, PHASE_RUNNING);
	vm.supervisor.kept = true;
	process_exits(&vm, 3);
	output_ends(&vm);
	fake_parts_expect("shutdown");
	event(&vm, EVENT_GUEST_CLOSED);
	fake_parts.at_exit = NULL;
	event(&vm, EVENT_MACHINE_STOPPED);
	expect_final(&vm, MVM_STATUS_EXITED, 3, NULL);
	finish(&vm);
}

static void out_of_memory_is_noted(void **state)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct vm vm;

	begin(&vm, *state, false);
	go_to(&vm, PHASE_RUNNING);
	supervisor_exited(&vm.supervisor, 137, true);
	event(&vm, EVENT_PROCESS_EXITED);
	output_ends(&vm);
	event(&vm, EVENT_GUEST_CLOSED);
	event(&vm, EVENT_MACHINE_STOPPED);
	container = load(&vm);
	assert_true(container->state.oom_killed);
	assert_int_equal(container->state.exit_code, 137);
	finish(&vm);
}

static void the_terminal_gets_the_size_that_changed_meanwhile(void **state)
{
	struct vm vm;

	begin(&vm, *state, false);
	vm.supervisor.container->config.tty = true;
	go_to(&vm, PHASE_STARTING);
	vm.supervisor.rows = 50;
	vm.supervisor.cols = 132;
	event(&vm, EVENT_PROCESS_STARTED);
	fake_parts_expect("resize:1:50x132 started");
	event(&vm, EVENT_DESTROY);
	event(&vm, EVENT_MACHINE_STOPPED);
	output_ends(&vm);
	finish(&vm);
}

static void kvm_that_cannot_gives_way_to_emulation(void **state)
{
	struct vm vm;

	begin(&vm, *state, false);
	go_to(&vm, PHASE_BOOTING);
	event(&vm, EVENT_ACCEL_UNUSABLE);
	fake_parts_expect("boot-tcg");
	assert_int_equal(vm.supervisor.phase, PHASE_BOOTING);
	assert_true(fake_timer_ms(vm.supervisor.phase_timer) > 0);
	event(&vm, EVENT_AGENT_READY);
	fake_parts_expect("orders");
	/* From now on it means nothing. */
	event(&vm, EVENT_ACCEL_UNUSABLE);
	fake_parts_expect("");
	event(&vm, EVENT_DESTROY);
	output_ends(&vm);
	event(&vm, EVENT_MACHINE_STOPPED);
	finish(&vm);
}

/* Starts that fail */

static void a_refused_start_leaves_a_created_container(void **state)
{
	static const struct {
		enum mvm_error_code code;
		int status;
		const char *word;
	} cases[] = {
		{MVM_ERR_NO_PROGRAM, 127, "refused:no-program"},
		{MVM_ERR_CANNOT_RUN, 126, "refused:cannot-run"},
		{MVM_ERR_NOT_FOUND, 125, "refused:not-found"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		char *calls MVM_CLEAN_FREE = mvm_format("release abandon %s exited", cases[i].word);
		struct mvm_error *err = NULL;
		struct vm vm;

		begin(&vm, *state, false);
		go_to(&vm, PHASE_STARTING);
		mvm_fail(&err, cases[i].code, "no such thing");
		supervisor_failed(&vm.supervisor, err);
		event(&vm, EVENT_START_REFUSED);
		fake_parts_expect("plug");
		output_ends(&vm);
		event(&vm, EVENT_MACHINE_STOPPED);
		fake_parts_expect(calls);
		expect_final(&vm, MVM_STATUS_CREATED, cases[i].status, "no such thing");
		finish(&vm);
	}
}

static void a_refused_start_of_one_to_be_removed_leaves_nothing(void **state)
{
	struct world *world = *state;
	struct mvm_error *err = NULL;
	struct vm vm;

	begin(&vm, world, true);
	go_to(&vm, PHASE_STARTING);
	mvm_fail(&err, MVM_ERR_NO_PROGRAM, "no such thing");
	supervisor_failed(&vm.supervisor, err);
	event(&vm, EVENT_START_REFUSED);
	output_ends(&vm);
	event(&vm, EVENT_MACHINE_STOPPED);
	fake_parts_expect("plug release abandon refused:no-program exited");
	assert_int_equal(world_count(world), 0);
	finish(&vm);
}

static void a_machine_that_cannot_be_made_is_told(void **state)
{
	struct vm vm;

	begin(&vm, *state, false);
	fake_parts.boot_fails = true;
	vm.supervisor.output_ended = true;
	event(&vm, EVENT_START);
	fake_parts_expect("boot release abandon refused:not-found exited");
	expect_final(&vm, MVM_STATUS_CREATED, 125, "there is no kernel");
	finish(&vm);
}

static void the_second_accelerator_may_fail_too(void **state)
{
	struct vm vm;

	begin(&vm, *state, false);
	go_to(&vm, PHASE_BOOTING);
	/* The first machine has stopped and is released when this comes. */
	vm.supervisor.machine = NULL;
	fake_parts.boot_fails = true;
	vm.supervisor.output_ended = true;
	event(&vm, EVENT_ACCEL_UNUSABLE);
	fake_parts_expect("boot-tcg release abandon refused:not-found exited");
	expect_final(&vm, MVM_STATUS_CREATED, 125, "there is no kernel");
	finish(&vm);
}

static void a_supervisor_that_could_not_be_set_up_says_why_at_the_start(void **state)
{
	struct mvm_error *err = NULL;
	struct vm vm;

	begin(&vm, *state, false);
	mvm_fail(&err, MVM_ERR_UNSUPPORTED, "no such backend");
	supervisor_failed(&vm.supervisor, err);
	vm.supervisor.broken = true;
	vm.supervisor.output_ended = true;
	fake_parts_expect("");
	event(&vm, EVENT_START);
	fake_parts_expect("release abandon refused:unsupported exited");
	expect_final(&vm, MVM_STATUS_CREATED, 125, "no such backend");
	finish(&vm);
}

/* Machines that die */

static void a_machine_may_die_in_any_phase(void **state)
{
	static const struct {
		enum phase phase;
		enum mvm_status status;
		int exit_code;
		const char *error, *calls;
	} cases[] = {
		{PHASE_BOOTING, MVM_STATUS_CREATED, 125, "the VM died", "release abandon refused:machine exited"},
		{PHASE_STARTING, MVM_STATUS_CREATED, 125, "the VM died", "release abandon refused:machine exited"},
		{PHASE_RUNNING, MVM_STATUS_EXITED, 255, "the VM died", "release abandon exited"},
		{PHASE_DRAINING, MVM_STATUS_EXITED, 42, NULL, "release abandon exited"},
		{PHASE_CLOSING, MVM_STATUS_EXITED, 42, NULL, "release abandon exited"},
		{PHASE_ENDING, MVM_STATUS_EXITED, 42, NULL, "release abandon exited"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct vm vm;

		begin(&vm, *state, false);
		go_to(&vm, cases[i].phase);
		vm.supervisor.output_ended = true;
		machine_dies(&vm);
		fake_parts_expect(cases[i].calls);
		expect_final(&vm, cases[i].status, cases[i].exit_code, cases[i].error);
		finish(&vm);
	}
}

/* Agent or vsock lost while the machine still stands: the plug is pulled. */
static void a_failure_in_any_phase_ends_the_machine(void **state)
{
	for (enum phase phase = PHASE_BOOTING; phase <= PHASE_CLOSING; phase++) {
		struct mvm_error *err = NULL;
		struct vm vm;

		begin(&vm, *state, false);
		go_to(&vm, phase);
		mvm_fail(&err, MVM_ERR_MACHINE, "the guest agent has gone");
		supervisor_failed(&vm.supervisor, err);
		event(&vm, EVENT_FAILURE);
		fake_parts_expect("plug");
		vm.supervisor.output_ended = true;
		event(&vm, EVENT_MACHINE_STOPPED);
		expect_final(&vm, phase < PHASE_RUNNING ? MVM_STATUS_CREATED : MVM_STATUS_EXITED,
			     phase < PHASE_RUNNING    ? 125
			     : phase < PHASE_DRAINING ? 255
						      : 42,
			     phase < PHASE_DRAINING ? "the guest agent has gone" : NULL);
		finish(&vm);
	}
}

static void output_of_a_dead_machine_is_delivered_first(void **state)
{
	struct vm vm;

	begin(&vm, *state, false);
	go_to(&vm, PHASE_RUNNING);
	machine_dies(&vm);
	fake_parts_expect("release abandon");
	assert_false(fake_parts.loop_stopped);
	output_ends(&vm);
	fake_parts_expect("exited");
	expect_final(&vm, MVM_STATUS_EXITED, 255, "the VM died");
	finish(&vm);
}

static void the_boot_log_ends_the_message(void **state)
{
	struct mvm_error *err = NULL;
	struct vm vm;
	char *path;

	begin(&vm, *state, false);
	go_to(&vm, PHASE_RUNNING);
	path = mvm_format("%s/boot.log", vm.supervisor.container->folder);
	assert_ok(mvm_replace_file(path, "one\ntwo\nthree\nfour\nfive\n", 24, 0600, &err));
	free(path);
	machine_dies(&vm);
	output_ends(&vm);
	expect_final(&vm, MVM_STATUS_EXITED, 255, "the VM died; its boot log ends: two|three|four|five");
	finish(&vm);
}

static void the_first_outcome_wins(void **state)
{
	struct mvm_error *err = NULL;
	struct vm vm;

	begin(&vm, *state, false);
	go_to(&vm, PHASE_RUNNING);
	mvm_fail(&err, MVM_ERR_MACHINE, "the vsock process has died");
	supervisor_failed(&vm.supervisor, err);
	supervisor_exited(&vm.supervisor, 0, true);
	vm.supervisor.output_ended = true;
	machine_dies(&vm);
	expect_final(&vm, MVM_STATUS_EXITED, 255, "the vsock process has died");
	assert_false(vm.supervisor.container->state.oom_killed);
	finish(&vm);
}

/* A guest may say anything at any time. */
static void events_that_do_not_fit_the_phase_mean_nothing(void **state)
{
	static const struct {
		enum phase phase;
		enum event event;
	} cases[] = {
		{PHASE_IDLE, EVENT_AGENT_READY},
		{PHASE_IDLE, EVENT_MACHINE_STOPPED},
		{PHASE_BOOTING, EVENT_START},
		{PHASE_BOOTING, EVENT_PROCESS_STARTED},
		{PHASE_BOOTING, EVENT_PROCESS_EXITED},
		{PHASE_BOOTING, EVENT_OUTPUT_ENDED},
		{PHASE_BOOTING, EVENT_GUEST_CLOSED},
		{PHASE_STARTING, EVENT_AGENT_READY},
		{PHASE_STARTING, EVENT_PROCESS_EXITED},
		{PHASE_RUNNING, EVENT_PROCESS_STARTED},
		{PHASE_RUNNING, EVENT_START_REFUSED},
		{PHASE_RUNNING, EVENT_GUEST_CLOSED},
		{PHASE_RUNNING, EVENT_TIMEOUT},
		{PHASE_DRAINING, EVENT_PROCESS_EXITED},
		{PHASE_DRAINING, EVENT_GUEST_CLOSED},
		{PHASE_CLOSING, EVENT_OUTPUT_ENDED},
		{PHASE_ENDING, EVENT_DESTROY},
		{PHASE_ENDING, EVENT_FAILURE},
		{PHASE_FLUSHING, EVENT_MACHINE_STOPPED},
		{PHASE_FLUSHING, EVENT_TIMEOUT},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct vm vm;

		begin(&vm, *state, false);
		go_to(&vm, cases[i].phase);
		event(&vm, cases[i].event);
		fake_parts_expect("");
		assert_int_equal(vm.supervisor.phase, cases[i].phase);
		vm.supervisor.output_ended = true;
		event(&vm, EVENT_DESTROY);
		event(&vm, EVENT_MACHINE_STOPPED);
		finish(&vm);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(a_program_runs_and_exits),
		WORLD_TEST(orders_wait_for_the_network),
		WORLD_TEST(output_may_end_before_the_program),
		WORLD_TEST(one_to_be_removed_goes_without_ceremony),
		WORLD_TEST(one_to_be_removed_is_kept_by_a_restart),
		WORLD_TEST(one_with_volumes_is_closed_first),
		WORLD_TEST(paused_and_unpaused),
		WORLD_TEST(one_that_ends_as_it_is_paused_is_closed),
		WORLD_TEST(out_of_memory_is_noted),
		WORLD_TEST(the_terminal_gets_the_size_that_changed_meanwhile),
		WORLD_TEST(kvm_that_cannot_gives_way_to_emulation),
		WORLD_TEST(a_refused_start_leaves_a_created_container),
		WORLD_TEST(a_refused_start_of_one_to_be_removed_leaves_nothing),
		WORLD_TEST(a_machine_that_cannot_be_made_is_told),
		WORLD_TEST(the_second_accelerator_may_fail_too),
		WORLD_TEST(a_supervisor_that_could_not_be_set_up_says_why_at_the_start),
		WORLD_TEST(a_machine_may_die_in_any_phase),
		WORLD_TEST(a_failure_in_any_phase_ends_the_machine),
		WORLD_TEST(output_of_a_dead_machine_is_delivered_first),
		WORLD_TEST(the_boot_log_ends_the_message),
		WORLD_TEST(the_first_outcome_wins),
		WORLD_TEST(events_that_do_not_fit_the_phase_mean_nothing),
	};

	mvm_log_open("test", -1, MVM_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
