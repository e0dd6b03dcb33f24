/*
 * What the control socket's two files share: clients.c has the connections and their answers, requests.c what
 * each request does.
 */
#ifndef MVM_SUPERVISOR_CLIENTS_H
#define MVM_SUPERVISOR_CLIENTS_H

#include <jansson.h>
#include <stdbool.h>

#include "internal.h"
#include "runtime/base/error.h"
#include "runtime/state/control.h"

struct client {
	struct client *next;
	struct supervisor *supervisor;
	struct mvm_control control;
	struct mvm_watch *watch;
	bool attached;	/* is told of the end */
	bool follows;	/* is told when the log grows */
	unsigned users; /* answers on their way from the guest; it is freed when none is left */
	bool dead;
};

/* A client that does not read its answers is dropped. Steals the message, borrows the descriptors. */
void client_send(struct client *client, json_t *message, const int *fds, size_t count);
/* NULL error: it is done. */
void client_answer(struct client *client, json_int_t id, const struct mvm_error *error);
void client_refuse(struct client *client, json_int_t id, enum mvm_error_code code, const char *text);
/* The answer comes with clients_answer(), clients_started() or clients_exited(). */
void client_wait(struct client *client, json_int_t id, enum waiter_kind kind);
/* The answer comes from the guest. */
struct relay *client_relay(struct client *client, json_int_t id);

/* requests.c */
void requests_handle(struct client *client, json_t *request);

#endif
