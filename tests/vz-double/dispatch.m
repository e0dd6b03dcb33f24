/*
 * Theory of operation: a queue is a thread with two lists, what is to be run now and what is to be run later. The
 * thread holds nothing while it runs a block, so that blocks may put others on any queue, its own included. It ends
 * when the queue has no owner and nothing to run.
 */
#include <dispatch/dispatch.h>

#import <Foundation/Foundation.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "trap.h"

enum kind { KIND_QUEUE = 0x51554555, KIND_SEMAPHORE = 0x53454d41 };

struct item {
	struct item *next;
	dispatch_time_t when;
	dispatch_block_t block; /* a copy; NULL: function */
	dispatch_function_t function;
	void *context;
	dispatch_semaphore_t done; /* of dispatch_sync(); NULL: nobody waits */
};

/* What a queue and a semaphore begin with. */
struct object {
	enum kind kind;
	unsigned owners;
	pthread_mutex_t lock;
	pthread_cond_t changed;
};

struct vz_double_queue {
	struct object object;
	char *label;
	struct item *first, **end;
	struct item *later; /* the earliest first */
};

struct vz_double_semaphore {
	struct object object;
	intptr_t value;
};

static __thread struct vz_double_queue *current;

void vz_double_trap(const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	dprintf(STDERR_FILENO, "vz-double: %s\n", text);
	abort();
}

/* ---- objects ---- */

static void *make_object(size_t size, enum kind kind)
{
	struct object *object = calloc(1, size);
	pthread_condattr_t attributes;

	if (!object)
		abort();
	object->kind = kind;
	object->owners = 1;
	pthread_mutex_init(&object->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&object->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	return object;
}

static void free_object(struct object *object)
{
	pthread_mutex_destroy(&object->lock);
	pthread_cond_destroy(&object->changed);
	object->kind = 0;
	free(object);
}

void dispatch_retain(void *pointer)
{
	struct object *object = pointer;

	pthread_mutex_lock(&object->lock);
	object->owners++;
	pthread_mutex_unlock(&object->lock);
}

void dispatch_release(void *pointer)
{
	struct object *object = pointer;
	bool last;

	if (object->kind != KIND_QUEUE && object->kind != KIND_SEMAPHORE)
		vz_double_trap("dispatch_release() of what is no queue or semaphore, or no longer");
	pthread_mutex_lock(&object->lock);
	last = --object->owners == 0;
	pthread_cond_broadcast(&object->changed);
	/* A queue without owners is its thread's to free. */
	last = last && object->kind == KIND_SEMAPHORE;
	pthread_mutex_unlock(&object->lock);
	if (last)
		free_object(object);
}

/* ---- time ---- */

static dispatch_time_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (dispatch_time_t)time.tv_sec * NSEC_PER_SEC + (dispatch_time_t)time.tv_nsec;
}

dispatch_time_t dispatch_time(dispatch_time_t when, int64_t delta)
{
	if (when == DISPATCH_TIME_FOREVER)
		return when;
	return (when == DISPATCH_TIME_NOW ? now() : when) + (dispatch_time_t)delta;
}

/* Until something changes, or it is time. */
static int wait_until(struct object *object, dispatch_time_t when)
{
	struct timespec time = {.tv_sec = (time_t)(when / NSEC_PER_SEC), .tv_nsec = (long)(when % NSEC_PER_SEC)};

	if (when == DISPATCH_TIME_FOREVER)
		return pthread_cond_wait(&object->changed, &object->lock);
	return pthread_cond_timedwait(&object->changed, &object->lock, &time);
}

/* ---- semaphores ---- */

dispatch_semaphore_t dispatch_semaphore_create(intptr_t value)
{
	struct vz_double_semaphore *semaphore = make_object(sizeof(*semaphore), KIND_SEMAPHORE);

	semaphore->value = value;
	return semaphore;
}

intptr_t dispatch_semaphore_wait(dispatch_semaphore_t semaphore, dispatch_time_t timeout)
{
	int rc = 0;

	pthread_mutex_lock(&semaphore->object.lock);
	while (semaphore->value <= 0 && rc != ETIMEDOUT)
		rc = timeout == DISPATCH_TIME_NOW ? ETIMEDOUT : wait_until(&semaphore->object, timeout);
	rc = semaphore->value > 0 ? 0 : ETIMEDOUT;
	if (rc == 0)
		semaphore->value--;
	pthread_mutex_unlock(&semaphore->object.lock);
	return rc;
}

intptr_t dispatch_semaphore_signal(dispatch_semaphore_t semaphore)
{
	pthread_mutex_lock(&semaphore->object.lock);
	semaphore->value++;
	pthread_cond_broadcast(&semaphore->object.changed);
	pthread_mutex_unlock(&semaphore->object.lock);
	return 0;
}

void dispatch_once(dispatch_once_t *predicate, dispatch_block_t block)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&lock);
	if (!*predicate)
		block();
	*predicate = 1;
	pthread_mutex_unlock(&lock);
}

/* ---- queues ---- */

static void run_item(struct item *item)
{
	NSAutoreleasePool *pool = [[NSAutoreleasePool alloc] init];

	if (item->block)
		item->block();
	else
		item->function(item->context);
	if (item->block)
		Block_release(item->block);
	[pool drain];
	if (item->done)
		dispatch_semaphore_signal(item->done);
	free(item);
}

static void append(struct vz_double_queue *queue, struct item *item)
{
	item->next = NULL;
	*queue->end = item;
	queue->end = &item->next;
}

/* What is due moves to the end of what is to be run. */
static void take_due(struct vz_double_queue *queue)
{
	while (queue->later && queue->later->when <= now()) {
		struct item *item = queue->later;

		queue->later = item->next;
		append(queue, item);
	}
}

/* Waits for one; NULL when there will be none any more. */
static struct item *next_item(struct vz_double_queue *queue)
{
	struct item *item;

	for (;;) {
		take_due(queue);
		item = queue->first;
		if (item || (queue->object.owners == 0 && !queue->later))
			break;
		wait_until(&queue->object, queue->later ? queue->later->when : DISPATCH_TIME_FOREVER);
	}
	if (!item)
		return NULL;
	queue->first = item->next;
	if (!queue->first)
		queue->end = &queue->first;
	return item;
}

static void *run_queue(void *argument)
{
	struct vz_double_queue *queue = argument;
	struct item *item;

	current = queue;
	GSRegisterCurrentThread();
	pthread_mutex_lock(&queue->object.lock);
	while ((item = next_item(queue))) {
		pthread_mutex_unlock(&queue->object.lock);
		run_item(item);
		pthread_mutex_lock(&queue->object.lock);
	}
	pthread_mutex_unlock(&queue->object.lock);
	GSUnregisterCurrentThread();
	free(queue->label);
	free_object(&queue->object);
	return NULL;
}

dispatch_queue_t dispatch_queue_create(const char *label, dispatch_queue_attr_t attributes)
{
	struct vz_double_queue *queue = make_object(sizeof(*queue), KIND_QUEUE);
	pthread_attr_t detached;
	pthread_t thread;

	if (attributes != DISPATCH_QUEUE_SERIAL)
		vz_double_trap("dispatch_queue_create(): there are serial queues only");
	queue->label = strdup(label ? label : "");
	queue->end = &queue->first;
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &detached, run_queue, queue) != 0)
		abort();
	pthread_attr_destroy(&detached);
	return queue;
}

const char *dispatch_queue_get_label(dispatch_queue_t queue)
{
	return queue->label;
}

static void put_later(struct vz_double_queue *queue, struct item *item)
{
	struct item **at = &queue->later;

	while (*at && (*at)->when <= item->when)
		at = &(*at)->next;
	item->next = *at;
	*at = item;
}

static void put(dispatch_queue_t queue, const struct item *what)
{
	struct item *item = malloc(sizeof(*item));

	if (!item)
		abort();
	if (queue->object.kind != KIND_QUEUE)
		vz_double_trap("a block is put on what is no queue, or no longer");
	*item = *what;
	pthread_mutex_lock(&queue->object.lock);
	if (item->when)
		put_later(queue, item);
	else
		append(queue, item);
	pthread_cond_broadcast(&queue->object.changed);
	pthread_mutex_unlock(&queue->object.lock);
}

static void put_and_wait(dispatch_queue_t queue, struct item *item)
{
	if (current == queue)
		vz_double_trap("dispatch_sync() onto the queue '%s' from itself never returns", queue->label);
	item->done = dispatch_semaphore_create(0);
	put(queue, item);
	dispatch_semaphore_wait(item->done, DISPATCH_TIME_FOREVER);
	dispatch_release(item->done);
}

void dispatch_async(dispatch_queue_t queue, dispatch_block_t block)
{
	put(queue, &(struct item){.block = Block_copy(block)});
}

void dispatch_async_f(dispatch_queue_t queue, void *context, dispatch_function_t function)
{
	put(queue, &(struct item){.function = function, .context = context});
}

void dispatch_sync(dispatch_queue_t queue, dispatch_block_t block)
{
	put_and_wait(queue, &(struct item){.block = Block_copy(block)});
}

void dispatch_sync_f(dispatch_queue_t queue, void *context, dispatch_function_t function)
{
	put_and_wait(queue, &(struct item){.function = function, .context = context});
}

void dispatch_after(dispatch_time_t when, dispatch_queue_t queue, dispatch_block_t block)
{
	put(queue, &(struct item){.block = Block_copy(block), .when = when == DISPATCH_TIME_NOW ? now() : when});
}

void dispatch_assert_queue(dispatch_queue_t queue)
{
	if (current != queue)
		vz_double_trap("not on the queue '%s', which this must be on", queue->label);
}

void dispatch_assert_queue_not(dispatch_queue_t queue)
{
	if (current == queue)
		vz_double_trap("on the queue '%s', which this must not be on", queue->label);
}
