/*
 * `network inspect`: docker's document of a network, with what its process tells of the guests on it.
 */
#include "inspect.h"

#include <stddef.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/text.h"

struct values {
	const char *format;
	bool verbose;
};

static const struct cli_option options[] = {
	{"format", 'f', CLI_STRING, offsetof(struct values, format), "FORMAT", CLI_DOCUMENT_FORMAT_HELP,
	 CLI_WORDS("json")},
	{"verbose", 'v', CLI_FLAG, offsetof(struct values, verbose), NULL, "Accepted for docker's sake"},
	CLI_OPTIONS_END,
};

static json_t *labels_json(const struct mvm_strv *labels)
{
	json_t *object = json_object();

	for (size_t i = 0; i < labels->count; i++) {
		size_t key = strcspn(labels->items[i], "=");

		json_object_setn_new(object, labels->items[i], key, mvm_json_message(labels->items[i] + key + 1));
	}
	return object;
}

static json_t *pools_json(const struct mvm_network *network)
{
	json_t *pools = json_pack("[{s:s, s:s}]", "Subnet", network->subnet, "Gateway", network->gateway);

	if (network->subnet6)
		json_array_append_new(
			pools, json_pack("{s:s, s:s}", "Subnet", network->subnet6, "Gateway", network->gateway6));
	return pools;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* "192.168.127.2" of "192.168.127.0/24" as docker has it: "192.168.127.2/24". */
static json_t *with_prefix(const char *address, const char *subnet)
{
	const char *slash = subnet ? strchr(subnet, '/') : NULL;

	return *address && slash ? json_sprintf("%s%s", address, slash) : json_string("");
}

static json_t *guest_json(struct mvm_engine *engine, const struct mvm_network *network, const json_t *guest)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	const char *id = text_of(guest, "container");
	json_t *json;

	mvm_state_find(mvm_engine_state(engine), id, &container, NULL);
	json = json_pack("{s:s, s:s, s:s, s:o, s:o}", "Name", container ? container->config.name : "", "EndpointID", id,
			 "MacAddress", text_of(guest, "mac"), "IPv4Address",
			 with_prefix(text_of(guest, "ip"), network->subnet), "IPv6Address",
			 with_prefix(text_of(guest, "ip6"), network->subnet6));
	/* mvm's own. */
	json_object_set_new(
		json, "Counters",
		json_pack("{s:O*, s:O*, s:O*, s:O*, s:O*, s:O*}", "FramesIn", json_object_get(guest, "frames_in"),
			  "BytesIn", json_object_get(guest, "bytes_in"), "FramesOut",
			  json_object_get(guest, "frames_out"), "BytesOut", json_object_get(guest, "bytes_out"), "Lost",
			  json_object_get(guest, "lost"), "Refused", json_object_get(guest, "refused")));
	return json;
}

static json_t *guests_json(struct mvm_engine *engine, const struct mvm_network *network, const json_t *status)
{
	const json_t *guests = json_object_get(status, "guests"), *guest;
	json_t *object = json_object();
	size_t i;

	json_array_foreach(guests, i, guest)
		json_object_set_new(object, text_of(guest, "container"), guest_json(engine, network, guest));
	return object;
}

/* The members of an object under other names: pairs of ours and the process's. */
static json_t *renamed(const json_t *object, const char *const (*names)[2])
{
	json_t *json = json_object();

	for (; (*names)[0]; names++)
		json_object_set(json, (*names)[0], json_object_get(object, (*names)[1]));
	return json;
}

static json_t *leases_json(const struct mvm_network *network, const json_t *status)
{
	static const char *const names[][2] = {{"Container", "container"}, {"Live", "live"}, {NULL, NULL}};
	const json_t *leases = json_object_get(status, "leases"), *lease;
	json_t *list = json_array();
	size_t i;

	json_array_foreach(leases, i, lease)
	{
		json_t *json = renamed(lease, names);

		json_object_set_new(json, "IPv4Address", with_prefix(text_of(lease, "ip"), network->subnet));
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *seconds_json(const json_t *object, const char *key)
{
	return json_integer(json_integer_value(json_object_get(object, key)) / 1000);
}

static json_t *flows_json(const json_t *status)
{
	static const char *const names[][2] = {
		{"Protocol", "protocol"},	{"State", "state"},	     {"Source", "source"},
		{"Destination", "destination"}, {"FramesOut", "frames_out"}, {"BytesOut", "bytes_out"},
		{"FramesIn", "frames_in"},	{"BytesIn", "bytes_in"},     {NULL, NULL}};
	const json_t *flows = json_object_get(status, "flows"), *flow;
	json_t *list = json_array();
	size_t i;

	json_array_foreach(flows, i, flow)
	{
		json_t *json = renamed(flow, names);

		json_object_set_new(json, "AgeSeconds", seconds_json(flow, "age_ms"));
		json_object_set_new(json, "IdleSeconds", seconds_json(flow, "idle_ms"));
		json_array_append_new(list, json);
	}
	return list;
}

/* mvm's own: what its process knows. Without one there is nothing. */
static void set_live(json_t *document, const struct mvm_network *network, const json_t *status)
{
	json_t *dns = json_object_get(status, "dns");

	json_object_set_new(document, "Leases", leases_json(network, status));
	json_object_set_new(document, "Flows", flows_json(status));
	json_object_set_new(document, "FlowCount",
			    json_integer(json_integer_value(json_object_get(status, "flow_count"))));
	if (dns)
		json_object_set(document, "Dns", dns);
}

static json_t *describe(struct mvm_engine *engine, const struct mvm_network *network, const json_t *status)
{
	char created[MVM_TIME_LENGTH + 1];
	json_t *document = json_object();

	mvm_format_time(&network->created, created);
	json_object_set_new(document, "Name", json_string(network->name));
	json_object_set_new(document, "Id", json_string(network->id));
	json_object_set_new(document, "Created", json_string(created));
	json_object_set_new(document, "Scope", json_string("local"));
	json_object_set_new(document, "Driver", json_string("bridge"));
	json_object_set_new(document, "EnableIPv4", json_true());
	json_object_set_new(document, "EnableIPv6", json_boolean(network->subnet6 != NULL));
	json_object_set_new(
		document, "IPAM",
		json_pack("{s:s, s:{}, s:o}", "Driver", "default", "Options", "Config", pools_json(network)));
	json_object_set_new(document, "Internal", json_boolean(network->internal));
	json_object_set_new(document, "Attachable", json_true());
	json_object_set_new(document, "Ingress", json_false());
	json_object_set_new(document, "ConfigFrom", json_pack("{s:s}", "Network", ""));
	json_object_set_new(document, "ConfigOnly", json_false());
	json_object_set_new(document, "Containers", guests_json(engine, network, status));
	json_object_set_new(
		document, "Options",
		json_pack("{s:o}", "com.docker.network.driver.mtu", json_sprintf("%lld", (long long)network->mtu)));
	json_object_set_new(document, "Labels", labels_json(&network->labels));
	set_live(document, network, status);
	return document;
}

json_t *cli_describe_network(struct mvm_engine *engine, const struct mvm_network *network, struct mvm_error **err)
{
	json_t *status MVM_CLEAN_JSON = NULL;

	if (mvm_engine_network_status(engine, network, &status, err) < 0)
		return NULL;
	return describe(engine, network, status);
}

static int inspect_one(struct mvm_engine *engine, const char *arg, void *context, struct mvm_error **err)
{
	struct mvm_network *network MVM_CLEAN_NETWORK = NULL;
	json_t *document;

	if (mvm_engine_default_network(engine, err) < 0 ||
	    mvm_network_find(mvm_engine_state(engine), arg, &network, err) < 0)
		return -1;
	document = cli_describe_network(engine, network, err);
	if (!document)
		return -1;
	json_array_append_new(context, document);
	return 0;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	json_t *documents MVM_CLEAN_JSON = json_array();
	int result, printed;

	if (cli_check_document_format(values->format, err) < 0)
		return -1;
	result = cli_for_each(args, inspect_one, documents, err);
	printed = cli_print_documents(documents, values->format, err);
	return result < 0 ? result : printed;
}

const struct cli_command cli_network_inspect = {
	.name = "network inspect",
	.usage = "[OPTIONS] NETWORK [NETWORK...]",
	.summary = "Show all that is known of networks",
	.options = options,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.complete = cli_complete_networks,
	.values_size = sizeof(struct values),
	.run = run,
};
