/*
 * Looking into a container's disk, whether it runs or not.
 */
#include "internal.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/loop.h"

#define BUSY_LIMIT_MS 30000
#define COPY_SIZE     (256 * 1024)

struct mvm_archive {
	struct mvm_client *client;
	json_int_t id;
	int fd;
};

/* The supervisor of one that runs, or the helper that another command has started, or one of our own. */
static int connect_any(struct mvm_engine *engine, const char *what, enum engine_role role, bool *own,
		       struct mvm_client **client, struct mvm_error **err)
{
	struct mvm_state *state = mvm_engine_state(engine);
	int result = 1;

	while (result > 0) {
		struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
		int lock, busy;

		if (mvm_state_find(state, what, &container, err) < 0)
			return -1;
		busy = mvm_state_lock(state, container->config.id, &lock, err);
		*own = busy == 0;
		if (busy < 0)
			return -1;
		if (busy == 0)
			return engine_start_supervisor(engine, container, lock, role, client, err);
		result = engine_reach(engine, container->config.id, client, err);
	}
	return result;
}

/* Its process has ended. */
static bool has_gone(const struct mvm_client *client)
{
	struct pollfd poll_fd = {.fd = mvm_client_fd(client), .events = POLLIN};

	return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & POLLHUP);
}

int engine_ask_disk(struct mvm_engine *engine, const char *what, enum engine_role role, engine_ask_fn ask, void *arg,
		    struct mvm_client **client, struct mvm_error **err)
{
	uint64_t deadline = mvm_now_ns() + BUSY_LIMIT_MS * 1000000ULL;

	for (;;) {
		struct mvm_client *asked MVM_CLEAN_CLIENT = NULL;
		struct mvm_error *local MVM_CLEAN_ERROR = NULL;
		bool own;

		if (connect_any(engine, what, role, &own, &asked, err) < 0)
			return -1;
		if (ask(arg, asked, &local) == 0) {
			*client = asked;
			asked = NULL;
			return 0;
		}
		if (own || mvm_now_ns() > deadline ||
		    (mvm_error_code(local) != MVM_ERR_INTERRUPTED && !has_gone(asked))) {
			/* What comes next finds the container free. */
			mvm_client_call(asked, "release", NULL, NULL, NULL);
			return mvm_error_move(err, &local);
		}
		poll(NULL, 0, 50);
	}
}

struct stream_request {
	const char *op;
	json_t *fields;
	struct mvm_archive *archive;
};

static int ask_stream(void *arg, struct mvm_client *client, struct mvm_error **err)
{
	const struct stream_request *request = arg;

	return mvm_client_stream(client, request->op, json_copy(request->fields), &request->archive->fd,
				 &request->archive->id, err);
}

int engine_open_archive(struct mvm_engine *engine, const char *what, const char *op, json_t *given,
			struct mvm_archive **out, struct mvm_error **err)
{
	json_t *fields MVM_CLEAN_JSON = given;
	struct mvm_archive *archive = mvm_alloc(sizeof(*archive));
	struct stream_request request = {.op = op, .fields = fields, .archive = archive};

	archive->fd = -1;
	if (engine_ask_disk(engine, what, ENGINE_READER, ask_stream, &request, &archive->client, err) < 0) {
		mvm_archive_destroy(archive);
		return -1;
	}
	*out = archive;
	return 0;
}

int mvm_engine_archive(struct mvm_engine *engine, const char *what, const char *path, const char *name,
		       struct mvm_archive **archive, struct mvm_error **err)
{
	json_t *fields = json_pack("{so, so}", "path", mvm_json_octets(path), "name", mvm_json_octets(name));

	return engine_open_archive(engine, what, "archive", fields, archive, err);
}

int mvm_archive_fd(const struct mvm_archive *archive)
{
	return archive->fd;
}

int mvm_archive_finish(struct mvm_archive *archive, struct mvm_error **err)
{
	if (mvm_client_wait(archive->client, archive->id, err) < 0)
		return -1;
	return mvm_client_call(archive->client, "release", NULL, NULL, err);
}

void mvm_archive_destroy(struct mvm_archive *archive)
{
	if (!archive)
		return;
	mvm_close(&archive->fd);
	mvm_client_destroy(archive->client);
	free(archive);
}

int engine_copy_all(int from, int to, const char *name, struct mvm_error **err)
{
	char *buffer MVM_CLEAN_FREE = mvm_alloc(COPY_SIZE);
	ssize_t n;

	while ((n = read(from, buffer, COPY_SIZE)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return mvm_fail_errno(err, errno, "cannot read from the VM");
		if (mvm_write_full(to, buffer, (size_t)n) < 0)
			return mvm_fail_errno(err, errno, "cannot write %s", name);
	}
	return 0;
}

int mvm_engine_export(struct mvm_engine *engine, const char *what, int fd, const char *name, struct mvm_error **err)
{
	struct mvm_archive *archive;
	int result;

	if (mvm_engine_archive(engine, what, "/", "", &archive, err) < 0)
		return -1;
	result = engine_copy_all(archive->fd, fd, name, err);
	if (result == 0)
		result = mvm_archive_finish(archive, err);
	mvm_archive_destroy(archive);
	if (result == 0)
		engine_note_container(engine, what, "export");
	return result;
}
