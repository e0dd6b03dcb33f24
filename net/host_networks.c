#include "host_networks.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sys/socket.h>

#include "runtime/base/mem.h"

struct list {
	struct mvm_subnet *items;
	size_t count;
};

static void add(struct list *list, uint32_t address, uint32_t mask)
{
	unsigned prefix = 0;

	while (prefix < 32 && mask & (1u << (31 - prefix)))
		prefix++;
	/* The default route, and what is no network but one machine of ours. */
	if (!prefix || (address & mask) >> 24 == 127)
		return;
	list->items = mvm_realloc(list->items, list->count + 1, sizeof(*list->items));
	list->items[list->count++] = (struct mvm_subnet){.address = address & mask, .prefix = prefix};
}

static void add_interfaces(struct list *list)
{
	struct ifaddrs *all;

	if (getifaddrs(&all) < 0)
		return;
	for (const struct ifaddrs *at = all; at; at = at->ifa_next) {
		struct sockaddr_in address, mask;

		if (!at->ifa_addr || at->ifa_addr->sa_family != AF_INET || !at->ifa_netmask)
			continue;
		memcpy(&address, at->ifa_addr, sizeof(address));
		memcpy(&mask, at->ifa_netmask, sizeof(mask));
		add(list, ntohl(address.sin_addr.s_addr), ntohl(mask.sin_addr.s_addr));
	}
	freeifaddrs(all);
}

bool mvm_host_is_on6(const struct mvm_subnet6 *subnet)
{
	struct ifaddrs *all;
	bool is = false;

	if (getifaddrs(&all) < 0)
		return false;
	for (const struct ifaddrs *at = all; at && !is; at = at->ifa_next) {
		struct sockaddr_in6 address;

		if (!at->ifa_addr || at->ifa_addr->sa_family != AF_INET6)
			continue;
		memcpy(&address, at->ifa_addr, sizeof(address));
		is = mvm_subnet6_contains(subnet, &address.sin6_addr);
	}
	freeifaddrs(all);
	return is;
}

#ifdef __linux__
/* "eth0 0000FEA9 00000000 0001 0 0 0 0000FFFF ...": in the byte order of the network, as numbers of the host's. */
static void add_routes(struct list *list)
{
	FILE *file = fopen("/proc/net/route", "re");
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		unsigned destination, mask;

		if (sscanf(line, "%*s %x %*x %*x %*d %*d %*d %x", &destination, &mask) == 2)
			add(list, ntohl(destination), ntohl(mask));
	}
	if (file)
		fclose(file);
}
#else
static void add_routes(struct list *list)
{
}
#endif

struct mvm_subnet *mvm_host_networks(size_t *count)
{
	struct list list = {0};

	add_interfaces(&list);
	add_routes(&list);
	*count = list.count;
	return list.items;
}
