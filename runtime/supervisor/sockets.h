/*
 * Unix sockets across the machine's boundary, both ways.
 *
 *   published: a socket of the host leads to one of the container's. It is bound before the first machine starts, and
 *              stays until the end, as published ports do (publish.h)
 *   served:    a socket in the container leads to one of the host's: the source of a bind, or that of the user's
 *              ssh-agent. A guest that wants a connection gets one to the socket that was named when the container was
 *              made, and to nothing else
 *
 * No byte passes through the supervisor; it only connects (runtime/vsock/vsock.h).
 */
#ifndef MVM_SUPERVISOR_SOCKETS_H
#define MVM_SUPERVISOR_SOCKETS_H

#include "internal.h"

struct mvm_share_roots;
struct sockets;

/* For a container, not for a helper. CONFLICT where one cannot be bound. */
int sockets_prepare(struct supervisor *supervisor, struct sockets **sockets, struct mvm_error **err);
/* NULL is fine here and for all that follows. */
void sockets_finish(struct sockets *sockets);
/* Before each machine: another one is served. Twice is once. */
int sockets_mount(struct sockets *sockets, const char *source, const char *target, struct mvm_error **err);
/* What its guest may write, as that is at this start; takes what is in it. */
void sockets_guard(struct sockets *sockets, struct mvm_share_roots *roots);
/* A machine is about to start, and its guest may ask. */
int sockets_serve(struct sockets *sockets, struct mvm_vsock *vsock, struct mvm_error **err);
void sockets_asked(struct sockets *sockets, uint32_t port, uint32_t id);
/* The program runs in that machine. */
void sockets_open(struct sockets *sockets);
/* The machine is about to go, and its vsock device. */
void sockets_close(struct sockets *sockets);
/* What the guest has to know. The texts are borrowed. */
void sockets_describe(const struct sockets *sockets, struct mvm_proto_machine *machine);
char *const *sockets_places(const struct sockets *sockets);

#endif
