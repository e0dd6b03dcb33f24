/*
 * One network at work: the switch, NAT and DNS put together. Runs in the network process, on its loop.
 */
#ifndef MVM_NET_LAN_H
#define MVM_NET_LAN_H

#include <jansson.h>

#include "guard.h"
#include "nat.h"

struct mvm_error;
struct mvm_guest;
struct mvm_lan;
struct mvm_loop;
struct mvm_strv;

/* `sockets`: how the names of the DNS server's own sockets begin; `name` is what names of guests end with in reverse
 * look-ups. Both are copied. */
int mvm_lan_create(struct mvm_loop *loop, const struct mvm_nat_config *config, const char *name, const char *sockets,
		   struct mvm_lan **lan, struct mvm_error **err);
/* Without guests. */
void mvm_lan_destroy(struct mvm_lan *lan);

struct mvm_guest_config {
	const char *container;	      /* its ID */
	struct mvm_identity identity; /* nobody else's */
	const struct mvm_strv *names; /* that it can be found by */
	bool another, ndots;	      /* of its resolv.conf: see struct mvm_dns_client */
	const struct mvm_strv *dns;   /* servers to ask for what is not of the network; none: the host's */
};
/* Takes fd, the guest's end of the network. All else is copied. */
int mvm_lan_add(struct mvm_lan *lan, const struct mvm_guest_config *config, int fd, struct mvm_guest **guest,
		struct mvm_error **err);
/* config->another is so from now on. */
void mvm_guest_revise(struct mvm_guest *guest, bool another);
void mvm_lan_remove(struct mvm_guest *guest);
const struct mvm_identity *mvm_guest_identity(const struct mvm_guest *guest);

/* What `network inspect` shows of a guest, and of the whole: dns, flows (flows.h), flow_count. The caller's. */
json_t *mvm_guest_status(const struct mvm_guest *guest);
json_t *mvm_lan_status(struct mvm_lan *lan);

#endif
