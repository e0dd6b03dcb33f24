/* Looking into a container's disk, as the engine asks for it; the supervisors are played. */
#include "world.h"

#include <fcntl.h>
#include <sys/wait.h>

/* Sends a stream with `text` in it, then the answer: an error where `error` is not NULL. */
static int serve(struct mvm_control *client, const char *text, const char *error)
{
	json_t *request = world_request(client, "archive");
	json_t *id = request ? json_object_get(request, "id") : NULL;
	int pair[2];

	if (!id || strcmp(json_string_value(json_object_get(request, "path")), "/") ||
	    mvm_socketpair(SOCK_STREAM, pair) < 0 ||
	    mvm_control_send(client, json_pack("{ss, sO}", "event", "stream", "id", id), &pair[1], 1, NULL) < 0)
		return 1;
	close(pair[1]);
	if (write(pair[0], text, strlen(text)) != (ssize_t)strlen(text))
		return 2;
	close(pair[0]);
	if (error)
		return mvm_control_send(
			       client,
			       json_pack("{sO, s{ss, ss}}", "id", id, "error", "code", "machine", "message", error),
			       NULL, 0, NULL) < 0;
	if (world_answer(client, request) < 0)
		return 3;
	json_decref(request);
	request = world_request(client, "release");
	return request && world_answer(client, request) == 0 ? 0 : 4;
}

static int serve_all(struct world *world, const char *id, struct mvm_control *client)
{
	return serve(client, "the archive", NULL);
}

static int serve_a_part(struct world *world, const char *id, struct mvm_control *client)
{
	return serve(client, "the arch", "cannot read usr: I/O error");
}

static int die_amid(struct world *world, const char *id, struct mvm_control *client)
{
	json_t *request = world_request(client, "archive");
	int pair[2];

	if (!request || mvm_socketpair(SOCK_STREAM, pair) < 0)
		return 1;
	mvm_control_send(client, json_pack("{ss, sO}", "event", "stream", "id", json_object_get(request, "id")),
			 &pair[1], 1, NULL);
	return 0;
}

/* Exports `web` into a file; what is in it then is the caller's. */
static int export_web(struct world *world, supervisor_fn play, char **content, struct mvm_error **err)
{
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
	char *path MVM_CLEAN_FREE = mvm_format("%s/out", world->home);
	pid_t pid = world_supervise(world, id, play);
	int fd MVM_CLEAN_FD = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	int result = mvm_engine_export(world->engine, "web", fd, "out", err), status;
	size_t length;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(mvm_read_file(path, 1000, content, &length, NULL), 0);
	return result;
}

static void of_one_that_runs(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *content MVM_CLEAN_FREE = NULL;

	assert_ok(export_web(*state, serve_all, &content, &err));
	assert_string_equal(content, "the archive");
}

static void a_part_is_a_failure(void **state)
{
	struct mvm_error *err = NULL;
	char *content MVM_CLEAN_FREE = NULL;
	int result = export_web(*state, serve_a_part, &content, &err);

	assert_error(result, MVM_ERR_MACHINE, "cannot read usr: I/O error");
}

static void so_is_an_end_without_a_word(void **state)
{
	struct mvm_error *err = NULL;
	char *content MVM_CLEAN_FREE = NULL;
	int result = export_web(*state, die_amid, &content, &err);

	assert_error(result, MVM_ERR_MACHINE, "the supervisor of the container has gone");
}

static void what_cannot_be_written_is_named(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
	int fd MVM_CLEAN_FD = open("/dev/full", O_WRONLY);
	struct mvm_error *err = NULL;
	pid_t pid = world_supervise(world, id, serve_all);

	assert_error(mvm_engine_export(world->engine, "web", fd, "the output", &err), MVM_ERR_NO_SPACE,
		     "cannot write the output: No space left on device");
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void there_must_be_such_a_container(void **state)
{
	struct world *world = *state;
	struct mvm_error *err = NULL;

	assert_error(mvm_engine_export(world->engine, "nosuch", 1, "out", &err), MVM_ERR_NOT_FOUND,
		     "No such container: nosuch");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(of_one_that_runs),
		WORLD_TEST(a_part_is_a_failure),
		WORLD_TEST(so_is_an_end_without_a_word),
		WORLD_TEST(what_cannot_be_written_is_named),
		WORLD_TEST(there_must_be_such_a_container),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
