/*
 * Published and exposed ports: docker's `-p` and `--expose`, and how config.json and state.json keep them.
 *
 * Kept is one text for each port of the container: "IP:HOST:GUEST/PROTO", where IP is empty or in brackets for IPv6,
 * and HOST is a port, a range out of which one is to be found, or empty for any: ":8080:80/tcp",
 * "[::1]:8000-8010:80/tcp", "::53/udp".
 */
#ifndef MVM_STATE_PORT_H
#define MVM_STATE_PORT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/mem.h"

struct mvm_error;

enum mvm_port_protocol { MVM_PORT_TCP, MVM_PORT_UDP };

struct mvm_port {
	char ip[INET6_ADDRSTRLEN]; /* "": all addresses of the host */
	uint16_t first, last;	   /* of the host; 0: any */
	uint16_t guest;
	enum mvm_port_protocol protocol;
};

/* Adds what docker's `-p` means, one text for each port of the container. USAGE, UNSUPPORTED for SCTP. */
int mvm_port_parse(const char *spec, struct mvm_strv *ports, struct mvm_error **err);
/* Adds "80/tcp" for each port of docker's `--expose`, or of an image's ExposedPorts. */
int mvm_port_parse_exposed(const char *spec, struct mvm_strv *exposed, struct mvm_error **err);

/* One of the texts that are kept; false where it is none. */
bool mvm_port_read(const char *text, struct mvm_port *port);
/* The other way; the caller's. */
char *mvm_port_format(const struct mvm_port *port);

const char *mvm_port_protocol_name(enum mvm_port_protocol protocol);
/* "80/tcp"; the caller's. */
char *mvm_port_guest_text(const struct mvm_port *port);
/* "0.0.0.0:80", "[::]:80": address and port as Go's net.JoinHostPort() puts them; the caller's. */
char *mvm_port_join(const char *ip, const char *port);

/* Sorts "80/tcp" by number and leaves out what is there twice. */
void mvm_port_sort_exposed(struct mvm_strv *exposed);

/* The PORTS column of docker's `ps`: `ports` as kept of a container that runs, and what else is exposed. The caller's.
 */
char *mvm_port_display(const struct mvm_strv *ports, const struct mvm_strv *exposed);

#endif
