/*
 * What happens to a machine of Virtualization.framework, on its way from the machine's queue to our loop.
 *
 * inbox_put() may be called from any thread, the rest from the loop's. Both sides hold a reference. After
 * inbox_close() what is put is dropped, and its descriptor closed.
 */
#ifndef MVM_BACKEND_VZ_INBOX_H
#define MVM_BACKEND_VZ_INBOX_H

#include <stdbool.h>
#include <stdint.h>

struct vz_inbox;

enum vz_event {
	VZ_RUNNING,
	VZ_PAUSED,
	VZ_RESUMED,
	VZ_GUEST_OFF, /* the guest powered itself off */
	VZ_STOPPED,   /* as it was told to */
	VZ_BROKEN,    /* text: what ended it, or kept it from starting */
	VZ_NOTICE,    /* text: for the user */
	VZ_ACCEPTED,  /* port, fd */
	VZ_CONNECTED, /* id, and fd or errnum */
};

enum { VZ_TEXT_SIZE = 400 };

struct vz_message {
	enum vz_event event;
	uint32_t port, id;
	int errnum;
	int fd; /* -1: none; goes with the message */
	char text[VZ_TEXT_SIZE];
};

/* NULL with errno set. */
struct vz_inbox *inbox_create(void);
struct vz_inbox *inbox_retain(struct vz_inbox *inbox);
/* NULL is fine. */
void inbox_release(struct vz_inbox *inbox);

/* Readable while something may be in it. */
int inbox_fd(const struct vz_inbox *inbox);
void inbox_put(struct vz_inbox *inbox, const struct vz_message *message);
/* False where nothing is left. */
bool inbox_take(struct vz_inbox *inbox, struct vz_message *message);
void inbox_close(struct vz_inbox *inbox);

#endif
