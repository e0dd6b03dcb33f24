/*
 * Messages between our own processes over a unix stream socket: a u32 length in the host's byte order and that many
 * bytes of JSON, at most MVM_CONTROL_MAX; descriptors travel with its first byte.
 *
 * What is said to a container's supervisor: runtime/state/control.h.
 */
#ifndef MVM_BASE_CONTROL_H
#define MVM_BASE_CONTROL_H

#include <jansson.h>
#include <stddef.h>
#include <sys/types.h>

#include "mem.h"

struct mvm_error;

/* A command and its environment are at most 1 MiB, and JSON may need two bytes for one. */
enum { MVM_CONTROL_MAX = 2 * 1024 * 1024, MVM_CONTROL_MAX_FDS = 4 };

struct mvm_control {
	int fd; /* owned */
	struct mvm_buf in;
	int fds[MVM_CONTROL_MAX_FDS]; /* received and not yet taken */
	size_t fd_count;
};

/* Takes fd. */
void mvm_control_init(struct mvm_control *control, int fd);
void mvm_control_finish(struct mvm_control *control);

/* Steals the reference to `message`. Where the peer does not read, on a non-blocking socket or for as long as one may
 * wait, this is TIMEOUT: the connection is of no use then. */
int mvm_control_send(struct mvm_control *control, json_t *message, const int *fds, size_t count,
		     struct mvm_error **err);

/* A blocking socket waits no longer than this for each message. */
void mvm_control_set_patience(struct mvm_control *control, int milliseconds);

/* The next message, owned by the caller: 0, or MVM_CONTROL_AGAIN where none is complete on a
 * non-blocking socket or for as long as one may wait, or MVM_CONTROL_CLOSED at its end. */
enum { MVM_CONTROL_AGAIN = 1, MVM_CONTROL_CLOSED = 2 };
int mvm_control_receive(struct mvm_control *control, json_t **message, struct mvm_error **err);

/* Hands out the first `count` received descriptors; CORRUPT where fewer came. */
int mvm_control_steal_fds(struct mvm_control *control, int *fds, size_t count, struct mvm_error **err);

/* True where the peer of a unix socket is this user. */
int mvm_control_check_peer(int fd, struct mvm_error **err);
/* The process that listened on the socket that we connected to; 0 where the system does not say. */
pid_t mvm_control_peer_pid(int fd);

/* Listens on `path` (replacing a socket nobody listens on), or connects to it, which takes at most some seconds where
 * nobody accepts any more. */
int mvm_control_listen(const char *path, int *fd, struct mvm_error **err);
int mvm_control_connect(const char *path, int *fd, struct mvm_error **err);
/* The descriptor is non-blocking, and so is this: it fails where nobody accepts any more. */
int mvm_control_connect_now(const char *path, int *fd, struct mvm_error **err);

/* {"error": {...}} to and from an error. */
json_t *mvm_control_error_to_json(const struct mvm_error *error);
int mvm_control_error_from_json(const json_t *error, struct mvm_error **err);

#endif
