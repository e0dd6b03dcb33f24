/* A home of the test's own with containers in it. */
#ifndef MVM_TESTS_UNIT_STATE_WORLD_H
#define MVM_TESTS_UNIT_STATE_WORLD_H

#include "tests/unit/unit.h"

#include "runtime/state/container.h"

struct world {
	char *folder; /* the home, and XDG_RUNTIME_DIR */
	struct mvm_state *state;
};

static inline int world_setup(void **state)
{
	struct world *world = mvm_alloc(sizeof(*world));
	struct mvm_error *err = NULL;

	world->folder = scratch_create();
	setenv("XDG_RUNTIME_DIR", world->folder, 1);
	assert_ok(mvm_state_open(world->folder, &world->state, &err));
	*state = world;
	return 0;
}

static inline int world_teardown(void **state)
{
	struct world *world = *state;

	mvm_state_close(world->state);
	scratch_remove(world->folder);
	free(world);
	return 0;
}

static inline char *world_path(const struct world *world, const char *name)
{
	return mvm_format("%s/containers/%s", world->folder, name);
}

/* A container to be made; give it to world_free_new(). */
static inline struct mvm_container *world_new(const char *name)
{
	struct mvm_container *container = mvm_alloc(sizeof(*container));
	struct mvm_container_config *config = &container->config;

	config->name = mvm_strdup(name);
	config->image = mvm_strdup("alpine");
	config->image_id = mvm_strdup("sha256:0123");
	config->disk_file = mvm_strdup("root.qcow2");
	config->disk_format = mvm_strdup("qcow2");
	mvm_strv_add(&config->args, "sh");
	return container;
}

/* Creates and commits one. The lock comes back held, or is let go where the caller does not want it. */
static inline char *world_add(struct world *world, const char *name, bool auto_remove, int *lock)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = world_new(name);
	char *folder MVM_CLEAN_FREE = NULL;
	struct mvm_error *err = NULL;
	int held = -1;

	container->config.auto_remove = auto_remove;
	assert_ok(mvm_state_create(world->state, &container->config, &folder, &held, &err));
	assert_ok(mvm_state_commit(world->state, &container->config, &err));
	if (lock)
		*lock = held;
	else
		close(held);
	return mvm_strdup(container->config.id);
}

/* What a supervisor writes when it gets there. */
static inline void world_set_status(struct world *world, const char *id, enum mvm_status status)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_error *err = NULL;

	assert_ok(mvm_state_load(world->state, id, &container, &err));
	container->state.status = status;
	container->state.pid = 4242;
	if (status != MVM_STATUS_STARTING)
		clock_gettime(CLOCK_REALTIME, &container->state.started);
	assert_ok(mvm_state_save(container, &err));
}

static inline size_t world_count(struct world *world)
{
	struct mvm_container **list;
	struct mvm_error *err = NULL;
	size_t count;

	assert_ok(mvm_state_list(world->state, &list, &count, &err));
	mvm_container_list_free(list, count);
	return count;
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

#endif
