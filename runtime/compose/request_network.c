/*
 * A service's places on networks, its names there, and its ports.
 */
#include <stdlib.h>
#include <string.h>

#include "request.h"
#include "runtime/state/net_endpoint.h"
#include "runtime/state/port.h"

static int64_t priority_of(const struct node *place)
{
	const struct node *priority = node_get(place, "priority");

	return node_is(priority, NODE_INT) ? priority->integer : 0;
}

/* Docker's order: the greatest priority first, then by the alphabet. */
static int by_priority(const void *a, const void *b)
{
	const struct node_entry *one = *(const struct node_entry *const *)a,
				*two = *(const struct node_entry *const *)b;
	int64_t first = priority_of(one->value), second = priority_of(two->value);

	return first != second ? (first < second) - (first > second) : strcmp(one->key, two->key);
}

static void set_text(char **member, const char *text)
{
	if (!text || !*text)
		return;
	free(*member);
	*member = mvm_strdup(text);
}

/* The names that other services have for it: "links: [db:database]". */
static void add_link_names(const struct mvm_compose *compose, const char *name, struct mvm_strv *aliases)
{
	const struct node *services = section_of(compose->model, "services");

	for (size_t i = 0; services && i < services->count; i++) {
		const struct node *links = node_get(services->entries[i].value, "links");

		for (size_t j = 0; links && j < links->count; j++) {
			const char *link = links->entries[j].value->text, *mark = strchr(link, ':');

			if (mark && !strncmp(link, name, (size_t)(mark - link)) && !name[mark - link])
				mvm_strv_add(aliases, mark + 1);
		}
	}
}

static void add_aliases(const struct mvm_compose *compose, const struct service_wish *wish, const struct node *place,
			struct mvm_strv *aliases)
{
	const struct node *own = node_get(place, "aliases");

	mvm_strv_add(aliases, wish->alias ? wish->alias : wish->container);
	if (wish->no_aliases)
		return;
	mvm_strv_add(aliases, wish->service);
	for (size_t i = 0; own && i < own->count; i++)
		mvm_strv_add(aliases, own->entries[i].value->text);
	add_link_names(compose, wish->service, aliases);
}

static void add_place(const struct mvm_compose *compose, const struct service_wish *wish,
		      const struct node_entry *entry, struct mvm_strv *networks)
{
	const struct node *network = node_get(section_of(compose->model, "networks"), entry->key);
	const struct node *priority = node_get(entry->value, "gw_priority");
	struct mvm_net_endpoint endpoint MVM_CLEAN_NET_ENDPOINT = {0};

	endpoint.network = mvm_strdup(node_get_text(network, "name"));
	add_aliases(compose, wish, entry->value, &endpoint.aliases);
	set_text(&endpoint.ip, node_get_text(entry->value, "ipv4_address"));
	set_text(&endpoint.ip6, node_get_text(entry->value, "ipv6_address"));
	/* The service's own is that of its first network. */
	if (!networks->count)
		set_text(&endpoint.mac, node_get_text(wish->node, "mac_address"));
	set_text(&endpoint.mac, node_get_text(entry->value, "mac_address"));
	if (node_is(priority, NODE_INT))
		endpoint.gw_priority = mvm_format("%lld", (long long)priority->integer);
	mvm_strv_take(networks, mvm_net_endpoint_format(&endpoint));
}

static int add_mode(const struct service_wish *wish, const char *mode, struct mvm_strv *networks,
		    struct mvm_error **err)
{
	if (!strcmp(mode, "host") || !strncmp(mode, "service:", 8) || !strncmp(mode, "container:", 10))
		return node_fail(
			err, node_get(wish->node, "network_mode"),
			"services.%s.network_mode: \"%s\" cannot be: each container is a machine of its own, with "
			"a network stack of its own; services of one network reach each other by name",
			wish->service, mode);
	mvm_strv_add(networks, !strcmp(mode, "disabled") ? "none" : mode);
	return 0;
}

int request_networks(struct mvm_compose *compose, const struct service_wish *wish, struct service_request *out,
		     struct mvm_error **err)
{
	const struct node *networks = node_get(wish->node, "networks");
	const char *mode = node_get_text(wish->node, "network_mode");
	size_t count = node_is(networks, NODE_MAP) ? networks->count : 0;
	const struct node_entry **sorted MVM_CLEAN_FREE = mvm_alloc((count + 1) * sizeof(const struct node_entry *));
	const struct {
		const char *key;
		struct mvm_strv *list;
		const struct mvm_strv **member;
	} lists[] = {{"dns", &out->dns, &out->request.dns},
		     {"dns_search", &out->dns_search, &out->request.dns_search},
		     {"dns_opt", &out->dns_options, &out->request.dns_options},
		     {"extra_hosts", &out->extra_hosts, &out->request.extra_hosts}};

	for (size_t i = 0; i < MVM_COUNT(lists); i++) {
		const struct node *list = node_get(wish->node, lists[i].key);

		for (size_t j = 0; node_is(list, NODE_LIST) && j < list->count; j++)
			mvm_strv_add(lists[i].list, list->entries[j].value->text);
		*lists[i].member = lists[i].list;
	}
	/* "name=address" is how they are shown. */
	for (size_t i = 0; i < out->extra_hosts.count; i++)
		*strchr(out->extra_hosts.items[i], '=') = ':';
	out->request.networks = &out->networks;
	if (mode && *mode)
		return add_mode(wish, mode, &out->networks, err);
	for (size_t i = 0; i < count; i++)
		sorted[i] = &networks->entries[i];
	qsort(sorted, count, sizeof(*sorted), by_priority);
	for (size_t i = 0; i < count; i++)
		add_place(compose, wish, sorted[i], &out->networks);
	return 0;
}

/* As `-p` has it. */
static char *port_text(const struct node *port)
{
	const char *ip = node_get_text(port, "host_ip"), *published = node_get_text(port, "published");
	const char *protocol = node_get_text(port, "protocol");
	const struct node *target = node_get(port, "target");
	bool bracket = ip && strchr(ip, ':') && *ip != '[', has_ip = ip && *ip;

	return mvm_format("%s%s%s%s%s%s%lld/%s", bracket ? "[" : "", has_ip ? ip : "", bracket ? "]" : "",
			  has_ip ? ":" : "", published ? published : "", has_ip || (published && *published) ? ":" : "",
			  (long long)(node_is(target, NODE_INT) ? target->integer : 0), protocol ? protocol : "tcp");
}

int request_ports(const struct service_wish *wish, struct service_request *out, struct mvm_error **err)
{
	const struct node *ports = node_get(wish->node, "ports"), *expose = node_get(wish->node, "expose");

	for (size_t i = 0; node_is(ports, NODE_LIST) && i < ports->count; i++) {
		char *text MVM_CLEAN_FREE = port_text(ports->entries[i].value);
		struct mvm_strv parsed MVM_CLEAN_STRV = {0};

		if (mvm_port_parse(text, &parsed, err) < 0)
			return node_wrap(err, ports->entries[i].value);
		mvm_strv_add(&out->publish, text);
	}
	for (size_t i = 0; node_is(expose, NODE_LIST) && i < expose->count; i++)
		mvm_strv_add(&out->expose, expose->entries[i].value->text);
	out->request.publish = &out->publish;
	out->request.expose = &out->expose;
	return 0;
}
