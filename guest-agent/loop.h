/*
 * The agent's one loop: epoll, edge-triggered where the caller asks for it.
 * Everything runs on it, one callback at a time. A callback may remove any watch, its
 * own included, and free the memory that the watch is in.
 */
#ifndef AGENT_LOOP_H
#define AGENT_LOOP_H

#include <stdint.h>
#include <sys/epoll.h>

struct watch {
	int fd;
	void (*ready)(struct watch *watch, uint32_t events);
};

/* Work that is to go on after the others have had their turn. */
struct task {
	void (*run)(struct task *task);
	struct task *next;
	int queued;
};

#define container_of(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

void loop_init(void);
/* -1 with errno set on failure. */
int loop_add(struct watch *watch, uint32_t events);
void loop_change(struct watch *watch, uint32_t events);
/* The descriptor stays the caller's, who has to remove before closing. */
void loop_remove(struct watch *watch);
void loop_later(struct task *task);
void loop_forget(struct task *task);
_Noreturn void loop_run(void);

#endif
