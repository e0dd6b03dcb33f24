/*
 * Who is called what on a network: the table that its DNS answers from. Pure, no I/O. Names come from the host's user.
 */
#ifndef MVM_NET_DNS_NAMES_H
#define MVM_NET_DNS_NAMES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns.h"
#include "dns_message.h"

struct dns_names;

/* Everybody is also called NAME.NETWORK. */
struct dns_names *dns_names_create(const char *network);
void dns_names_destroy(struct dns_names *names);

/* In the place of the endpoint with this id, if there is one. With `absolute` its names are whole ones, without the
 * network's behind them. What cannot be a name in a message is left out. */
void dns_names_set(struct dns_names *names, const struct mvm_dns_endpoint *endpoint, bool absolute);
/* False where there was none. */
bool dns_names_remove(struct dns_names *names, const char *id);

/* Addresses of one kind, in the order in which they were set. */
struct dns_addresses {
	size_t count;
	size_t size;	      /* of one: 4 or 16 */
	struct mvm_buf bytes; /* as in a message */
};

/* Whether anybody has the name. What is found of IPv4 and IPv6 addresses is added to each, which the caller finishes.
 */
bool dns_names_find(const struct dns_names *names, const struct dns_name *name, struct dns_addresses *ipv4,
		    struct dns_addresses *ipv6);
/* The name of whom this address is: the first of its names, with the network's behind it. False where it is nobody's.
 */
bool dns_names_of(const struct dns_names *names, int family, uint32_t ipv4, const struct in6_addr *ipv6,
		  struct dns_name *name);

/* Everybody is to be first as often as anybody else. */
void dns_addresses_shuffle(struct dns_addresses *addresses);

#endif
