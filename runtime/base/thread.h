/*
 * Threads for work on owned buffers that takes long: inflating, hashing, writing disks. Everything else has its place
 * in the process's one loop (loop.h).
 */
#ifndef MVM_BASE_THREAD_H
#define MVM_BASE_THREAD_H

#include <pthread.h>
#include <stdint.h>

struct mvm_error;

/* Starts a thread in which all signals are blocked: they are for the process's first. `name`, up to 15 bytes, is what
 * debuggers and profilers show. */
int mvm_thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *arg, struct mvm_error **err);

/* The processor's time that the calling thread has used, in nanoseconds. */
uint64_t mvm_thread_cpu_ns(void);

#endif
