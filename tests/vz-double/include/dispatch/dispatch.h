/*
 * libdispatch as far as mvm uses it, by Apple's names: serial queues, once, time and semaphores. dispatch.m implements
 * it for Linux; a Mac's own build reads Apple's header.
 *
 * A queue is a thread here, so that "on the queue" can be told for certain. What a real queue answers with a deadlock
 * or an illegal instruction ends the program with a line that says why.
 */
#ifndef VZ_DOUBLE_DISPATCH_H
#define VZ_DOUBLE_DISPATCH_H

#include <stdint.h>

typedef struct vz_double_queue *dispatch_queue_t;
typedef void *dispatch_queue_attr_t;
typedef struct vz_double_semaphore *dispatch_semaphore_t;
typedef uint64_t dispatch_time_t;
typedef void (^dispatch_block_t)(void);
typedef void (*dispatch_function_t)(void *);
typedef intptr_t dispatch_once_t;

#define DISPATCH_QUEUE_SERIAL ((dispatch_queue_attr_t)0)
#define DISPATCH_TIME_NOW     ((dispatch_time_t)0)
#define DISPATCH_TIME_FOREVER (~(dispatch_time_t)0)
#define NSEC_PER_SEC	      1000000000ull
#define NSEC_PER_MSEC	      1000000ull

dispatch_queue_t dispatch_queue_create(const char *label, dispatch_queue_attr_t attributes);
const char *dispatch_queue_get_label(dispatch_queue_t queue);
/* A queue lives until it has been released as often as made and retained, and all that was put on it has run. */
void dispatch_retain(void *queue_or_semaphore);
void dispatch_release(void *queue_or_semaphore);

void dispatch_async(dispatch_queue_t queue, dispatch_block_t block);
void dispatch_async_f(dispatch_queue_t queue, void *context, dispatch_function_t function);
/* Not from the queue itself. */
void dispatch_sync(dispatch_queue_t queue, dispatch_block_t block);
void dispatch_sync_f(dispatch_queue_t queue, void *context, dispatch_function_t function);
void dispatch_after(dispatch_time_t when, dispatch_queue_t queue, dispatch_block_t block);
void dispatch_assert_queue(dispatch_queue_t queue);
void dispatch_assert_queue_not(dispatch_queue_t queue);

dispatch_time_t dispatch_time(dispatch_time_t when, int64_t delta);

dispatch_semaphore_t dispatch_semaphore_create(intptr_t value);
/* Other than 0: the time was over. */
intptr_t dispatch_semaphore_wait(dispatch_semaphore_t semaphore, dispatch_time_t timeout);
intptr_t dispatch_semaphore_signal(dispatch_semaphore_t semaphore);

void dispatch_once(dispatch_once_t *predicate, dispatch_block_t block);

#endif
