#include "link.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"
#include "runtime/base/paths.h"
#include "runtime/base/spawn.h"

#define PROGRAM "mvm-vz-double-machine"

enum { FDS_MAX = 14 };

struct vz_double_link {
	unsigned owners; /* atomic */
	dispatch_queue_t queue;
	id<VZDoubleLinkOwner> owner;
	int fd; /* -1 while no process runs */
	pid_t pid;
	bool running; /* atomic: the guest may run */
	dispatch_semaphore_t done;
};

/* A message on its way to the queue. */
struct delivery {
	struct vz_double_link *link;
	struct wire_message message;
	int fd;
};

struct vz_double_link *link_create(dispatch_queue_t queue, id<VZDoubleLinkOwner> owner)
{
	struct vz_double_link *link = mvm_alloc(sizeof(*link));

	dispatch_retain(queue);
	*link = (struct vz_double_link){
		.owners = 1, .queue = queue, .owner = owner, .fd = -1, .done = dispatch_semaphore_create(0)};
	return link;
}

struct vz_double_link *link_retain(struct vz_double_link *link)
{
	__atomic_fetch_add(&link->owners, 1, __ATOMIC_SEQ_CST);
	return link;
}

void link_release(struct vz_double_link *link)
{
	if (!link || __atomic_fetch_sub(&link->owners, 1, __ATOMIC_SEQ_CST) != 1)
		return;
	mvm_close(&link->fd);
	dispatch_release(link->queue);
	dispatch_release(link->done);
	free(link);
}

void link_forget(struct vz_double_link *link)
{
	link->owner = nil;
	if (link->fd >= 0)
		shutdown(link->fd, SHUT_RDWR);
}

/* ---- what comes ---- */

static void deliver(void *context)
{
	struct delivery *delivery = context;
	struct vz_double_link *link = delivery->link;

	if (delivery->message.type == WIRE_GONE)
		mvm_close(&link->fd);
	if (link->owner)
		[link->owner take:&delivery->message fd:delivery->fd];
	else
		mvm_close(&delivery->fd);
	link_release(link);
	free(delivery);
}

static void put(struct vz_double_link *link, const struct wire_message *message, int fd)
{
	struct delivery *delivery = mvm_alloc(sizeof(*delivery));

	*delivery = (struct delivery){.link = link_retain(link), .message = *message, .fd = fd};
	dispatch_async_f(link->queue, delivery, deliver);
}

static void *read_all(void *argument)
{
	struct vz_double_link *link = argument;
	struct wire_message message;
	size_t count;
	int fd;

	for (;;) {
		fd = -1;
		count = 0;
		if (mvm_recv_fds(link->fd, &message, sizeof(message), &fd, 1, &count) != (ssize_t)sizeof(message))
			break;
		if (message.type == WIRE_DONE) {
			dispatch_semaphore_signal(link->done);
			continue;
		}
		if (message.type == WIRE_RUNNING)
			__atomic_store_n(&link->running, true, __ATOMIC_SEQ_CST);
		put(link, &message, count ? fd : -1);
	}
	/* Nobody is to wait for it any more. */
	__atomic_store_n(&link->running, false, __ATOMIC_SEQ_CST);
	dispatch_semaphore_signal(link->done);
	while (waitpid(link->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	put(link, &(struct wire_message){.type = WIRE_GONE}, -1);
	link_release(link);
	return NULL;
}

static void start_reader(struct vz_double_link *link)
{
	pthread_attr_t detached;
	pthread_t thread;

	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &detached, read_all, link_retain(link)) != 0)
		abort();
	pthread_attr_destroy(&detached);
}

/* ---- what goes ---- */

static int spawn(struct vz_double_link *link, int theirs, const char *description, NSArray *descriptors,
		 struct mvm_error **err)
{
	struct mvm_spawn_fd fds[FDS_MAX] = {{STDERR_FILENO, STDERR_FILENO}, {theirs, WIRE_FD}};
	char *argv[] = {PROGRAM, (char *)description, NULL};
	struct mvm_spawn child = {.argv = argv, .fds = fds, .fd_count = 2, .new_session = true};
	char *program MVM_CLEAN_FREE = NULL;

	if (mvm_own_file(PROGRAM, &program, err) < 0)
		return -1;
	child.program = program;
	for (NSNumber *fd in descriptors) {
		int to = WIRE_FIRST_FD + (int)child.fd_count - 2;

		if (child.fd_count == FDS_MAX)
			return mvm_fail(err, MVM_ERR_UNSUPPORTED, "too many descriptors");
		fds[child.fd_count++] = (struct mvm_spawn_fd){[fd intValue], to};
	}
	return mvm_spawn(&child, &link->pid, err);
}

BOOL link_start(struct vz_double_link *link, NSDictionary *description, NSArray *descriptors, NSString **reason)
{
	NSData *json = [NSJSONSerialization dataWithJSONObject:description options:0 error:NULL];
	char *text MVM_CLEAN_FREE = mvm_strndup([json bytes], [json length]);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	int pair[2], rc;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		*reason = @"no socket pair for the machine's process";
		return NO;
	}
	rc = spawn(link, pair[1], text, descriptors, &err);
	close(pair[1]);
	if (rc < 0) {
		close(pair[0]);
		*reason = [NSString stringWithUTF8String:mvm_error_message(err)];
		return NO;
	}
	link->fd = pair[0];
	start_reader(link);
	return YES;
}

void link_send(struct vz_double_link *link, const struct wire_message *message)
{
	if (link->fd < 0)
		return;
	while (send(link->fd, message, sizeof(*message), MSG_NOSIGNAL) < 0 && errno == EINTR)
		continue;
}

void link_listen(struct vz_double_link *link, uint32_t port)
{
	const struct wire_message message = {
		.type = WIRE_LISTEN, .port = port, .id = __atomic_load_n(&link->running, __ATOMIC_SEQ_CST)};

	link_send(link, &message);
	if (message.id)
		dispatch_semaphore_wait(link->done, DISPATCH_TIME_FOREVER);
}
