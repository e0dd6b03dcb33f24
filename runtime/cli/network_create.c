#include "cli.h"

#include <stddef.h>
#include <string.h>

#include "runtime/base/text.h"

struct values {
	const char *driver;
	struct mvm_strv subnets, gateways, labels, options;
	bool ipv6, internal, attachable;
	const char *mtu;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"attachable", 0, CLI_FLAG, AT(attachable), NULL, "Accepted for docker's sake: all networks are"},
	{"driver", 'd', CLI_STRING, AT(driver), "DRIVER", "bridge is the only one", CLI_WORDS("bridge")},
	{"gateway", 0, CLI_LIST, AT(gateways), "ADDRESS", "The gateway's address (default the subnet's first)"},
	{"internal", 0, CLI_FLAG, AT(internal), NULL, "No way out, nor to the host"},
	{"ipv6", 0, CLI_FLAG, AT(ipv6), NULL, "IPv6, too"},
	{"label", 0, CLI_LIST, AT(labels), "KEY[=VALUE]", "Set a label"},
	{"mtu", 0, CLI_STRING, AT(mtu), "BYTES", "Largest packet inside (default 32000)"},
	{"opt", 'o', CLI_LIST, AT(options), "KEY=VALUE", "com.docker.network.driver.mtu=BYTES",
	 CLI_WORDS("com.docker.network.driver.mtu=")},
	{"subnet", 0, CLI_LIST, AT(subnets), "ADDRESS/PREFIX", "Its addresses, one of IPv4 and one of IPv6"},
	CLI_OPTIONS_END,
};

/* One of each family. */
static int sort_out(const char *flag, const struct mvm_strv *given, const char **ipv4, const char **ipv6,
		    struct mvm_error **err)
{
	for (size_t i = 0; i < given->count; i++) {
		const char **to = strchr(given->items[i], ':') ? ipv6 : ipv4;

		if (*to)
			return mvm_fail(err, MVM_ERR_USAGE, "conflicting options: --%s is given twice for one family",
					flag);
		*to = given->items[i];
	}
	return 0;
}

static int parse_mtu(const char *text, int64_t *mtu, struct mvm_error **err)
{
	if (mvm_parse_int(text, 1, INT32_MAX, mtu))
		return 0;
	return mvm_fail(err, MVM_ERR_INVALID, "invalid MTU: %s", text);
}

static int parse_options(const struct mvm_strv *given, int64_t *mtu, struct mvm_error **err)
{
	static const char mtu_key[] = "com.docker.network.driver.mtu=";

	for (size_t i = 0; i < given->count; i++) {
		if (strncmp(given->items[i], mtu_key, strlen(mtu_key)) != 0)
			return mvm_fail(err, MVM_ERR_UNSUPPORTED, "network option %s is not known", given->items[i]);
		if (parse_mtu(given->items[i] + strlen(mtu_key), mtu, err) < 0)
			return -1;
	}
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void complete_labels(const struct mvm_strv *given, struct mvm_strv *labels)
{
	for (size_t i = 0; i < given->count; i++)
		mvm_strv_addf(labels, strchr(given->items[i], '=') ? "%s" : "%s=", given->items[i]);
	if (labels->count)
		qsort(labels->items, labels->count, sizeof(*labels->items), by_text);
}

static int create(const struct mvm_network_request *request, struct mvm_error **err)
{
	struct mvm_network *network MVM_CLEAN_NETWORK = NULL;
	struct mvm_engine *engine;
	int result;

	if (mvm_engine_open(&engine, err) < 0)
		return -1;
	result = mvm_engine_create_network(engine, request, &network, err);
	if (result == 0)
		puts(network->id);
	mvm_engine_close(engine);
	return result;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_strv labels MVM_CLEAN_STRV = {0};
	struct mvm_network_request request = {
		.name = args[0], .ipv6 = values->ipv6, .internal = values->internal, .labels = &labels};

	if (values->driver && strcmp(values->driver, "bridge") != 0 && strcmp(values->driver, "nat") != 0)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED,
				"could not find a network driver with name %s: bridge is the only one", values->driver);
	if (sort_out("subnet", &values->subnets, &request.subnet, &request.subnet6, err) < 0 ||
	    sort_out("gateway", &values->gateways, &request.gateway, &request.gateway6, err) < 0 ||
	    parse_options(&values->options, &request.mtu, err) < 0 ||
	    (values->mtu && parse_mtu(values->mtu, &request.mtu, err) < 0))
		return -1;
	complete_labels(&values->labels, &labels);
	return create(&request, err);
}

const struct cli_command cli_network_create = {
	.name = "network create",
	.usage = "[OPTIONS] NETWORK",
	.summary = "Create a network",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.values_size = sizeof(struct values),
	.run = run,
};
