/*
 * Addresses of networks: prefixes in text and in numbers, and which of a prefix's addresses may be given away. Pure.
 * IPv4 addresses are numbers in the host's byte order here, IPv6 ones struct in6_addr.
 */
#ifndef MVM_NET_SUBNET_H
#define MVM_NET_SUBNET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mvm_error;

struct mvm_subnet {
	uint32_t address; /* the network's own: nothing set past the prefix */
	unsigned prefix;
};
struct mvm_subnet6 {
	struct in6_addr address;
	unsigned prefix;
};

/* Room for an address or a prefix in text. */
enum { MVM_SUBNET_TEXT = INET6_ADDRSTRLEN + 4 };

/* "192.168.127.0/24"; bits set past the prefix are dropped. INVALID where malformed, where no machine can have such
 * addresses, or where the prefix is shorter than 8 or longer than 29: a network needs a gateway and somebody to use it.
 */
int mvm_subnet_parse(const char *text, struct mvm_subnet *subnet, struct mvm_error **err);
void mvm_subnet_format(const struct mvm_subnet *subnet, char *text);
/* "fd00:6d76:6d::/64": the prefix has to be 64, so that guests can make addresses. */
int mvm_subnet6_parse(const char *text, struct mvm_subnet6 *subnet, struct mvm_error **err);
void mvm_subnet6_format(const struct mvm_subnet6 *subnet, char *text);

int mvm_address_parse(const char *text, uint32_t *address, struct mvm_error **err);
void mvm_address_format(uint32_t address, char *text);
int mvm_address6_parse(const char *text, struct in6_addr *address, struct mvm_error **err);
void mvm_address6_format(const struct in6_addr *address, char *text);

bool mvm_subnet_contains(const struct mvm_subnet *subnet, uint32_t address);
bool mvm_subnet6_contains(const struct mvm_subnet6 *subnet, const struct in6_addr *address);
bool mvm_subnet_overlaps(const struct mvm_subnet *a, const struct mvm_subnet *b);
bool mvm_subnet6_overlaps(const struct mvm_subnet6 *a, const struct mvm_subnet6 *b);
/* Neither the network's own address nor that of broadcasts. */
bool mvm_subnet_is_host(const struct mvm_subnet *subnet, uint32_t address);
/* The n-th address of a /64, n below 2^64. */
struct in6_addr mvm_subnet6_host(const struct mvm_subnet6 *subnet, uint64_t n);

#endif
