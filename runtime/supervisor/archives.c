/*
 * What clients want of the disk: parts of it, files for it, a look at a path. What is sent goes over a connection of
 * its own between the guest and the client; not a byte of it passes through here. Whether it is complete is known from
 * the guest's answer.
 */
#include "internal.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/mem.h"

enum { ARCHIVES_MAX = 32 }; /* at a time, each a process in the guest */

struct archive {
	struct archive *next;
	struct supervisor *supervisor;
	struct relay *relay;
	struct archive_order order;
	bool ordered;
	unsigned port; /* 0: it has none (yet) */
	int fd;	       /* one more of the stream, which is the client's; -1 for none */
	bool connected, complete;
};

static void finish(struct archive *archive)
{
	struct archive **at = &archive->supervisor->archives;

	while (*at != archive)
		at = &(*at)->next;
	*at = archive->next;
	if (archive->port && !archive->connected && archive->supervisor->vsock)
		mvm_vsock_unlisten(archive->supervisor->vsock, archive->port);
	mvm_close(&archive->fd);
	free(archive->order.path);
	free(archive->order.name);
	free(archive->order.user);
	free(archive);
}

static void answer(struct archive *archive, const struct mvm_error *error)
{
	struct relay *relay = archive->relay;

	/* A guest that hangs would let the client wait for the stream's end for ever. */
	if (archive->fd >= 0 && error)
		shutdown(archive->fd, SHUT_RDWR);
	finish(archive);
	relayed(relay, error);
}

/* What ended the machine is known only later: archives_end(). A short stream may come after the word of its end. */
static void done(void *arg, const struct mvm_error *error)
{
	struct archive *archive = arg;

	if (error && !agent_is_connected(archive->supervisor->agent))
		return;
	archive->complete = !error;
	if (error || archive->connected)
		answer(archive, error);
}

static void looked_at(void *arg, const struct mvm_error *error)
{
	struct archive *archive = arg;
	struct relay *relay = archive->relay;
	const struct mvm_proto_reply *reply;

	if (error) {
		done(archive, error);
		return;
	}
	reply = agent_reply(archive->supervisor->agent);
	relay_message(relay,
		      json_pack("{sb, sI, sI, sI, sI, so*}", "ok", 1, "mode", (json_int_t)reply->mode, "size",
				(json_int_t)reply->size, "mtime", (json_int_t)reply->mtime, "mtime_nsec",
				(json_int_t)reply->mtime_nsec, "link_target",
				reply->link_target ? mvm_json_octets(reply->link_target) : NULL),
		      NULL, 0);
	finish(archive);
	relay_release(relay);
}

static struct archive *by_port(const struct supervisor *supervisor, unsigned port)
{
	struct archive *archive = supervisor->archives;

	while (archive && archive->port != port)
		archive = archive->next;
	return archive;
}

static int listen_for(struct archive *archive, struct mvm_error **err)
{
	struct supervisor *supervisor = archive->supervisor;
	unsigned port = ARCHIVE_PORT;

	while (by_port(supervisor, port))
		port++;
	if (port >= ARCHIVE_PORT + ARCHIVES_MAX)
		return mvm_fail(err, MVM_ERR_CONFLICT, "%d copies and exports of container %s are under way already",
				ARCHIVES_MAX, supervisor->container->config.name);
	if (mvm_vsock_listen(supervisor->vsock, port, err) < 0)
		return -1;
	archive->port = port;
	return 0;
}

static void give_order(struct archive *archive)
{
	struct agent *agent = archive->supervisor->agent;
	const struct archive_order *order = &archive->order;
	const struct mvm_proto_archive send = {
		.path = order->path,
		.name = order->name,
		.port = archive->port,
		.changes = order->changes,
		.freeze = order->freeze,
		.mounted = order->mounted,
	};
	/* Of a container that runs the disk is written when its kernel likes to. */
	const struct mvm_proto_unpack unpack = {
		.path = order->path, .user = order->user, .port = archive->port, .sync = archive->supervisor->helper};
	const struct mvm_proto_stat stat = {.path = order->path};

	switch (order->kind) {
	case ARCHIVE_SEND:
		agent_archive(agent, &send, done, archive);
		break;
	case ARCHIVE_UNPACK:
		agent_unpack(agent, &unpack, done, archive);
		break;
	case ARCHIVE_STAT:
		agent_stat(agent, &stat, looked_at, archive);
		break;
	case ARCHIVE_PROCESSES:
		agent_processes(agent, archive->port, done, archive);
		break;
	}
}

static void order(struct archive *archive)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	archive->ordered = true;
	if (archive->order.kind != ARCHIVE_STAT && listen_for(archive, &err) < 0)
		answer(archive, err);
	else
		give_order(archive);
}

void archives_add(struct supervisor *supervisor, const struct archive_order *wanted, struct relay *relay)
{
	struct archive *archive = mvm_alloc(sizeof(*archive));

	*archive = (struct archive){
		.next = supervisor->archives,
		.supervisor = supervisor,
		.relay = relay,
		.order = *wanted,
		.fd = -1,
	};
	supervisor->archives = archive;
	if (supervisor->phase == PHASE_SERVING || supervisor->phase == PHASE_RUNNING)
		order(archive);
}

void archives_ready(struct supervisor *supervisor)
{
	for (struct archive *archive = supervisor->archives, *next; archive; archive = next) {
		next = archive->next;
		if (!archive->ordered)
			order(archive);
	}
}

void archives_connected(struct supervisor *supervisor, unsigned port, int fd)
{
	struct archive *archive = by_port(supervisor, port);

	if (!archive) {
		close(fd);
		return;
	}
	archive->connected = true;
	archive->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	relay_stream(archive->relay, fd);
	if (archive->complete)
		answer(archive, NULL);
}

/* The guest must learn of it, for it may wait for the client. */
void archives_left(struct supervisor *supervisor)
{
	for (struct archive *archive = supervisor->archives; archive; archive = archive->next)
		if (archive->fd >= 0 && relay_is_dead(archive->relay))
			shutdown(archive->fd, SHUT_RDWR);
}

void archives_end(struct supervisor *supervisor)
{
	const struct mvm_container *container = supervisor->container;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	if (supervisor->refusal)
		mvm_fail(&err, mvm_error_code(supervisor->refusal), "%s", mvm_error_message(supervisor->refusal));
	else if (supervisor->helper)
		mvm_fail(&err, MVM_ERR_INTERRUPTED, "the VM that works on the container's disk was ended");
	else if (container->state.error)
		mvm_fail(&err, MVM_ERR_MACHINE, "%s", container->state.error);
	else
		mvm_fail(&err, MVM_ERR_INTERRUPTED, "container %s has ended meanwhile; try again",
			 container->config.name);
	while (supervisor->archives)
		answer(supervisor->archives, err);
}
