#include "dns_names.h"

#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/base/text.h"

struct endpoint {
	struct endpoint *next;
	char *id;
	struct dns_name *names;
	size_t count;
	uint32_t ipv4;
	struct in6_addr ipv6;
	bool absolute;
};

struct dns_names {
	struct dns_name network;
	bool has_network; /* its name can be one in a message */
	struct endpoint *first, **last;
};

struct dns_names *dns_names_create(const char *network)
{
	struct dns_names *names = mvm_alloc(sizeof(*names));

	names->has_network = dns_name_parse(network, &names->network);
	names->last = &names->first;
	return names;
}

static void free_endpoint(struct endpoint *endpoint)
{
	free(endpoint->id);
	free(endpoint->names);
	free(endpoint);
}

void dns_names_destroy(struct dns_names *names)
{
	struct endpoint *next;

	if (!names)
		return;
	for (struct endpoint *endpoint = names->first; endpoint; endpoint = next) {
		next = endpoint->next;
		free_endpoint(endpoint);
	}
	free(names);
}

bool dns_names_remove(struct dns_names *names, const char *id)
{
	for (struct endpoint **at = &names->first; *at; at = &(*at)->next) {
		struct endpoint *endpoint = *at;

		if (strcmp(endpoint->id, id) != 0)
			continue;
		*at = endpoint->next;
		if (!*at)
			names->last = at;
		free_endpoint(endpoint);
		return true;
	}
	return false;
}

void dns_names_set(struct dns_names *names, const struct mvm_dns_endpoint *endpoint, bool absolute)
{
	struct endpoint *new = mvm_alloc(sizeof(*new));

	*new = (struct endpoint){
		.id = mvm_strdup(endpoint->id),
		.names = mvm_alloc((endpoint->name_count + 1) * sizeof(*new->names)),
		.ipv4 = endpoint->ipv4,
		.ipv6 = endpoint->ipv6,
		.absolute = absolute,
	};
	for (size_t i = 0; i < endpoint->name_count; i++)
		if (dns_name_parse(endpoint->names[i], &new->names[new->count]))
			new->count++;
	dns_names_remove(names, endpoint->id);
	*names->last = new;
	names->last = &new->next;
}

static bool is_called(const struct endpoint *endpoint, const struct dns_name *name)
{
	for (size_t i = 0; i < endpoint->count; i++)
		if (dns_name_equal(&endpoint->names[i], name))
			return true;
	return false;
}

static void add_address(struct dns_addresses *addresses, const void *bytes, size_t size)
{
	mvm_buf_add(&addresses->bytes, bytes, size);
	addresses->size = size;
	addresses->count++;
}

bool dns_names_find(const struct dns_names *names, const struct dns_name *name, struct dns_addresses *ipv4,
		    struct dns_addresses *ipv6)
{
	struct dns_name rest;
	bool shorter = names->has_network && dns_name_under(name, &names->network, &rest), found = false;

	for (const struct endpoint *endpoint = names->first; endpoint; endpoint = endpoint->next) {
		uint32_t address = htonl(endpoint->ipv4);

		if (!is_called(endpoint, name) && !(shorter && !endpoint->absolute && is_called(endpoint, &rest)))
			continue;
		found = true;
		if (address)
			add_address(ipv4, &address, sizeof(address));
		if (!IN6_IS_ADDR_UNSPECIFIED(&endpoint->ipv6))
			add_address(ipv6, &endpoint->ipv6, sizeof(endpoint->ipv6));
	}
	return found;
}

/* False where both together are too long. */
static bool join(const struct dns_name *name, const struct dns_name *end, struct dns_name *whole)
{
	size_t length = name->length - 1;

	if (length + end->length > DNS_NAME_MAX)
		return false;
	memcpy(whole->wire, name->wire, length);
	memcpy(whole->wire + length, end->wire, end->length);
	whole->length = length + end->length;
	return true;
}

bool dns_names_of(const struct dns_names *names, int family, uint32_t ipv4, const struct in6_addr *ipv6,
		  struct dns_name *name)
{
	for (const struct endpoint *endpoint = names->first; endpoint; endpoint = endpoint->next) {
		if (!endpoint->count)
			continue;
		if (family == 4
			    ? !endpoint->ipv4 || endpoint->ipv4 != ipv4
			    : IN6_IS_ADDR_UNSPECIFIED(&endpoint->ipv6) || !IN6_ARE_ADDR_EQUAL(&endpoint->ipv6, ipv6))
			continue;
		if (endpoint->absolute || !names->has_network || !join(&endpoint->names[0], &names->network, name))
			*name = endpoint->names[0];
		return true;
	}
	return false;
}

void dns_addresses_shuffle(struct dns_addresses *addresses)
{
	char *bytes = addresses->bytes.data, swap[sizeof(struct in6_addr)];
	size_t size = addresses->size, left = addresses->count;
	uint32_t *dice MVM_CLEAN_FREE = left > 1 ? mvm_alloc(left * sizeof(*dice)) : NULL;

	if (dice)
		mvm_random(dice, left * sizeof(*dice));
	/* From the last on, each changes places with one of those before it or stays (Fisher and Yates). */
	for (; left > 1; left--) {
		char *pick = bytes + dice[left - 1] % left * size, *last = bytes + (left - 1) * size;

		memcpy(swap, pick, size);
		memmove(pick, last, size);
		memcpy(last, swap, size);
	}
}
