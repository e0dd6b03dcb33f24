#include "inbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/mem.h"

struct item {
	struct item *next;
	struct vz_message message;
};

struct vz_inbox {
	pthread_mutex_t lock;
	unsigned owners;
	bool closed;
	struct item *first, **end;
	int pipe[2]; /* a byte is in it while something may be in the list */
};

struct vz_inbox *inbox_create(void)
{
	struct vz_inbox *inbox = mvm_alloc(sizeof(*inbox));

	if (mvm_pipe(inbox->pipe) < 0) {
		free(inbox);
		return NULL;
	}
	mvm_set_nonblock(inbox->pipe[0], true);
	mvm_set_nonblock(inbox->pipe[1], true);
	pthread_mutex_init(&inbox->lock, NULL);
	inbox->owners = 1;
	inbox->end = &inbox->first;
	return inbox;
}

struct vz_inbox *inbox_retain(struct vz_inbox *inbox)
{
	pthread_mutex_lock(&inbox->lock);
	inbox->owners++;
	pthread_mutex_unlock(&inbox->lock);
	return inbox;
}

static void drop(struct vz_inbox *inbox)
{
	while (inbox->first) {
		struct item *first = inbox->first;

		inbox->first = first->next;
		mvm_close(&first->message.fd);
		free(first);
	}
	inbox->end = &inbox->first;
}

void inbox_release(struct vz_inbox *inbox)
{
	bool last;

	if (!inbox)
		return;
	pthread_mutex_lock(&inbox->lock);
	last = --inbox->owners == 0;
	pthread_mutex_unlock(&inbox->lock);
	if (!last)
		return;
	drop(inbox);
	close(inbox->pipe[0]);
	close(inbox->pipe[1]);
	pthread_mutex_destroy(&inbox->lock);
	free(inbox);
}

int inbox_fd(const struct vz_inbox *inbox)
{
	return inbox->pipe[0];
}

void inbox_put(struct vz_inbox *inbox, const struct vz_message *message)
{
	struct item *item = mvm_alloc(sizeof(*item));
	bool closed;

	item->message = *message;
	pthread_mutex_lock(&inbox->lock);
	closed = inbox->closed;
	if (!closed) {
		*inbox->end = item;
		inbox->end = &item->next;
		/* A full pipe wakes the loop up, too. */
		(void)!write(inbox->pipe[1], "", 1);
	}
	pthread_mutex_unlock(&inbox->lock);
	if (!closed)
		return;
	mvm_close(&item->message.fd);
	free(item);
}

bool inbox_take(struct vz_inbox *inbox, struct vz_message *message)
{
	struct item *item;
	char bytes[64];

	pthread_mutex_lock(&inbox->lock);
	item = inbox->first;
	if (item) {
		inbox->first = item->next;
		if (!inbox->first)
			inbox->end = &inbox->first;
	} else {
		while (read(inbox->pipe[0], bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes))
			continue;
	}
	pthread_mutex_unlock(&inbox->lock);
	if (!item)
		return false;
	*message = item->message;
	free(item);
	return true;
}

void inbox_close(struct vz_inbox *inbox)
{
	pthread_mutex_lock(&inbox->lock);
	inbox->closed = true;
	drop(inbox);
	pthread_mutex_unlock(&inbox->lock);
}
