/*
 * Bytes between a connection of the guest's and one of the host's, both ways, where no device does that (own.c).
 * Runs on the loop of whoever has it.
 */
#ifndef MVM_VSOCK_RELAY_H
#define MVM_VSOCK_RELAY_H

#include <stdbool.h>

struct mvm_loop;
struct relay;

/* Takes both stream sockets. Ends pass as they are: one direction's end is shut down on the other side. `resets`: the
 * host's is TCP, and what breaks is reset there; else what has been sent arrives. `ended` is called once, from the
 * loop, unless it is destroyed before. */
struct relay *relay_create(struct mvm_loop *loop, int guest, int host, bool resets, void (*ended)(void *arg),
			   void *arg);
/* Breaks it off. */
void relay_destroy(struct relay *relay);

#endif
