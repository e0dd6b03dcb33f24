/*
 * resolv.conf(5): what the host's says, and the text of a guest's. Pure: no I/O but looking up the number of an
 * interface that a link-local server's address names.
 */
#ifndef MVM_NET_RESOLV_CONF_H
#define MVM_NET_RESOLV_CONF_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "runtime/base/mem.h"

enum {
	MVM_RESOLV_CONF_SIZE = 64 << 10, /* of a file */
	MVM_RESOLV_SERVERS = 8,		 /* those after them are not asked */
};

/* One server's address and port. */
struct mvm_resolv_server {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} address;
	socklen_t length;
};

/* "192.0.2.1", "2001:db8::1", "fe80::1%eth0". False for anything else. */
bool mvm_resolv_server_parse(const char *text, uint16_t port, struct mvm_resolv_server *server);
bool mvm_resolv_server_equal(const struct mvm_resolv_server *a, const struct mvm_resolv_server *b);

struct mvm_resolv_conf {
	struct mvm_resolv_server servers[MVM_RESOLV_SERVERS];
	size_t server_count;
	struct mvm_strv search;
	struct mvm_strv options;
	struct mvm_strv others; /* lines that are none of these */
	/* What the options say of how to ask. */
	unsigned timeout;  /* seconds for one server, 1 to 30; 0: they say nothing */
	unsigned attempts; /* at each, 1 to 5 */
	bool rotate;
	bool tcp; /* use-vc */
};

/* Lines that make no sense are passed over, as resolvers do. The caller finishes *conf, which must be empty before. */
void mvm_resolv_conf_parse(const char *text, uint16_t port, struct mvm_resolv_conf *conf);
void mvm_resolv_conf_finish(struct mvm_resolv_conf *conf);
#define MVM_CLEAN_RESOLV_CONF __attribute__((cleanup(mvm_resolv_conf_finish)))

struct mvm_resolv_guest {
	const char *const *servers; /* the gateways of its networks */
	size_t server_count;
	/* --dns-search and --dns-option, in the place of the host's; empty: the host's. */
	const struct mvm_strv *search;
	const struct mvm_strv *options;
};

/* The guest's resolv.conf, owned by the caller: our servers, the host's or its own domains and options, and `ndots:0`
 * where neither has set it to a number, so that a container's name is asked for as it is. A domain "." alone is none.
 * *ndots: it was set above 0 (struct mvm_dns_client). */
char *mvm_resolv_conf_guest(const struct mvm_resolv_conf *host, const struct mvm_resolv_guest *guest, bool *ndots);

#endif
