/*
 * One machine under test: a loop, the events that have come, and a boot log that can be waited for.
 */
#ifndef MVM_TESTS_VM_BACKEND_HARNESS_H
#define MVM_TESTS_VM_BACKEND_HARNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/backend/backend.h"
#include "runtime/base/mem.h"

enum seen { SEEN_RUNNING = 1, SEEN_PAUSED = 2, SEEN_RESUMED = 4, SEEN_STOPPED = 8, SEEN_TEXT = 16 };

struct harness {
	struct mvm_loop *loop;
	struct mvm_machine *machine;
	struct mvm_machine_spec spec;
	char *folder; /* temporary; everything below is in it */
	char *kernel, *initrd, *boot_log, *kernel_args;
	unsigned seen, wanted;
	const char *text; /* waited for in the boot log */
	uint64_t text_ns; /* when it came */
	enum mvm_machine_stop reason;
	char *detail;
	struct mvm_strv notices;
	bool destroy_when_running;
};

/* For the whole program: finds the kernel, packs `init` into an initramfs, moves the cache folder aside. False, with
 * a line on stdout, where these tests cannot run. */
bool harness_prepare(struct harness *h, const char *init);
void harness_finish(struct harness *h);

/* A machine whose guest does `test`; fails the test where it cannot start. */
void harness_start(struct harness *h, const char *test);
/* Runs the loop until one of the wanted events has come; fails the test after a minute. */
void harness_wait(struct harness *h, unsigned wanted);
/* Until the boot log contains the text. */
void harness_wait_text(struct harness *h, const char *text);
/* The whole boot log; the caller owns it. */
char *harness_read_log(const struct harness *h);
/* After each test. */
void harness_clear(struct harness *h);

#endif
