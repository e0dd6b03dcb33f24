/*
 * Theory of operation
 *
 * A connection to the host is made when the guest asks for it, by path: a program of the host may come later than the
 * container, go, and come back. Where its backlog is full the kernel does not tell when there is room, so that those
 * who wait try again every few milliseconds, in the order in which they came, as long as a guest waits for an answer.
 */
#include "sockets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest-agent/proto/proto.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/state/host_socket.h"
#include "share/source.h"
#include "shares.h"

enum {
	RETRY_MS = 10,
	PATIENCE_MS = 20 * 1000,
	MAX_WAITING = 4096,
};

struct published {
	char *path;
	int fd;
	dev_t device; /* what is at the path as long as it is ours */
	ino_t inode;
};

/* A guest's wish for which there was no room. */
struct wish {
	struct wish *next;
	uint32_t id;
	size_t index;
	uint64_t until;
};

struct sockets {
	struct supervisor *supervisor;
	struct mvm_vsock *vsock; /* while there is a machine */

	struct published published[MVM_SOCKETS_MAX];
	size_t published_count;
	struct mvm_strv published_guest; /* where they lead */

	struct mvm_strv sources, places; /* of those that are served */
	struct mvm_share_roots roots;	 /* where the guest may put links */
	int failures[MVM_SOCKETS_MAX];	 /* the last errno of each, which has been told */
	struct wish *wishes, **last_wish;
	size_t wish_count;
	struct mvm_timer *timer;
};

/* --- published --- */

static int publish_one(struct sockets *sockets, const char *text, struct mvm_error **err)
{
	struct published *published = &sockets->published[sockets->published_count];
	struct stat status;
	const char *guest;
	size_t length;

	guest = mvm_host_socket_split(text, &length);
	published->path = mvm_strndup(text, length);
	if (mvm_share_check_path(published->path, &sockets->roots, err) < 0 ||
	    mvm_host_socket_listen(published->path, &published->fd, err) < 0) {
		free(published->path);
		return -1;
	}
	if (lstat(published->path, &status) == 0) {
		published->device = status.st_dev;
		published->inode = status.st_ino;
	}
	sockets->published_count++;
	mvm_strv_add(&sockets->published_guest, guest);
	return 0;
}

/* Two that find the socket of a dead one at a path must not both clear it away. */
static int publish_all(struct sockets *sockets, struct mvm_error **err)
{
	const struct mvm_strv *wanted = &sockets->supervisor->container->config.published_sockets;
	const char *folder = mvm_state_runtime_folder(sockets->supervisor->state);
	char *path MVM_CLEAN_FREE = mvm_format("%s/sockets.lock", folder);
	int lock MVM_CLEAN_FD = -1;

	if (!wanted->count)
		return 0;
	if (mvm_lock(path, 0, &lock, err) < 0)
		return -1;
	for (size_t i = 0; i < wanted->count && i < MVM_SOCKETS_MAX; i++)
		if (publish_one(sockets, wanted->items[i], err) < 0)
			return -1;
	return 0;
}

static void withdraw(struct published *published)
{
	struct stat status;

	if (lstat(published->path, &status) == 0 && status.st_dev == published->device &&
	    status.st_ino == published->inode)
		unlink(published->path);
	mvm_close(&published->fd);
	free(published->path);
}

void sockets_open(struct sockets *sockets)
{
	for (size_t i = 0; sockets && i < sockets->published_count; i++) {
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;

		if (mvm_vsock_publish(sockets->vsock, sockets->published[i].fd,
				      MVM_PROTO_PUBLISH_SOCKET_PORT + (uint32_t)i, &err) < 0)
			mvm_log(MVM_LOG_WARN, "%s", mvm_error_message(err));
	}
}

/* --- served --- */

static bool is_socket(const char *path)
{
	struct stat status;

	return path && stat(path, &status) == 0 && S_ISSOCK(status.st_mode);
}

/* That of whoever starts the container, who may have logged in anew; without one, that of who made it. */
static const char *find_ssh_agent(const struct mvm_container_config *config)
{
	const char *own = getenv("SSH_AUTH_SOCK");

	return is_socket(own) && *own == '/' ? own : config->ssh_agent;
}

void sockets_guard(struct sockets *sockets, struct mvm_share_roots *roots)
{
	mvm_share_roots_finish(&sockets->roots);
	sockets->roots = *roots;
	*roots = (struct mvm_share_roots){0};
}

int sockets_mount(struct sockets *sockets, const char *source, const char *target, struct mvm_error **err)
{
	for (size_t i = 0; i < sockets->places.count; i++)
		if (!strcmp(sockets->places.items[i], target))
			return 0;
	if (sockets->places.count == MVM_SOCKETS_MAX)
		return mvm_fail(err, MVM_ERR_USAGE, "more than %d sockets of the host cannot be mounted",
				MVM_SOCKETS_MAX);
	mvm_strv_add(&sockets->sources, source);
	mvm_strv_add(&sockets->places, target);
	return 0;
}

static int connect_source(const struct sockets *sockets, size_t index)
{
	int folder MVM_CLEAN_FD = -1;
	char *name MVM_CLEAN_FREE = NULL;

	if (mvm_share_find(sockets->sources.items[index], &sockets->roots, &folder, &name) < 0)
		return -1;
	return mvm_host_socket_connect(folder, name);
}

static const char *explain(int failure)
{
	return failure == EXDEV ? "a link leads out of a shared folder that the container can write"
				: strerror(failure);
}

static void answer(struct sockets *sockets, size_t index, uint32_t id, int fd)
{
	int failure = fd < 0 ? errno : 0;

	/* A guest may ask often. */
	if (failure && failure != sockets->failures[index])
		mvm_log(MVM_LOG_WARN, "%s: %s", sockets->sources.items[index], explain(failure));
	sockets->failures[index] = failure;
	mvm_vsock_answer(sockets->vsock, id, fd);
}

static void add_wish(struct sockets *sockets, struct wish *wish)
{
	wish->next = NULL;
	*sockets->last_wish = wish;
	sockets->last_wish = &wish->next;
	if (sockets->wish_count++ == 0)
		mvm_timer_start(sockets->timer, RETRY_MS);
}

static void wait_for_room(struct sockets *sockets, size_t index, uint32_t id)
{
	struct wish *wish = mvm_alloc(sizeof(*wish));

	*wish = (struct wish){.id = id, .index = index, .until = mvm_now_ns() + PATIENCE_MS * 1000000ull};
	add_wish(sockets, wish);
}

static void try_again(void *arg)
{
	struct sockets *sockets = arg;
	struct wish *first = sockets->wishes;

	sockets->wishes = NULL;
	sockets->last_wish = &sockets->wishes;
	sockets->wish_count = 0;
	while (first) {
		struct wish *wish = first;
		int fd = connect_source(sockets, wish->index);

		first = wish->next;
		if (fd < 0 && errno == EAGAIN && mvm_now_ns() < wish->until) {
			add_wish(sockets, wish);
			continue;
		}
		answer(sockets, wish->index, wish->id, fd);
		free(wish);
	}
}

void sockets_asked(struct sockets *sockets, uint32_t port, uint32_t id)
{
	size_t index = port - MVM_PROTO_SOCKET_PORT;
	int fd;

	if (!sockets || index >= sockets->sources.count)
		return;
	fd = connect_source(sockets, index);
	if (fd < 0 && errno == EAGAIN && sockets->wish_count < MAX_WAITING)
		wait_for_room(sockets, index, id);
	else
		answer(sockets, index, id, fd);
}

static void forget_wishes(struct sockets *sockets)
{
	while (sockets->wishes) {
		struct wish *first = sockets->wishes;

		sockets->wishes = first->next;
		free(first);
	}
	sockets->last_wish = &sockets->wishes;
	sockets->wish_count = 0;
	mvm_timer_stop(sockets->timer);
}

int sockets_serve(struct sockets *sockets, struct mvm_vsock *vsock, struct mvm_error **err)
{
	if (!sockets)
		return 0;
	sockets->vsock = vsock;
	return sockets->sources.count
		       ? mvm_vsock_serve(vsock, MVM_PROTO_SOCKET_PORT, (uint32_t)sockets->sources.count, err)
		       : 0;
}

/* --- both --- */

int sockets_prepare(struct supervisor *supervisor, struct sockets **out, struct mvm_error **err)
{
	const struct mvm_container_config *config = &supervisor->container->config;
	struct sockets *sockets;

	if (supervisor->helper)
		return 0;
	sockets = mvm_alloc(sizeof(*sockets));
	sockets->supervisor = supervisor;
	sockets->last_wish = &sockets->wishes;
	sockets->timer = mvm_loop_timer(supervisor->loop, try_again, sockets);
	if (shares_find_roots(config, &sockets->roots, err) < 0 ||
	    (config->ssh_agent && sockets_mount(sockets, find_ssh_agent(config), MVM_SSH_AGENT_PLACE, err) < 0) ||
	    publish_all(sockets, err) < 0) {
		sockets_finish(sockets);
		return -1;
	}
	*out = sockets;
	return 0;
}

void sockets_finish(struct sockets *sockets)
{
	if (!sockets)
		return;
	sockets_close(sockets);
	while (sockets->published_count)
		withdraw(&sockets->published[--sockets->published_count]);
	mvm_timer_remove(sockets->timer);
	mvm_strv_finish(&sockets->published_guest);
	mvm_strv_finish(&sockets->sources);
	mvm_strv_finish(&sockets->places);
	mvm_share_roots_finish(&sockets->roots);
	free(sockets);
}

void sockets_close(struct sockets *sockets)
{
	if (!sockets)
		return;
	forget_wishes(sockets);
	sockets->vsock = NULL;
}

void sockets_describe(const struct sockets *sockets, struct mvm_proto_machine *machine)
{
	if (!sockets)
		return;
	machine->published_sockets = sockets->published_guest.items;
	machine->sockets = sockets->sources.count;
}

char *const *sockets_places(const struct sockets *sockets)
{
	return sockets ? sockets->places.items : NULL;
}
