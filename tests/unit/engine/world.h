/* An engine over a home of the test's own, and supervisors that are played by child processes. */
#ifndef MVM_TESTS_UNIT_ENGINE_WORLD_H
#define MVM_TESTS_UNIT_ENGINE_WORLD_H

#include "tests/unit/unit.h"

#include <signal.h>
#include <sys/socket.h>

#include "runtime/base/json.h"
#include "runtime/engine/client.h"
#include "runtime/engine/engine.h"
#include "runtime/state/control.h"

struct world {
	char *home;
	struct mvm_engine *engine;
};

/* They would get into the containers. */
static inline void world_forget_proxies(void)
{
	static const char *const names[] = {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "FTP_PROXY", "ALL_PROXY",
					    "http_proxy", "https_proxy", "no_proxy", "ftp_proxy", "all_proxy"};

	for (size_t i = 0; i < MVM_COUNT(names); i++)
		unsetenv(names[i]);
}

static inline int world_setup(void **state)
{
	struct world *world = mvm_alloc(sizeof(*world));
	struct mvm_error *err = NULL;

	world->home = scratch_create();
	setenv("MVM_HOME", world->home, 1);
	setenv("HOME", world->home, 1);
	setenv("XDG_RUNTIME_DIR", world->home, 1);
	unsetenv("MVM_CONFIG");
	unsetenv("DOCKER_CONFIG");
	unsetenv("MVM_PLATFORM");
	unsetenv("DOCKER_DEFAULT_PLATFORM");
	world_forget_proxies();
	assert_ok(mvm_engine_open(&world->engine, &err));
	*state = world;
	return 0;
}

static inline int world_teardown(void **state)
{
	struct world *world = *state;

	mvm_engine_close(world->engine);
	scratch_remove(world->home);
	free(world);
	return 0;
}

/* A container as `create` leaves it, without an image behind it. The lock is let go where it is not wanted. */
static inline char *world_add(struct world *world, const char *name, bool auto_remove, int *lock)
{
	struct mvm_container *made MVM_CLEAN_CONTAINER = mvm_alloc(sizeof(*made));
	struct mvm_container_config *config = &made->config;
	struct mvm_state *state = mvm_engine_state(world->engine);
	char *folder MVM_CLEAN_FREE = NULL;
	struct mvm_error *err = NULL;
	int held;

	config->name = mvm_strdup(name);
	config->image = mvm_strdup("alpine");
	config->image_id = mvm_strdup("sha256:0123");
	config->disk_file = mvm_strdup("root.qcow2");
	config->disk_format = mvm_strdup("qcow2");
	config->stop_signal = mvm_strdup("SIGQUIT");
	config->stop_timeout = 7;
	config->auto_remove = auto_remove;
	assert_ok(mvm_state_create(state, config, &folder, &held, &err));
	assert_ok(mvm_state_commit(state, config, &err));
	if (lock)
		*lock = held;
	else
		close(held);
	return mvm_strdup(config->id);
}

static inline struct mvm_container *world_load(struct world *world, const char *id)
{
	struct mvm_container *container = NULL;
	struct mvm_error *err = NULL;

	assert_ok(mvm_state_load(mvm_engine_state(world->engine), id, &container, &err));
	return container;
}

static inline void world_set_status(struct world *world, const char *id, enum mvm_status status, pid_t pid)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = world_load(world, id);
	struct mvm_error *err = NULL;

	container->state.status = status;
	container->state.pid = pid;
	assert_ok(mvm_state_save(container, &err));
}

static inline size_t world_count(struct world *world)
{
	struct mvm_container **list;
	struct mvm_error *err = NULL;
	size_t count;

	assert_ok(mvm_state_list(mvm_engine_state(world->engine), &list, &count, &err));
	mvm_container_list_free(list, count);
	return count;
}

/* A supervisor: a child process that holds the container's lock and listens on its socket. `play` talks to the first
 * client and returns the exit status; with its process's end the lock is free. */
typedef int (*supervisor_fn)(struct world *world, const char *id, struct mvm_control *client);

static inline pid_t world_supervise(struct world *world, const char *id, supervisor_fn play)
{
	struct mvm_state *state = mvm_engine_state(world->engine);
	char *path MVM_CLEAN_FREE = mvm_state_socket_path(state, id);
	struct mvm_error *err = NULL;
	int lock, listener, ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(mvm_pipe(ready), 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		struct mvm_control client;
		int fd;

		if (mvm_state_lock(state, id, &lock, NULL) != 0 || mvm_control_listen(path, &listener, NULL) < 0 ||
		    write(ready[1], "x", 1) != 1)
			_exit(99);
		fd = accept(listener, NULL, NULL);
		mvm_control_init(&client, fd);
		_exit(play(world, id, &client));
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	world_set_status(world, id, MVM_STATUS_RUNNING, pid);
	assert_null(err);
	return pid;
}

/* For `play`: the next request, NULL where it is another one than `op`. */
static inline json_t *world_request(struct mvm_control *client, const char *op)
{
	json_t *request = NULL;
	const char *theirs;

	if (mvm_control_receive(client, &request, NULL) != 0)
		return NULL;
	theirs = json_string_value(json_object_get(request, "op"));
	if (theirs && !strcmp(theirs, op))
		return request;
	json_decref(request);
	return NULL;
}

static inline int world_answer(struct mvm_control *client, const json_t *request)
{
	return mvm_control_send(client, json_pack("{sO, sb}", "id", json_object_get(request, "id"), "ok", 1), NULL, 0,
				NULL);
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

#endif
