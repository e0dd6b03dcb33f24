/*
 * A connection to a container's supervisor: requests and answers of runtime/state/control.h, blocking.
 *
 * An answer may take as long as it takes, but a supervisor is heard of in any case: one that has said nothing for
 * MVM_CLIENT_PATIENCE_MS is asked whether it is there, and where that too has no answer for so long, waiting ends with
 * TIMEOUT. It may then be killed: the process is mvm_client_peer().
 */
#ifndef MVM_ENGINE_CLIENT_H
#define MVM_ENGINE_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct mvm_error;
struct mvm_client;

/* Takes fd. */
struct mvm_client *mvm_client_create(int fd);
void mvm_client_destroy(struct mvm_client *client);
static inline void mvm_client_cleanup(struct mvm_client **client)
{
	mvm_client_destroy(*client);
}
#define MVM_CLEAN_CLIENT __attribute__((cleanup(mvm_client_cleanup)))

int mvm_client_fd(const struct mvm_client *client);

/* A call has failed because the supervisor went away; what became of its container is to be looked up. */
bool mvm_client_is_lost(const struct mvm_client *client);

enum { MVM_CLIENT_PATIENCE_MS = 10000 };
void mvm_client_set_patience(struct mvm_client *client, int milliseconds);
/* The supervisor's process, of a connection to a socket that it listens on; else 0. As it holds the socket while we
 * are connected, the number is nobody else's. */
pid_t mvm_client_peer(const struct mvm_client *client);

/* Called for each event that arrives while waiting; the message is borrowed. */
void mvm_client_on_event(struct mvm_client *client, void (*fn)(void *arg, const json_t *event), void *arg);

/* Sends a request; `fields` is stolen and may be NULL. *id identifies its answer. */
int mvm_client_send(struct mvm_client *client, const char *op, json_t *fields, json_int_t *id, struct mvm_error **err);

/* The next message, owned by the caller. 0, or what mvm_control_receive() says. */
int mvm_client_receive(struct mvm_client *client, json_t **message, struct mvm_error **err);

/* Sends and waits for the answer; an error in it becomes *err. *answer, where not NULL, is the caller's. A supervisor
 * that goes away first is MACHINE. */
int mvm_client_call(struct mvm_client *client, const char *op, json_t *fields, json_t **answer, struct mvm_error **err);

/* "archive", "changes" and "unpack": the descriptor of the stream, and the request, whose answer says whether all of it
 * has come. What the guest could not even begin fails here. `fields` is stolen. */
int mvm_client_stream(struct mvm_client *client, const char *op, json_t *fields, int *stream, json_int_t *id,
		      struct mvm_error **err);
/* Waits for the answer to a request; an error in it becomes *err. */
int mvm_client_wait(struct mvm_client *client, json_int_t id, struct mvm_error **err);

/* "attach": stream descriptors for stdin, stdout, stderr; -1 for those not asked for. */
int mvm_client_attach(struct mvm_client *client, const bool wanted[3], int fds[3], struct mvm_error **err);

/* "exec": the same, once the process runs, and its number. `fields` is stolen. Event "exit" follows. */
int mvm_client_exec(struct mvm_client *client, json_t *fields, const bool wanted[3], int fds[3], uint32_t *process,
		    struct mvm_error **err);

#endif
