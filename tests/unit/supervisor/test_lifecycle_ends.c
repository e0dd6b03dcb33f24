/* The same state machine when somebody wants the end: destruction, stop, and phases that take too long. */
#include "vm.h"

#include "runtime/base/log.h"
#include "runtime/state/events.h"

/* What `events` tells since the last time, in its order. */
static void expect_events(struct world *world, struct mvm_event_watch **watch, const char *expected)
{
	struct mvm_buf text MVM_CLEAN_BUF = {0};
	struct mvm_error *err = NULL;
	int result = *watch ? 0 : 1;

	while (result == 0) {
		struct mvm_event event MVM_CLEAN_EVENT = {0};
		const char *signo;

		result = mvm_event_watch_next(*watch, &event, &err);
		signo = result == 0 ? mvm_event_attribute(&event, "signal") : NULL;
		if (result == 0)
			mvm_buf_addf(&text, "%s%s%s ", event.action, signo ? ":" : "", signo ? signo : "");
	}
	assert_true(result > 0);
	assert_string_equal(text.data ? text.data : "", expected);
	mvm_event_watch_close(*watch);
	assert_ok(mvm_event_watch_open(world->state, false, false, watch, &err));
}

static void events_come_in_dockers_order(void **state)
{
	struct mvm_event_watch *watch = NULL;
	struct vm vm;

	/* Stopped, and then, because it does not end, killed. */
	expect_events(*state, &watch, "");
	begin(&vm, *state, true);
	go_to(&vm, PHASE_PAUSED);
	vm.supervisor.asked_to_stop = true;
	supervisor_stop(&vm.supervisor, 15, 3);
	event(&vm, EVENT_MACHINE_RESUMED);
	fake_timer_fire(vm.supervisor.stop_timer);
	process_exits(&vm, 137);
	output_ends(&vm);
	event(&vm, EVENT_MACHINE_STOPPED);
	finish(&vm);
	expect_events(*state, &watch, "start pause kill:15 unpause kill:9 die stop destroy ");
	/* By force; and one that never ran. */
	begin(&vm, *state, false);
	go_to(&vm, PHASE_RUNNING);
	event(&vm, EVENT_DESTROY);
	event(&vm, EVENT_MACHINE_STOPPED);
	finish(&vm);
	expect_events(*state, &watch, "start kill:9 die ");
	begin(&vm, *state, true);
	go_to(&vm, PHASE_BOOTING);
	event(&vm, EVENT_DESTROY);
	vm.supervisor.output_ended = true;
	event(&vm, EVENT_MACHINE_STOPPED);
	finish(&vm);
	expect_events(*state, &watch, "destroy ");
	mvm_event_watch_close(watch);
}

static void destroyed_in_any_phase(void **state)
{
	static const struct {
		enum phase phase;
		enum mvm_status status;
		int exit_code;
		const char *calls;
	} cases[] = {
		{PHASE_BOOTING, MVM_STATUS_CREATED, 125, "plug"}, {PHASE_STARTING, MVM_STATUS_CREATED, 125, "plug"},
		{PHASE_PAUSING, MVM_STATUS_EXITED, 137, "plug"},  {PHASE_PAUSED, MVM_STATUS_EXITED, 137, "plug"},
		{PHASE_RESUMING, MVM_STATUS_EXITED, 137, "plug"}, {PHASE_RUNNING, MVM_STATUS_EXITED, 137, "plug"},
		{PHASE_DRAINING, MVM_STATUS_EXITED, 42, "plug"},  {PHASE_CLOSING, MVM_STATUS_EXITED, 42, "plug"},
		{PHASE_ENDING, MVM_STATUS_EXITED, 42, ""},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct vm vm;

		begin(&vm, *state, false);
		go_to(&vm, cases[i].phase);
		event(&vm, EVENT_DESTROY);
		fake_parts_expect(cases[i].calls);
		assert_int_equal(vm.supervisor.phase, PHASE_ENDING);
		/* An end under way is not made any shorter; else what no client takes is lost. */
		vm.supervisor.output_ended = cases[i].phase == PHASE_ENDING;
		event(&vm, EVENT_MACHINE_STOPPED);
		expect_final(&vm, cases[i].status, cases[i].exit_code,
			     cases[i].status == MVM_STATUS_CREATED ? "removed before it ran" : NULL);
		finish(&vm);
	}
}

/* It must hear the signal, and if it does not, SIGKILL. */
static void a_stop_lets_a_paused_one_go_on(void **state)
{
	struct vm vm;

	begin(&vm, *state, false);
	go_to(&vm, PHASE_PAUSED);
	supervisor_stop(&vm.supervisor, 15, 3);
	fake_parts_expect("signal:15 resume");
	assert_int_equal(fake_timer_ms(vm.supervisor.stop_timer), 3000);
	fake_timer_fire(vm.supervisor.stop_timer);
	fake_parts_expect("signal:9");
	event(&vm, EVENT_DESTROY);
	event(&vm, EVENT_MACHINE_STOPPED);
	expect_final(&vm, MVM_STATUS_EXITED, 137, NULL);
	finish(&vm);
}

static void a_stop_that_crosses_a_pause_wins(void **state)
{
	struct vm vm;

	begin(&vm, *state, false);
	go_to(&vm, PHASE_PAUSING);
	supervisor_stop(&vm.supervisor, 15, 3);
	fake_parts_expect("signal:15");
	event(&vm, EVENT_MACHINE_PAUSED);
	fake_parts_expect("paused resume");
	event(&vm, EVENT_MACHINE_RESUMED);
	fake_parts_expect("clock resumed");
	event(&vm, EVENT_DESTROY);
	event(&vm, EVENT_MACHINE_STOPPED);
	finish(&vm);
}

static void a_machine_that_takes_no_order_is_no_reason_to_wait(void **state)
{
	struct vm vm;

	begin(&vm, *state, false);
	go_to(&vm, PHASE_PAUSING);
	fake_timer_fire(vm.supervisor.phase_timer);
	fake_parts_expect("resume not-paused");
	assert_int_equal(vm.supervisor.phase, PHASE_RUNNING);
	event(&vm, EVENT_PAUSE);
	event(&vm, EVENT_MACHINE_PAUSED);
	event(&vm, EVENT_RESUME);
	fake_parts_expect("pause paused resume");
	fake_timer_fire(vm.supervisor.phase_timer);
	fake_parts_expect("not-resumed");
	assert_int_equal(vm.supervisor.phase, PHASE_PAUSED);
	/* Late, but so it is. */
	event(&vm, EVENT_MACHINE_RESUMED);
	fake_parts_expect("clock resumed");
	expect_status(&vm, MVM_STATUS_RUNNING);
	event(&vm, EVENT_DESTROY);
	event(&vm, EVENT_MACHINE_STOPPED);
	finish(&vm);
}

static void destroyed_before_the_start(void **state)
{
	struct vm vm;

	begin(&vm, *state, false);
	event(&vm, EVENT_DESTROY);
	expect_final(&vm, MVM_STATUS_CREATED, 125, "removed before it ran");
	finish(&vm);
}

/* Whoever was to order the start is gone: nobody else will, and nothing may stay behind. */
static void abandoned_before_the_start(void **state)
{
	struct world *world = *state;
	struct vm vm;

	begin(&vm, world, true);
	event(&vm, EVENT_ABANDONED);
	fake_parts_expect("refused:interrupted exited");
	assert_int_equal(world_count(world), 0);
	finish(&vm);
}

/* `run -d` has done its work when the program runs. */
static void once_started_it_needs_no_client(void **state)
{
	for (enum phase phase = PHASE_BOOTING; phase <= PHASE_FLUSHING; phase++) {
		struct vm vm;

		begin(&vm, *state, false);
		go_to(&vm, phase);
		event(&vm, EVENT_ABANDONED);
		fake_parts_expect("");
		assert_int_equal(vm.supervisor.phase, phase);
		vm.supervisor.output_ended = true;
		event(&vm, EVENT_DESTROY);
		event(&vm, EVENT_MACHINE_STOPPED);
		finish(&vm);
	}
}

/* A client that does not take the last output does not hold up the end for ever. */
static void destroyed_while_a_client_does_not_read(void **state)
{
	struct vm vm;

	begin(&vm, *state, false);
	go_to(&vm, PHASE_FLUSHING);
	event(&vm, EVENT_DESTROY);
	fake_parts_expect("exited");
	expect_final(&vm, MVM_STATUS_EXITED, 42, NULL);
	finish(&vm);
	/* The same when the order comes while the machine goes; it gives that no more time either. */
	begin(&vm, *state, false);
	go_to(&vm, PHASE_RUNNING);
	event(&vm, EVENT_FAILURE);
	mvm_timer_stop(vm.supervisor.phase_timer);
	event(&vm, EVENT_DESTROY);
	assert_int_equal(fake_timer_ms(vm.supervisor.phase_timer), -1);
	event(&vm, EVENT_MACHINE_STOPPED);
	finish(&vm);
}

/* Timeouts */

static void phases_that_depend_on_the_guest_have_an_end(void **state)
{
	static const struct {
		enum phase phase;
		const char *calls;
		enum mvm_status status;
		int exit_code;
		const char *error;
	} cases[] = {
		{PHASE_STARTING, "plug", MVM_STATUS_CREATED, 125, "in time"},
		{PHASE_CLOSING, "plug", MVM_STATUS_EXITED, 42, NULL},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct vm vm;

		begin(&vm, *state, false);
		assert_int_equal(fake_timer_ms(vm.supervisor.phase_timer), -1);
		go_to(&vm, cases[i].phase);
		fake_timer_fire(vm.supervisor.phase_timer);
		fake_parts_expect(cases[i].calls);
		/* Even the plug may be stuck. */
		vm.supervisor.output_ended = true;
		fake_timer_fire(vm.supervisor.phase_timer);
		assert_int_equal(fake_timer_ms(vm.supervisor.phase_timer), -1);
		expect_final(&vm, cases[i].status, cases[i].exit_code, cases[i].error);
		finish(&vm);
	}
}

static void a_machine_that_does_not_come_up_is_tried_again(void **state)
{
	struct vm vm;
	int first;

	begin(&vm, *state, false);
	go_to(&vm, PHASE_BOOTING);
	first = (int)fake_timer_ms(vm.supervisor.phase_timer);
	fake_timer_fire(vm.supervisor.phase_timer);
	/* The first has the disk until it is gone. */
	fake_parts_expect("plug");
	event(&vm, EVENT_MACHINE_STOPPED);
	fake_parts_expect("release boot");
	assert_int_equal(vm.supervisor.phase, PHASE_BOOTING);
	assert_int_equal(fake_timer_ms(vm.supervisor.phase_timer), 2 * first);
	fake_timer_fire(vm.supervisor.phase_timer);
	event(&vm, EVENT_MACHINE_STOPPED);
	fake_parts_expect("plug release boot");
	assert_int_equal(fake_timer_ms(vm.supervisor.phase_timer), 4 * first);
	/* Not for ever. */
	fake_timer_fire(vm.supervisor.phase_timer);
	fake_parts_expect("plug");
	vm.supervisor.output_ended = true;
	event(&vm, EVENT_MACHINE_STOPPED);
	expect_final(&vm, MVM_STATUS_CREATED, 125, "did not boot");
	finish(&vm);
}

static void programs_and_clients_may_take_their_time(void **state)
{
	static const enum phase phases[] = {PHASE_IDLE, PHASE_RUNNING, PHASE_DRAINING, PHASE_FLUSHING};

	for (size_t i = 0; i < MVM_COUNT(phases); i++) {
		struct vm vm;

		begin(&vm, *state, false);
		go_to(&vm, phases[i]);
		assert_int_equal(fake_timer_ms(vm.supervisor.phase_timer), -1);
		assert_int_equal(fake_timer_ms(vm.supervisor.stop_timer), -1);
		vm.supervisor.output_ended = true;
		event(&vm, EVENT_DESTROY);
		event(&vm, EVENT_MACHINE_STOPPED);
		finish(&vm);
	}
}

/* Stopping */

static void stop_goes_from_signal_to_kill_to_plug(void **state)
{
	struct vm vm;

	begin(&vm, *state, false);
	go_to(&vm, PHASE_RUNNING);
	supervisor_stop(&vm.supervisor, 15, 10);
	fake_parts_expect("signal:15");
	assert_int_equal(fake_timer_ms(vm.supervisor.stop_timer), 10000);
	fake_timer_fire(vm.supervisor.stop_timer);
	fake_parts_expect("signal:9");
	assert_true(fake_timer_ms(vm.supervisor.stop_timer) > 0);
	fake_timer_fire(vm.supervisor.stop_timer);
	fake_parts_expect("plug");
	output_ends(&vm);
	event(&vm, EVENT_MACHINE_STOPPED);
	expect_final(&vm, MVM_STATUS_EXITED, 137, NULL);
	finish(&vm);
}

static void a_program_that_obeys_ends_the_stop(void **state)
{
	struct vm vm;

	begin(&vm, *state, false);
	go_to(&vm, PHASE_RUNNING);
	supervisor_stop(&vm.supervisor, 3, 10);
	fake_parts_expect("signal:3");
	process_exits(&vm, 131);
	output_ends(&vm);
	fake_parts_expect("shutdown");
	event(&vm, EVENT_GUEST_CLOSED);
	event(&vm, EVENT_MACHINE_STOPPED);
	fake_parts_expect("plug release abandon exited");
	expect_final(&vm, MVM_STATUS_EXITED, 131, NULL);
	finish(&vm);
}

static void stop_without_a_limit_waits_for_ever(void **state)
{
	struct vm vm;

	begin(&vm, *state, false);
	go_to(&vm, PHASE_RUNNING);
	supervisor_stop(&vm.supervisor, 15, -1);
	fake_parts_expect("signal:15");
	assert_int_equal(fake_timer_ms(vm.supervisor.stop_timer), -1);
	/* A second word is heard. */
	supervisor_stop(&vm.supervisor, 15, 0);
	assert_int_equal(fake_timer_ms(vm.supervisor.stop_timer), 0);
	fake_timer_fire(vm.supervisor.stop_timer);
	fake_parts_expect("signal:15 signal:9");
	process_exits(&vm, 137);
	output_ends(&vm);
	event(&vm, EVENT_GUEST_CLOSED);
	event(&vm, EVENT_MACHINE_STOPPED);
	finish(&vm);
}

static void a_kill_that_changes_nothing_ends_the_machine(void **state)
{
	struct vm vm;

	begin(&vm, *state, false);
	go_to(&vm, PHASE_RUNNING);
	supervisor_killed(&vm.supervisor);
	assert_true(fake_timer_ms(vm.supervisor.stop_timer) > 0);
	/* A stop with more patience must not take that away. */
	supervisor_stop(&vm.supervisor, 15, 3600);
	assert_true(fake_timer_ms(vm.supervisor.stop_timer) <= 60000);
	fake_timer_fire(vm.supervisor.stop_timer);
	fake_parts_expect("signal:15 plug");
	output_ends(&vm);
	event(&vm, EVENT_MACHINE_STOPPED);
	expect_final(&vm, MVM_STATUS_EXITED, 137, NULL);
	finish(&vm);
}

static void stop_before_the_program_runs_removes_the_machine(void **state)
{
	for (enum phase phase = PHASE_IDLE; phase < PHASE_RUNNING; phase++) {
		struct vm vm;

		/* That one has run before: test_rounds.c. */
		if (phase == PHASE_WAITING)
			continue;
		begin(&vm, *state, false);
		go_to(&vm, phase);
		vm.supervisor.output_ended = true;
		supervisor_stop(&vm.supervisor, 15, 10);
		if (phase != PHASE_IDLE)
			event(&vm, EVENT_MACHINE_STOPPED);
		expect_final(&vm, MVM_STATUS_CREATED, 125, "before it ran");
		finish(&vm);
	}
}

/* The program has ended, but a client does not take its output. */
static void stop_does_not_wait_for_a_client_for_ever(void **state)
{
	struct vm vm;

	begin(&vm, *state, false);
	go_to(&vm, PHASE_RUNNING);
	supervisor_stop(&vm.supervisor, 15, -1);
	process_exits(&vm, 42);
	assert_int_equal(vm.supervisor.phase, PHASE_DRAINING);
	fake_timer_fire(vm.supervisor.stop_timer);
	fake_parts_expect("signal:15 plug");
	event(&vm, EVENT_MACHINE_STOPPED);
	fake_parts_expect("release abandon exited");
	expect_final(&vm, MVM_STATUS_EXITED, 42, NULL);
	finish(&vm);
}

static void an_end_that_is_under_way_is_left_alone(void **state)
{
	static const enum phase phases[] = {PHASE_CLOSING, PHASE_ENDING};

	for (size_t i = 0; i < MVM_COUNT(phases); i++) {
		struct vm vm;

		begin(&vm, *state, false);
		go_to(&vm, phases[i]);
		supervisor_stop(&vm.supervisor, 15, 1);
		fake_timer_fire(vm.supervisor.stop_timer);
		fake_parts_expect("");
		assert_int_equal(vm.supervisor.phase, phases[i]);
		event(&vm, EVENT_DESTROY);
		event(&vm, EVENT_MACHINE_STOPPED);
		expect_final(&vm, MVM_STATUS_EXITED, 42, NULL);
		finish(&vm);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(events_come_in_dockers_order),
		WORLD_TEST(destroyed_in_any_phase),
		WORLD_TEST(a_stop_lets_a_paused_one_go_on),
		WORLD_TEST(a_stop_that_crosses_a_pause_wins),
		WORLD_TEST(a_machine_that_takes_no_order_is_no_reason_to_wait),
		WORLD_TEST(destroyed_before_the_start),
		WORLD_TEST(abandoned_before_the_start),
		WORLD_TEST(once_started_it_needs_no_client),
		WORLD_TEST(destroyed_while_a_client_does_not_read),
		WORLD_TEST(phases_that_depend_on_the_guest_have_an_end),
		WORLD_TEST(a_machine_that_does_not_come_up_is_tried_again),
		WORLD_TEST(programs_and_clients_may_take_their_time),
		WORLD_TEST(stop_goes_from_signal_to_kill_to_plug),
		WORLD_TEST(a_program_that_obeys_ends_the_stop),
		WORLD_TEST(stop_without_a_limit_waits_for_ever),
		WORLD_TEST(a_kill_that_changes_nothing_ends_the_machine),
		WORLD_TEST(stop_before_the_program_runs_removes_the_machine),
		WORLD_TEST(stop_does_not_wait_for_a_client_for_ever),
		WORLD_TEST(an_end_that_is_under_way_is_left_alone),
	};

	mvm_log_open("test", -1, MVM_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
