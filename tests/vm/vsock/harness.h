/*
 * One machine with a vsock device, for test_vsock.c: the supervisor's side in the small.
 *
 * Everything runs on the caller's thread: connections come while harness_run() runs the loop. The descriptors are
 * blocking, with a time limit so that a lost byte fails a test and does not hang it.
 */
#ifndef MVM_TEST_VSOCK_HARNESS_H
#define MVM_TEST_VSOCK_HARNESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct mvm_vsock;

enum { ORDERS_PORT = 1024, MAX_ACCEPTED = 4096 };

struct harness {
	struct mvm_loop *loop;
	struct mvm_vsock *vsock;
	struct mvm_machine *machine;
	struct mvm_timer *limit;
	char *folder;
	int orders; /* the guest's connection for orders */
	int accepted[MAX_ACCEPTED];
	unsigned accepted_count;
	unsigned wanted; /* harness_run() ends when so many have been accepted */
	bool off;	 /* the machine has stopped */
	bool paused;
	char *died; /* the device's last words, or NULL */
	bool timed_out;
	/* Of harness_connect(). */
	bool answered;
	int connected;
	int errnum;
};

/* 0 with a guest that takes orders; 77 where this machine has no kernel or no QEMU, which was said on stderr. */
int harness_start(struct harness *harness, const char *guest);
void harness_finish(struct harness *harness);

/* Sends an order and reads the line that answers it; the caller frees it. */
char *harness_order(struct harness *harness, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Only sends, only reads. */
void harness_send_order(struct harness *harness, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *harness_answer(struct harness *harness);

/* Runs the loop until a condition holds; false after two minutes. */
bool harness_run(struct harness *harness, bool (*done)(const struct harness *harness));
/* Pauses or resumes the machine, and waits until it is so. */
bool harness_pause(struct harness *harness, bool pause);
/* The next connections of the guest's, which become the caller's. */
bool harness_accept(struct harness *harness, int *fds, unsigned count);
/* A connection to the guest's port, or -errno. */
int harness_connect(struct harness *harness, uint32_t port);

#endif
