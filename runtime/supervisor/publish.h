/*
 * The container's published ports. They are bound before its first machine starts, so that a conflict costs nothing,
 * and stay so until its end, whatever becomes of machines in between. Connections and datagrams are passed on while its
 * program runs; who connects earlier waits.
 *
 *   bind.c       sockets for what config.json asks for
 *   publish.c    what each round does with them: TCP is the vsock device's (runtime/vsock/published.c)
 *   datagrams.c  UDP
 */
#ifndef MVM_SUPERVISOR_PUBLISH_H
#define MVM_SUPERVISOR_PUBLISH_H

#include <stddef.h>
#include <stdint.h>

#include "internal.h"
#include "runtime/state/port.h"

struct mvm_strv;

struct publish;

/* NULL in *publish where there is nothing to publish: no port is asked for, or no network leads out. CONFLICT where
 * a port is taken. */
int publish_bind(struct supervisor *supervisor, struct publish **publish, struct mvm_error **err);
/* NULL is fine here and for all that follows: nothing is published. */
void publish_finish(struct publish *publish);
/* For the agent: PROTOCOL.md, "Published ports". */
void publish_describe(const struct publish *publish, struct mvm_strv *ports);
/* The program runs in the machine that this device belongs to, and does not any more. */
void publish_open(struct publish *publish, struct mvm_vsock *vsock);
void publish_close(struct publish *publish);
/* The programs of a machine (`mvm machine`) listen at these TCP ports now, "22 8080": they can be reached at the same
 * ports of the host's loopback addresses, as far as these are free. */
void publish_found(struct publish *publish, const char *ports);
/* What the ports have become, as state.json keeps it. */
void publish_note(const struct publish *publish, struct mvm_strv *ports);

/* --- bind.c --- */

/* A socket, TCP's listening. `port` says what it is bound to. */
struct bound {
	int fd;
	struct mvm_port port;
};
struct bound_list {
	struct bound *items;
	size_t count;
};
/* Adds the sockets for one port; all or none. */
int bind_port(const struct mvm_port *wanted, struct bound_list *list, struct mvm_error **err);
void bound_list_finish(struct bound_list *list);

/* --- datagrams.c --- */

/* Peers of UDP ports, each with a connection to the guest of its own. */
struct datagrams;
/* Connects to the guest for a port of the container; `done` is called once, later (mvm_vsock_connected_fn). */
typedef int (*datagrams_connect_fn)(void *arg, uint16_t port, void (*done)(void *flow, int fd, int errnum), void *flow,
				    struct mvm_error **err);
struct datagrams *datagrams_create(struct mvm_loop *loop, datagrams_connect_fn connect, void *arg);
/* Takes what comes to a bound socket, which is borrowed, for this port of the container. */
void datagrams_add(struct datagrams *datagrams, int fd, uint16_t port);
/* Connections that are on their way must be answered later, as by mvm_vsock_destroy(). */
void datagrams_destroy(struct datagrams *datagrams);

#endif
