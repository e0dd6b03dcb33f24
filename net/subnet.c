#include "subnet.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"

static uint32_t mask_of(unsigned prefix)
{
	return prefix ? UINT32_MAX << (32 - prefix) : 0;
}

int mvm_address_parse(const char *text, uint32_t *address, struct mvm_error **err)
{
	struct in_addr raw;

	if (inet_pton(AF_INET, text, &raw) != 1)
		return mvm_fail(err, MVM_ERR_INVALID, "%s is no IPv4 address", text);
	*address = ntohl(raw.s_addr);
	return 0;
}

void mvm_address_format(uint32_t address, char *text)
{
	struct in_addr raw = {.s_addr = htonl(address)};

	inet_ntop(AF_INET, &raw, text, MVM_SUBNET_TEXT);
}

int mvm_address6_parse(const char *text, struct in6_addr *address, struct mvm_error **err)
{
	if (inet_pton(AF_INET6, text, address) != 1)
		return mvm_fail(err, MVM_ERR_INVALID, "%s is no IPv6 address", text);
	return 0;
}

void mvm_address6_format(const struct in6_addr *address, char *text)
{
	inet_ntop(AF_INET6, address, text, MVM_SUBNET_TEXT);
}

/* Cuts "ADDRESS/PREFIX" at the slash; the address is the caller's. */
static int split(const char *text, int64_t longest, char **address, unsigned *prefix, struct mvm_error **err)
{
	const char *slash = strchr(text, '/');
	int64_t bits;

	if (!slash || !mvm_parse_int(slash + 1, 0, longest, &bits))
		return mvm_fail(err, MVM_ERR_INVALID, "%s is no subnet; write it as ADDRESS/PREFIX", text);
	*address = mvm_strndup(text, (size_t)(slash - text));
	*prefix = (unsigned)bits;
	return 0;
}

int mvm_subnet_parse(const char *text, struct mvm_subnet *subnet, struct mvm_error **err)
{
	char *address MVM_CLEAN_FREE = NULL;
	uint32_t raw;
	unsigned prefix;

	if (split(text, 32, &address, &prefix, err) < 0)
		return -1;
	if (mvm_address_parse(address, &raw, err) < 0)
		return mvm_error_wrap(err, "subnet %s", text);
	if (prefix < 8 || prefix > 29)
		return mvm_fail(err, MVM_ERR_INVALID, "subnet %s: the prefix has to be 8 to 29 bits long", text);
	/* "This network", loopback, multicast and what is reserved (RFC 6890). */
	if (raw >> 24 == 0 || raw >> 24 == 127 || raw >> 24 >= 224)
		return mvm_fail(err, MVM_ERR_INVALID,
				"subnet %s: machines cannot have such addresses; choose one of 10.0.0.0/8, "
				"172.16.0.0/12 or 192.168.0.0/16",
				text);
	*subnet = (struct mvm_subnet){.address = raw & mask_of(prefix), .prefix = prefix};
	return 0;
}

void mvm_subnet_format(const struct mvm_subnet *subnet, char *text)
{
	mvm_address_format(subnet->address, text);
	snprintf(text + strlen(text), 4, "/%u", subnet->prefix % 33);
}

int mvm_subnet6_parse(const char *text, struct mvm_subnet6 *subnet, struct mvm_error **err)
{
	char *address MVM_CLEAN_FREE = NULL;
	struct in6_addr raw;
	unsigned prefix;

	if (split(text, 128, &address, &prefix, err) < 0)
		return -1;
	if (mvm_address6_parse(address, &raw, err) < 0)
		return mvm_error_wrap(err, "subnet %s", text);
	if (prefix != 64)
		return mvm_fail(err, MVM_ERR_INVALID, "subnet %s: an IPv6 prefix has to be 64 bits long", text);
	memset(raw.s6_addr + 8, 0, 8);
	/* Loopback and IPv4's, links' own, multicast. */
	if (IN6_IS_ADDR_UNSPECIFIED(&raw) || IN6_IS_ADDR_LINKLOCAL(&raw) || IN6_IS_ADDR_MULTICAST(&raw))
		return mvm_fail(err, MVM_ERR_INVALID,
				"subnet %s: machines cannot have such addresses; choose one of fd00::/8", text);
	*subnet = (struct mvm_subnet6){.address = raw, .prefix = prefix};
	return 0;
}

void mvm_subnet6_format(const struct mvm_subnet6 *subnet, char *text)
{
	mvm_address6_format(&subnet->address, text);
	strcat(text, "/64");
}

bool mvm_subnet_contains(const struct mvm_subnet *subnet, uint32_t address)
{
	return (address & mask_of(subnet->prefix)) == subnet->address;
}

bool mvm_subnet6_contains(const struct mvm_subnet6 *subnet, const struct in6_addr *address)
{
	return memcmp(subnet->address.s6_addr, address->s6_addr, 8) == 0;
}

bool mvm_subnet_overlaps(const struct mvm_subnet *a, const struct mvm_subnet *b)
{
	return a->prefix < b->prefix ? mvm_subnet_contains(a, b->address) : mvm_subnet_contains(b, a->address);
}

bool mvm_subnet6_overlaps(const struct mvm_subnet6 *a, const struct mvm_subnet6 *b)
{
	return mvm_subnet6_contains(a, &b->address);
}

bool mvm_subnet_is_host(const struct mvm_subnet *subnet, uint32_t address)
{
	return mvm_subnet_contains(subnet, address) && address != subnet->address &&
	       address != (subnet->address | ~mask_of(subnet->prefix));
}

struct in6_addr mvm_subnet6_host(const struct mvm_subnet6 *subnet, uint64_t n)
{
	struct in6_addr address = subnet->address;

	for (int i = 15; i >= 8; i--, n >>= 8)
		address.s6_addr[i] = (uint8_t)n;
	return address;
}
