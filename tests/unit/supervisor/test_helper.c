/* The state machine of a helper, which serves the disk of a container that does not run. */
#include "vm.h"

#include "runtime/base/log.h"

/* The container has run, ended with 42, and is not to be touched. */
static void begin_helper(struct vm *vm, struct world *world, bool auto_remove)
{
	struct supervisor *supervisor = &vm->supervisor;
	struct mvm_error *err = NULL;

	fake_parts_reset();
	*vm = (struct vm){.world = world,
			  .supervisor = {.state = world->state, .lock_fd = -1, .helper = true, .output_ended = true}};
	vm->id = world_add(world, NULL, auto_remove, &supervisor->lock_fd);
	assert_ok(mvm_state_load(world->state, vm->id, &supervisor->container, &err));
	supervisor->container->state.status = MVM_STATUS_EXITED;
	supervisor->container->state.exit_code = 42;
	clock_gettime(CLOCK_REALTIME, &supervisor->container->state.finished);
	assert_ok(mvm_state_save(supervisor->container, &err));
	assert_ok(lifecycle_init(supervisor, &err));
}

static void expect_untouched(struct vm *vm)
{
	expect_final(vm, MVM_STATUS_EXITED, 42, NULL);
}

static void it_serves_until_it_is_told_to_end(void **state)
{
	struct vm vm;

	begin_helper(&vm, *state, false);
	expect_untouched(&vm);
	event(&vm, EVENT_START);
	event(&vm, EVENT_AGENT_READY);
	fake_parts_expect("boot prepare");
	expect_untouched(&vm);
	event(&vm, EVENT_GUEST_READY);
	fake_parts_expect("archives");
	assert_int_equal(vm.supervisor.phase, PHASE_SERVING);
	assert_int_equal(fake_timer_ms(vm.supervisor.phase_timer), -1);
	assert_false(supervisor_has_process(&vm.supervisor));
	event(&vm, EVENT_DESTROY);
	fake_parts_expect("plug");
	event(&vm, EVENT_MACHINE_STOPPED);
	fake_parts_expect("release abandon archives-end exited");
	expect_untouched(&vm);
	finish(&vm);
}

static void a_reader_has_nothing_to_bring_in_order(void **state)
{
	struct vm vm;

	begin_helper(&vm, *state, false);
	go_to(&vm, PHASE_SERVING);
	event(&vm, EVENT_RELEASED);
	fake_parts_expect("plug");
	event(&vm, EVENT_MACHINE_STOPPED);
	fake_parts_expect("release abandon archives-end exited");
	expect_untouched(&vm);
	finish(&vm);
}

/* Of one that is to be removed at its end, too: that is not now. */
static void a_writers_disk_is_clean_before_its_plug_is_pulled(void **state)
{
	struct vm vm;

	begin_helper(&vm, *state, true);
	vm.supervisor.writer = true;
	go_to(&vm, PHASE_SERVING);
	event(&vm, EVENT_RELEASED);
	fake_parts_expect("shutdown");
	event(&vm, EVENT_GUEST_CLOSED);
	fake_parts_expect("plug");
	event(&vm, EVENT_MACHINE_STOPPED);
	fake_parts_expect("release abandon archives-end exited");
	expect_untouched(&vm);
	finish(&vm);
}

static void one_that_nobody_waits_for_ends_in_any_phase(void **state)
{
	static const enum phase phases[] = {PHASE_IDLE, PHASE_BOOTING, PHASE_STARTING};

	for (size_t i = 0; i < MVM_COUNT(phases); i++) {
		struct vm vm;

		begin_helper(&vm, *state, false);
		vm.supervisor.writer = true;
		go_to(&vm, phases[i]);
		event(&vm, EVENT_RELEASED);
		event(&vm, EVENT_MACHINE_STOPPED);
		expect_untouched(&vm);
		finish(&vm);
	}
}

static void it_ends_in_any_phase(void **state)
{
	static const enum phase phases[] = {PHASE_IDLE, PHASE_BOOTING, PHASE_STARTING, PHASE_SERVING};

	for (size_t i = 0; i < MVM_COUNT(phases); i++) {
		struct vm vm;

		begin_helper(&vm, *state, true);
		go_to(&vm, phases[i]);
		event(&vm, EVENT_DESTROY);
		event(&vm, EVENT_MACHINE_STOPPED);
		/* The container, although it is to be removed at its own end. */
		expect_untouched(&vm);
		finish(&vm);
	}
}

static void a_signal_ends_it_at_once(void **state)
{
	struct vm vm;

	begin_helper(&vm, *state, false);
	go_to(&vm, PHASE_SERVING);
	supervisor_stop(&vm.supervisor, 15, 10);
	fake_parts_expect("plug");
	event(&vm, EVENT_MACHINE_STOPPED);
	expect_untouched(&vm);
	finish(&vm);
}

static void a_machine_that_dies_is_its_clients_error(void **state)
{
	static const enum phase phases[] = {PHASE_BOOTING, PHASE_STARTING, PHASE_SERVING};

	for (size_t i = 0; i < MVM_COUNT(phases); i++) {
		struct vm vm;

		begin_helper(&vm, *state, false);
		go_to(&vm, phases[i]);
		machine_dies(&vm);
		assert_string_equal(mvm_error_message(vm.supervisor.refusal), "the VM died");
		expect_untouched(&vm);
		finish(&vm);
	}
}

static void a_machine_that_cannot_start_is_its_clients_error(void **state)
{
	struct vm vm;

	begin_helper(&vm, *state, false);
	fake_parts.boot_fails = true;
	event(&vm, EVENT_START);
	assert_string_equal(mvm_error_message(vm.supervisor.refusal), "there is no kernel");
	expect_untouched(&vm);
	finish(&vm);
}

static void its_boot_log_is_its_own(void **state)
{
	char *path MVM_CLEAN_FREE = NULL, *expected MVM_CLEAN_FREE = NULL;
	struct vm vm;

	begin_helper(&vm, *state, false);
	path = supervisor_boot_log(&vm.supervisor);
	expected = mvm_format("%s/helper-boot.log", vm.supervisor.container->folder);
	assert_string_equal(path, expected);
	event(&vm, EVENT_DESTROY);
	finish(&vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(it_serves_until_it_is_told_to_end),
		WORLD_TEST(a_reader_has_nothing_to_bring_in_order),
		WORLD_TEST(a_writers_disk_is_clean_before_its_plug_is_pulled),
		WORLD_TEST(one_that_nobody_waits_for_ends_in_any_phase),
		WORLD_TEST(it_ends_in_any_phase),
		WORLD_TEST(a_signal_ends_it_at_once),
		WORLD_TEST(a_machine_that_dies_is_its_clients_error),
		WORLD_TEST(a_machine_that_cannot_start_is_its_clients_error),
		WORLD_TEST(its_boot_log_is_its_own),
	};

	mvm_log_open("test", -1, MVM_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
