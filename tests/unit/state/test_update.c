/* Limits that change after a container was made. */
#include "world.h"

#include "runtime/base/json.h"
#include "runtime/state/update.h"

static struct mvm_container *load(struct world *world, const char *id)
{
	struct mvm_container *container = NULL;
	struct mvm_error *err = NULL;

	assert_ok(mvm_state_load(world->state, id, &container, &err));
	return container;
}

static void what_is_not_given_stays(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
	const struct mvm_container_update first = {.memory = 64 << 20,
						   .memory_reservation = 32 << 20,
						   .nano_cpus = 1500000000,
						   .cpu_shares = 512},
					  second = {.has_pids_limit = true, .pids_limit = 7};
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_error *err = NULL;

	assert_ok(mvm_state_update(world->state, id, &first, &err));
	assert_ok(mvm_state_update(world->state, id, &second, &err));
	container = load(world, id);
	assert_int_equal(container->config.memory, 64 << 20);
	assert_int_equal(container->config.memory_reservation, 32 << 20);
	assert_int_equal(container->config.nano_cpus, 1500000000);
	assert_int_equal(container->config.cpus, 2);
	assert_int_equal(container->config.cpu_shares, 512);
	assert_int_equal(container->config.pids_limit, 7);
	assert_string_equal(container->config.name, "web");
	assert_string_equal(container->config.args.items[0], "sh");
}

static void a_reservation_above_the_limit_is_refused(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
	const struct mvm_container_update large = {.memory = 64 << 20, .memory_reservation = 64 << 20},
					  small = {.memory = 32 << 20};
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_error *err = NULL;

	assert_ok(mvm_state_update(world->state, id, &large, &err));
	assert_error(mvm_state_update(world->state, id, &small, &err), MVM_ERR_INVALID,
		     "Minimum memory limit can not be less than memory reservation limit");
	container = load(world, id);
	assert_int_equal(container->config.memory, 64 << 20);
}

static void one_that_has_gone_does_not_come_back(void **state)
{
	struct world *world = *state;
	const struct mvm_container_update update = {.memory = 64 << 20};
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL), *folder MVM_CLEAN_FREE = world_path(world, id);
	struct mvm_error *err = NULL;

	assert_ok(mvm_state_remove(world->state, id, &err));
	assert_error(mvm_state_update(world->state, id, &update, &err), MVM_ERR_NOT_FOUND, "No such container");
	assert_int_equal(access(folder, F_OK), -1);
}

/* Three processes change different things of one file at once, many times: at the end all has its last value. */
enum { ROUNDS = 100 };

static int change(struct world *world, const char *id, int who)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	for (int i = 1; i <= ROUNDS; i++) {
		char *name MVM_CLEAN_FREE = mvm_format("name-%d", i);
		const struct mvm_container_update memory = {.memory = (uint64_t)i << 20},
						  shares = {.cpu_shares = i + 1};

		if ((who == 0 ? mvm_state_rename(world->state, id, name, &err)
			      : mvm_state_update(world->state, id, who == 1 ? &memory : &shares, &err)) < 0)
			return 1;
	}
	return 0;
}

static void changes_at_once_are_not_lost(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	pid_t pids[3];

	fflush(stdout);
	for (int who = 0; who < 3; who++) {
		pids[who] = fork();
		if (pids[who] == 0)
			_exit(change(world, id, who));
	}
	for (int who = 0; who < 3; who++)
		assert_int_equal(wait_for_exit(pids[who]), 0);
	container = load(world, id);
	assert_string_equal(container->config.name, "name-100");
	assert_int_equal(container->config.memory, ROUNDS << 20);
	assert_int_equal(container->config.cpu_shares, ROUNDS + 1);
}

static void it_goes_over_the_control_socket(void **state)
{
	const struct mvm_container_update sent = {.memory = UINT64_C(1) << 40,
						  .memory_reservation = 1,
						  .nano_cpus = 2,
						  .cpu_shares = 3,
						  .has_pids_limit = true,
						  .pids_limit = -1},
					  empty = {0};
	json_t *json MVM_CLEAN_JSON = mvm_container_update_to_json(&sent);
	json_t *none MVM_CLEAN_JSON = mvm_container_update_to_json(&empty);
	struct mvm_container_update got;
	struct mvm_error *err = NULL;

	assert_ok(mvm_container_update_from_json(json, &got, &err));
	assert_true(got.memory == sent.memory && got.memory_reservation == 1 && got.nano_cpus == 2);
	assert_true(got.cpu_shares == 3 && got.has_pids_limit && got.pids_limit == -1);
	assert_ok(mvm_container_update_from_json(none, &got, &err));
	assert_true(!got.memory && !got.has_pids_limit);
	json_object_set_new(json, "memory", json_integer(-1));
	assert_error(mvm_container_update_from_json(json, &got, &err), MVM_ERR_USAGE, "malformed limits");
	json_object_set_new(json, "memory", json_string("much"));
	assert_error(mvm_container_update_from_json(json, &got, &err), MVM_ERR_INVALID, "memory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(what_is_not_given_stays),
		WORLD_TEST(a_reservation_above_the_limit_is_refused),
		WORLD_TEST(one_that_has_gone_does_not_come_back),
		WORLD_TEST(changes_at_once_are_not_lost),
		cmocka_unit_test(it_goes_over_the_control_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
