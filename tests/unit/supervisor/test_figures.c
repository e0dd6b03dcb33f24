/* Figures and limits: the guest is a fake that answers when the test says so. */
#include "calls.h"

#include "runtime/state/update.h"
#include "runtime/supervisor/internal.h"
#include "tests/unit/state/world.h"

struct relay {
	int number;
};

enum { MOST = 10 };

static struct {
	agent_done_fn done[MOST];
	void *done_arg[MOST];
	struct mvm_proto_figures figures;
	size_t orders;
} fake;

/* The parts that stats.c and update.c call */

void relayed(void *arg, const struct mvm_error *error)
{
	struct relay *relay = arg;

	called("answer%d:%s", relay->number, error ? mvm_error_code_name(mvm_error_code(error)) : "ok");
}

void relay_message(struct relay *relay, json_t *message, const int *fds, size_t count)
{
	const json_t *stats = json_object_get(message, "stats");

	called("stats%d:%lld:%lld", relay->number, json_integer_value(json_object_get(stats, "cpu")),
	       json_integer_value(json_object_get(stats, "memory_limit")));
	assert_true(json_integer_value(json_object_get(stats, "host_memory")) > 100000);
	json_decref(message);
}

void relay_release(struct relay *relay)
{
}

static void ordered(agent_done_fn done, void *arg)
{
	assert_true(fake.orders < MOST);
	fake.done[fake.orders] = done;
	fake.done_arg[fake.orders++] = arg;
}

void agent_stats(struct agent *agent, agent_done_fn done, void *arg)
{
	called("order");
	ordered(done, arg);
}

const struct mvm_proto_figures *agent_figures(const struct agent *agent)
{
	return &fake.figures;
}

void agent_update(struct agent *agent, const struct mvm_container_update *update, agent_done_fn done, void *arg)
{
	called("update:%llu", (unsigned long long)update->memory >> 20);
	if (done)
		ordered(done, arg);
}

pid_t mvm_vsock_pid(const struct mvm_vsock *vsock)
{
	return 0;
}

/* The world: a container that runs */

struct vm {
	struct world *world;
	struct supervisor supervisor;
	struct relay relays[MOST];
};

static int setup(void **state)
{
	struct vm *vm = mvm_alloc(sizeof(*vm));
	char *id MVM_CLEAN_FREE = NULL;
	struct mvm_error *err = NULL;

	world_setup((void **)&vm->world);
	id = world_add(vm->world, "web", false, NULL);
	vm->supervisor = (struct supervisor){
		.state = vm->world->state,
		.phase = PHASE_RUNNING,
		.booted_memory = 64 << 20,
		.booted_cpus = 2,
	};
	assert_ok(mvm_state_load(vm->world->state, id, &vm->supervisor.container, &err));
	for (int i = 0; i < MOST; i++)
		vm->relays[i].number = i;
	*state = vm;
	return 0;
}

static int teardown(void **state)
{
	struct vm *vm = *state;

	mvm_container_free(vm->supervisor.container);
	world_teardown((void **)&vm->world);
	mvm_buf_finish(&calls);
	memset(&fake, 0, sizeof(fake));
	free(vm);
	return 0;
}

static void guest_answers(size_t order, enum mvm_error_code code)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	if (code)
		mvm_fail(&err, code, "no");
	fake.done[order](fake.done_arg[order], err);
}

static uint64_t saved_memory(const struct vm *vm)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_error *err = NULL;

	assert_ok(mvm_state_load(vm->world->state, vm->supervisor.container->config.id, &container, &err));
	assert_int_equal(container->config.memory, vm->supervisor.container->config.memory);
	return container->config.memory >> 20;
}

static void figures_are_passed_on(void **state)
{
	struct vm *vm = *state;

	stats_answer(&vm->supervisor, &vm->relays[1]);
	expect_calls("order");
	fake.figures = (struct mvm_proto_figures){.cpu_time = 5, .memory_limit = UINT64_MAX};
	guest_answers(0, 0);
	expect_calls("stats1:5:9223372036854775807");
	stats_answer(&vm->supervisor, &vm->relays[2]);
	guest_answers(1, MVM_ERR_CONFLICT);
	expect_calls("order answer2:conflict");
}

static void new_limits_are_kept_when_the_guest_has_them(void **state)
{
	struct vm *vm = *state;
	const struct mvm_container_update small = {.memory = 32 << 20}, smaller = {.memory = 16 << 20};

	update_apply(&vm->supervisor, &small, &vm->relays[1]);
	expect_calls("update:32");
	assert_int_equal(saved_memory(vm), 0);
	guest_answers(0, 0);
	expect_calls("answer1:ok");
	assert_int_equal(saved_memory(vm), 32);
	update_apply(&vm->supervisor, &smaller, &vm->relays[2]);
	guest_answers(1, MVM_ERR_INVALID);
	expect_calls("update:16 answer2:invalid");
	assert_int_equal(saved_memory(vm), 32);
}

static void a_machine_has_what_it_was_started_with(void **state)
{
	struct vm *vm = *state;
	const struct mvm_container_update all = {.memory = 64 << 20, .nano_cpus = 2000000000},
					  memory = {.memory = (64 << 20) + 1}, cpus = {.nano_cpus = 2000000001};

	update_apply(&vm->supervisor, &memory, &vm->relays[1]);
	update_apply(&vm->supervisor, &cpus, &vm->relays[2]);
	expect_calls("answer1:conflict answer2:conflict");
	update_apply(&vm->supervisor, &all, &vm->relays[3]);
	guest_answers(0, 0);
	expect_calls("update:64 answer3:ok");
}

/* Where there is no machine, or one that is not to be asked. */
static void limits_in_other_phases(void **state)
{
	static const struct {
		enum phase phase;
		const char *calls;
	} cases[] = {
		{PHASE_IDLE, "answer1:ok"},
		{PHASE_BOOTING, "answer1:ok"},
		{PHASE_PAUSED, "update:%d answer1:ok"},
		{PHASE_DRAINING, "answer1:ok"},
	};
	struct vm *vm = *state;

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		const struct mvm_container_update update = {.memory = (10 + i) << 20};
		char *expected MVM_CLEAN_FREE = mvm_strdup(cases[i].calls);

		if (strstr(expected, "%d"))
			memcpy(strstr(expected, "%d"), "12", 2);
		vm->supervisor.phase = cases[i].phase;
		update_apply(&vm->supervisor, &update, &vm->relays[1]);
		expect_calls(expected);
		assert_int_equal(saved_memory(vm), 10 + i);
	}
	/* What ends has no say about what it is started with the next time; nor has one that reads a disk. */
	vm->supervisor.helper = true;
	vm->supervisor.phase = PHASE_SERVING;
	update_apply(&vm->supervisor, &(const struct mvm_container_update){.memory = 1 << 30}, &vm->relays[1]);
	expect_calls("answer1:ok");
	assert_int_equal(saved_memory(vm), 1024);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(figures_are_passed_on),
		TEST(new_limits_are_kept_when_the_guest_has_them),
		TEST(a_machine_has_what_it_was_started_with),
		TEST(limits_in_other_phases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
