/*
 * Why an order could not be carried out: what becomes an ERROR reply. A plain
 * value, so that a child can send it to the agent before its exec.
 *
 * Convention: int f(..., struct failure *failure); 0 is success, -1 failure
 * with *failure filled.
 */
#ifndef AGENT_FAILURE_H
#define AGENT_FAILURE_H

#include <stdint.h>

#include "guest-agent/proto/proto.h"

struct failure {
	enum mvm_proto_code code;
	int errnum;
	char message[1000];
};

/* Both return -1. The message is one sentence without prefix and full stop; failure_set_errno() ends it with
 * ": " and what errno says, in the words of Go's runtime, which docker's users know. */
int failure_set(struct failure *failure, enum mvm_proto_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int failure_set_errno(struct failure *failure, enum mvm_proto_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A line on the machine's console, "mvm-agent: ...": for what nobody asked for and so nobody is told. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, with the uptime, when the kernel's command line has mvm_debug=1. */
void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
void trace_enable(void);

/* Nanoseconds since the kernel started. */
uint64_t uptime_ns(void);

#endif
