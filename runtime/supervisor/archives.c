/*
 * Archives: the guest sends each over a connection of its own, which goes to the client as it is; not a byte of it
 * passes through here. Whether it is complete is known from the guest's answer.
 */
#include "internal.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"

enum { ARCHIVES_MAX = 32 }; /* at a time, each a process in the guest */

struct archive {
	struct archive *next;
	struct supervisor *supervisor;
	struct relay *relay;
	char *path, *name;
	struct mvm_proto_archive order; /* with port 0: not ordered yet */
	int fd;				/* one more of the stream, which is the client's; -1 for none */
	bool connected, complete;
};

static void answer(struct archive *archive, const struct mvm_error *error)
{
	struct archive **at = &archive->supervisor->archives;

	while (*at != archive)
		at = &(*at)->next;
	*at = archive->next;
	if (archive->order.port && !archive->connected && archive->supervisor->vsock)
		mvm_vsock_unlisten(archive->supervisor->vsock, archive->order.port);
	/* A guest that hangs would let the client wait for the stream's end for ever. */
	if (archive->fd >= 0 && error)
		shutdown(archive->fd, SHUT_RDWR);
	mvm_close(&archive->fd);
	relayed(archive->relay, error);
	free(archive->path);
	free(archive->name);
	free(archive);
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

static struct archive *by_port(const struct supervisor *supervisor, unsigned port)
{
	struct archive *archive = supervisor->archives;

	while (archive && archive->order.port != port)
		archive = archive->next;
	return archive;
}

static void order(struct archive *archive)
{
	struct supervisor *supervisor = archive->supervisor;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	uint32_t port = ARCHIVE_PORT;

	while (by_port(supervisor, port))
		port++;
	if (port >= ARCHIVE_PORT + ARCHIVES_MAX)
		mvm_fail(&err, MVM_ERR_CONFLICT, "%d copies and exports of container %s are under way already",
			 ARCHIVES_MAX, supervisor->container->config.name);
	if (err || mvm_vsock_listen(supervisor->vsock, port, &err) < 0) {
		answer(archive, err);
		return;
	}
	archive->order.port = port;
	agent_archive(supervisor->agent, &archive->order, done, archive);
}

void archives_add(struct supervisor *supervisor, const struct mvm_proto_archive *wanted, struct relay *relay)
{
	struct archive *archive = mvm_alloc(sizeof(*archive));

	*archive = (struct archive){
		.next = supervisor->archives,
		.supervisor = supervisor,
		.relay = relay,
		.fd = -1,
		.path = mvm_strdup(wanted->path),
		.name = mvm_strdup(wanted->name),
		.order = *wanted,
	};
	archive->order.path = archive->path;
	archive->order.name = archive->name;
	supervisor->archives = archive;
	if (supervisor->phase == PHASE_SERVING || supervisor->phase == PHASE_RUNNING)
		order(archive);
}

void archives_ready(struct supervisor *supervisor)
{
	for (struct archive *archive = supervisor->archives, *next; archive; archive = next) {
		next = archive->next;
		if (!archive->order.port)
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

void archives_end(struct supervisor *supervisor)
{
	const struct mvm_container *container = supervisor->container;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	if (supervisor->refusal)
		mvm_fail(&err, mvm_error_code(supervisor->refusal), "%s", mvm_error_message(supervisor->refusal));
	else if (supervisor->helper)
		mvm_fail(&err, MVM_ERR_INTERRUPTED, "the VM that reads the container's disk was ended");
	else if (container->state.error)
		mvm_fail(&err, MVM_ERR_MACHINE, "%s", container->state.error);
	else
		mvm_fail(&err, MVM_ERR_CONFLICT, "container %s has ended meanwhile; try again", container->config.name);
	while (supervisor->archives)
		answer(supervisor->archives, err);
}
