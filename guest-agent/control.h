/*
 * The control connection: the agent's first act, its orders and its answers.
 * Orders are carried out one after the other; while a process is being
 * started, those behind it wait (control_hold()).
 */
#ifndef AGENT_CONTROL_H
#define AGENT_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

struct failure;
struct job_answer;
struct mvm_proto_exited;

/* Starts to connect; the rest goes on in the loop. */
void control_start(void);

void control_reply_ok(uint32_t request);
void control_reply_answer(uint32_t request, const struct job_answer *answer);
void control_reply_started(uint32_t request, uint64_t pid);
void control_reply_failure(uint32_t request, const struct failure *failure);
void control_exited(struct mvm_proto_exited *exited);
void control_listening(const char *ports);

/* No further order is looked at until it is released. */
void control_hold(void);
void control_release(void);

#endif
