/*
 * Unix sockets of the host that belong to a container: at which those of its own are published, and how they are made.
 *
 * Such a socket lies where the user wants it, and stays there when its process is killed. What nobody listens at any
 * more, and is ours, is cleared away by the next container that wants the path, and by whoever notices the crash.
 */
#ifndef MVM_STATE_HOST_SOCKET_H
#define MVM_STATE_HOST_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct mvm_error;
struct mvm_strv;

/* Where containers find the user's ssh-agent; Docker Desktop's and Apple's path. */
#define MVM_SSH_AGENT_PLACE "/run/host-services/ssh-auth.sock"

enum { MVM_HOST_SOCKET_PATH_MAX = 103 }; /* bytes; macOS's limit, Linux's is 107 */

/* "HOST:GUEST" of `--publish-socket`; the host's path may be relative. The text that is kept, both paths absolute, is
 * added to `list`. USAGE where it cannot be read. */
int mvm_host_socket_parse(const char *text, struct mvm_strv *list, struct mvm_error **err);
/* Of a text that is kept: the host's path is its first `*length` bytes, the guest's is returned. */
const char *mvm_host_socket_split(const char *text, size_t *length);

/* Listens at a path, for this user alone. CONFLICT where something is there. */
int mvm_host_socket_listen(const char *path, int *fd, struct mvm_error **err);
/* A socket of ours that nobody has bound: it goes. */
void mvm_host_socket_clear(const char *path);
/* The same for all of a list of kept texts. */
void mvm_host_sockets_clear(const struct mvm_strv *list);

/* A connection to the socket of that name in a folder, links not followed, which does not block; -1 with errno set,
 * EAGAIN where its backlog is full. */
int mvm_host_socket_connect(int folder, const char *name);

#endif
