/*
 * A container's place on a network, in the words of docker's long `--network`: "name=NET,alias=A,ip=...". That is also
 * how config.json keeps what was asked for, and state.json what a running container has.
 */
#ifndef MVM_STATE_NET_ENDPOINT_H
#define MVM_STATE_NET_ENDPOINT_H

#include "runtime/base/mem.h"

struct mvm_error;

/* All owned; NULL where not said. */
struct mvm_net_endpoint {
	char *network;
	struct mvm_strv aliases;
	char *ip, *ip6;		  /* without a prefix where asked for, with one where given */
	char *gateway, *gateway6; /* of a running container */
	char *mac;
	char *gw_priority; /* an integer; the greatest leads out */
};

/* "NET" alone, or "name=NET,alias=A,alias=B,ip=...,ip6=...,mac-address=...". USAGE where malformed; addresses are not
 * looked at. The caller finishes it. */
int mvm_net_endpoint_parse(const char *text, struct mvm_net_endpoint *endpoint, struct mvm_error **err);
/* The caller's. */
char *mvm_net_endpoint_format(const struct mvm_net_endpoint *endpoint);
void mvm_net_endpoint_finish(struct mvm_net_endpoint *endpoint);
#define MVM_CLEAN_NET_ENDPOINT __attribute__((cleanup(mvm_net_endpoint_finish)))

#endif
