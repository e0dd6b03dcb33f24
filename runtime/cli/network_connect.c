/*
 * `network connect` and `network disconnect`.
 */
#include "cli.h"

#include <stddef.h>
#include <string.h>

#include "runtime/state/net_endpoint.h"

struct values {
	const char *ip, *ip6, *priority;
	struct mvm_strv aliases, driver_options;
	struct mvm_strv links, link_local; /* refused */
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"alias", 0, CLI_LIST, AT(aliases), "NAME", "Be found by this name, too"},
	{"driver-opt", 0, CLI_LIST, AT(driver_options), "KEY=VALUE", "Refused: there are no drivers to choose from"},
	{"gw-priority", 0, CLI_STRING, AT(priority), "N", "The network with the greatest leads out"},
	{"ip", 0, CLI_STRING, AT(ip), "ADDRESS", "Have this IPv4 address"},
	{"ip6", 0, CLI_STRING, AT(ip6), "ADDRESS", "Have this IPv6 address"},
	{"link", 0, CLI_LIST, AT(links), "CONTAINER", "Refused: containers of a network find each other by name"},
	{"link-local-ip", 0, CLI_LIST, AT(link_local), "ADDRESS", "Refused: those follow from the MAC address"},
	CLI_OPTIONS_END,
};

static int check_refused(const struct values *values, struct mvm_error **err)
{
	const struct {
		const char *flag;
		const struct mvm_strv *given;
		const char *why;
	} refused[] = {
		{"driver-opt", &values->driver_options, "there is one kind of network, which has no options"},
		{"link", &values->links, "containers of a network find each other by name; --alias gives another one"},
		{"link-local-ip", &values->link_local, "link-local addresses follow from the MAC address"},
	};

	for (size_t i = 0; i < MVM_COUNT(refused); i++)
		if (refused[i].given->count)
			return mvm_fail(err, MVM_ERR_UNSUPPORTED, "--%s %s: %s", refused[i].flag,
					refused[i].given->items[0], refused[i].why);
	for (size_t i = 0; i < values->aliases.count; i++)
		if (!*values->aliases.items[i] || strchr(values->aliases.items[i], ','))
			return mvm_fail(err, MVM_ERR_USAGE, "invalid alias: \"%s\"", values->aliases.items[i]);
	return 0;
}

static int connect_network(const struct values *values, char **args, struct mvm_error **err)
{
	const struct mvm_net_endpoint endpoint = {
		.network = args[0],
		.aliases = values->aliases,
		.ip = (char *)values->ip,
		.ip6 = (char *)values->ip6,
		.gw_priority = (char *)values->priority,
	};
	struct mvm_engine *engine;
	int result;

	if (check_refused(values, err) < 0 || mvm_engine_open(&engine, err) < 0)
		return -1;
	result = mvm_engine_connect_network(engine, &endpoint, args[1], err);
	mvm_engine_close(engine);
	return result;
}

static int run_connect(const void *given, char **args, struct mvm_error **err)
{
	return connect_network(given, args, err);
}

const struct cli_command cli_network_connect = {
	.name = "network connect",
	.usage = "[OPTIONS] NETWORK CONTAINER",
	.summary = "Put a container on a network, running or not",
	.options = options,
	.min_args = 2,
	.max_args = 2,
	.complete = cli_complete_network_and_container,
	.values_size = sizeof(struct values),
	.run = run_connect,
};

struct leaving {
	bool force;
};

static const struct cli_option leaving_options[] = {
	{"force", 'f', CLI_FLAG, offsetof(struct leaving, force), NULL,
	 "Even where the container's machine does not obey"},
	CLI_OPTIONS_END,
};

static int run_disconnect(const void *given, char **args, struct mvm_error **err)
{
	const struct leaving *leaving = given;
	struct mvm_engine *engine;
	int result;

	if (mvm_engine_open(&engine, err) < 0)
		return -1;
	result = mvm_engine_disconnect_network(engine, args[0], args[1], leaving->force, err);
	mvm_engine_close(engine);
	return result;
}

const struct cli_command cli_network_disconnect = {
	.name = "network disconnect",
	.usage = "[OPTIONS] NETWORK CONTAINER",
	.summary = "Take a container off a network, running or not",
	.options = leaving_options,
	.min_args = 2,
	.max_args = 2,
	.complete = cli_complete_network_and_container,
	.values_size = sizeof(struct leaving),
	.run = run_disconnect,
};
