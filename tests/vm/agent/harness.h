/*
 * One machine with the guest agent in it, for test_agent.c: the supervisor's
 * side of guest-agent/proto/PROTOCOL.md in the small.
 *
 * Everything runs on the caller's thread, in one loop: the device's connections, the control messages and the
 * streams of one process at a time. Every wait has a limit, so that what never comes fails a test and does not hang it.
 */
#ifndef MVM_TEST_AGENT_HARNESS_H
#define MVM_TEST_AGENT_HARNESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "guest-agent/proto/message.h"
#include "runtime/base/mem.h"

enum { STREAM_IN, STREAM_OUT, STREAM_ERR, STREAMS };

/* What is compared with the pattern is not kept. */
struct stream {
	struct harness *harness;
	int fd; /* -1: not connected, or ended */
	struct mvm_watch *watch;
	bool wanted; /* the process has this stream */
	bool ended;
	bool stalled; /* nobody reads it */

	/* Input: what to write, and then the end. */
	const char *input;
	size_t input_length, input_sent;
	bool keep_open; /* no end */
	bool close;	/* the end is close(), not shutdown() */

	/* Output: kept, or compared with `expected` over and over again. */
	struct mvm_buf output;
	const char *expected;
	size_t expected_length;
	uint64_t received;
	bool differs;
};

struct harness {
	struct mvm_loop *loop;
	struct mvm_vsock *vsock;
	struct mvm_machine *machine;
	struct mvm_timer *limit;
	char *folder;
	char *disk;
	int control;
	struct mvm_watch *control_watch;
	struct mvm_wire_reader reader;
	void *inbox;
	void *outbox;
	char *arena;
	bool off; /* the machine has stopped */
	bool timed_out;
	char *died;

	struct mvm_proto_hello hello;
	uint32_t last_request;
	/* The latest reply and exit; texts are good until the next reply. */
	bool replied;
	struct mvm_proto_reply reply;
	char *message;
	bool exited;
	struct mvm_proto_exited exit;
	struct stream streams[STREAMS];
	uint32_t first_port; /* of the streams */
};

/* Boots with the initramfs and a disk made by mke2fs from `root`; the disk's device is larger than its file system.
 * 0: the agent has said hello. 77: this host has no kernel, QEMU or the like, which was said on stderr. */
int harness_start(struct harness *harness, const char *initramfs, const char *root);
/* Pulls the plug and leaves harness->disk in place. */
void harness_unplug(struct harness *harness);
void harness_finish(struct harness *harness);
void harness_print_log(const struct harness *harness, FILE *to);

/* Each sends one order; none waits. They return the request's id. */
uint32_t harness_send_machine(struct harness *harness, const struct mvm_proto_machine *machine);
uint32_t harness_send_process(struct harness *harness, const struct mvm_proto_process *process);
uint32_t harness_send_signal(struct harness *harness, uint32_t id, unsigned signo);
uint32_t harness_send_resize(struct harness *harness, uint32_t id, unsigned rows, unsigned cols);
uint32_t harness_send_shutdown(struct harness *harness);
void harness_send_raw(struct harness *harness, const void *data, size_t length);

/* Forgets the streams of the process before, and has other ports for the next: those of a process that was refused may
 * connect late. */
void harness_reset(struct harness *harness);

/* They run the loop; false where what is waited for did not come in time or the machine has gone. */
bool harness_wait(struct harness *harness, bool (*done)(const struct harness *harness));
bool harness_wait_reply(struct harness *harness, uint32_t request);
/* The process has exited and all of its streams have ended. */
bool harness_wait_end(struct harness *harness);
/* Standard output holds `text`. */
bool harness_wait_output(struct harness *harness, const char *text);

/* Adds to the input and sends it. */
void harness_type(struct harness *harness, const char *text);

#endif
