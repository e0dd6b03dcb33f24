#include "loop.h"

#include <errno.h>
#include <stddef.h>

#include "failure.h"

enum { BATCH = 32 };

static int epoll_fd = -1;
static struct epoll_event batch[BATCH];
static int batch_next, batch_count;
static struct task *tasks, **tasks_end = &tasks;

void loop_init(void)
{
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
}

int loop_add(struct watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, watch->fd, &event);
}

void loop_change(struct watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};

	epoll_ctl(epoll_fd, EPOLL_CTL_MOD, watch->fd, &event);
}

void loop_remove(struct watch *watch)
{
	epoll_ctl(epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	/* What the kernel has already reported of it must not be looked at any more. */
	for (int i = batch_next; i < batch_count; i++)
		if (batch[i].data.ptr == watch)
			batch[i].data.ptr = NULL;
}

void loop_later(struct task *task)
{
	if (task->queued)
		return;
	task->queued = 1;
	task->next = NULL;
	*tasks_end = task;
	tasks_end = &task->next;
}

void loop_forget(struct task *task)
{
	struct task **at = &tasks;

	if (!task->queued)
		return;
	while (*at != task)
		at = &(*at)->next;
	*at = task->next;
	if (!*at)
		tasks_end = at;
	task->queued = 0;
}

/* One round: what is queued by now, not what it queues in turn. */
static void run_tasks(void)
{
	size_t count = 0;

	for (struct task *task = tasks; task; task = task->next)
		count++;
	while (count-- > 0 && tasks) {
		struct task *task = tasks;

		loop_forget(task);
		task->run(task);
	}
}

_Noreturn void loop_run(void)
{
	for (;;) {
		batch_next = 0;
		batch_count = epoll_wait(epoll_fd, batch, BATCH, tasks ? 0 : -1);
		while (batch_next < batch_count) {
			struct epoll_event *event = &batch[batch_next++];
			struct watch *watch = event->data.ptr;

			if (watch)
				watch->ready(watch, event->events);
		}
		run_tasks();
	}
}
