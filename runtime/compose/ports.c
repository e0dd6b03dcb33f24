/*
 * Ports of the host that two containers of a project would publish: told before anything is made.
 */
#include <string.h>

#include "conduct.h"
#include "runtime/base/text.h"

struct claim {
	const struct member *member;
	const struct node *port;
	const char *ip, *protocol;
	int64_t number;
};

static bool read_claim(const struct member *member, const struct node *port, struct claim *claim)
{
	const char *published = node_get_text(port, "published"), *ip = node_get_text(port, "host_ip");
	const char *protocol = node_get_text(port, "protocol");
	int64_t number;

	/* Out of a range one that is free is found. */
	if (!published || !mvm_parse_int(published, 1, 65535, &number))
		return false;
	*claim = (struct claim){.member = member,
				.port = port,
				.ip = ip ? ip : "",
				.protocol = protocol && *protocol ? protocol : "tcp",
				.number = number};
	return true;
}

static bool is_any(const char *ip)
{
	return !*ip || !strcmp(ip, "0.0.0.0") || !strcmp(ip, "::");
}

static bool clash(const struct claim *a, const struct claim *b)
{
	return a->number == b->number && !strcmp(a->protocol, b->protocol) &&
	       (is_any(a->ip) || is_any(b->ip) || !strcmp(a->ip, b->ip));
}

static int check_claim(const struct claim *claims, size_t count, const struct claim *claim, struct mvm_error **err)
{
	for (size_t i = 0; i < count; i++)
		if (claims[i].member != claim->member && clash(&claims[i], claim))
			return node_fail(err, claim->port,
					 "services.%s.ports: port %lld/%s of the host is published by service %s, too",
					 claim->member->name, (long long)claim->number, claim->protocol,
					 claims[i].member->name);
	if (member_scale(claim->member) > 1)
		return node_fail(
			err, claim->port,
			"services.%s.ports: %lld containers cannot all have port %lld/%s of the host; publish a "
			"range of ports, or no particular one",
			claim->member->name, (long long)member_scale(claim->member), (long long)claim->number,
			claim->protocol);
	return 0;
}

int conduct_check_ports(const struct mvm_compose_project *project, const struct graph *graph, struct mvm_error **err)
{
	struct claim *claims MVM_CLEAN_FREE = NULL;
	size_t count = 0;

	for (size_t i = 0; i < graph->count; i++) {
		const struct member *member = &graph->items[i];
		const struct node *ports = node_get(member->node, "ports");

		if (project->only_needs && !strcmp(project->only_needs, member->name))
			continue;
		for (size_t j = 0; node_is(ports, NODE_LIST) && member_scale(member) > 0 && j < ports->count; j++) {
			struct claim claim;

			if (!read_claim(member, ports->entries[j].value, &claim))
				continue;
			if (check_claim(claims, count, &claim, err) < 0)
				return -1;
			claims = mvm_realloc(claims, count + 1, sizeof(*claims));
			claims[count++] = claim;
		}
	}
	return 0;
}
