#include "compose.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/text.h"
#include "runtime/state/port.h"

struct values {
	const char *index, *protocol;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"index", 0, CLI_STRING, AT(index), "N", "Index of the container if service has multiple replicas"},
	{"protocol", 0, CLI_STRING, AT(protocol), "PROTOCOL", "tcp or udp (default tcp)", CLI_WORDS("tcp", "udp")},
	CLI_OPTIONS_END,
};

struct wanted {
	const char *protocol;
	uint16_t port;
};

static int show(struct mvm_engine *engine, const struct mvm_container *container, void *context, struct mvm_error **err)
{
	const struct wanted *wanted = context;
	struct mvm_strv known MVM_CLEAN_STRV = {0};
	char *list MVM_CLEAN_FREE = NULL;

	for (size_t i = 0; i < container->state.ports.count; i++) {
		struct mvm_port port;

		if (!mvm_port_read(container->state.ports.items[i], &port))
			continue;
		if (port.guest == wanted->port &&
		    !strcasecmp(mvm_port_protocol_name(port.protocol), wanted->protocol)) {
			char *place MVM_CLEAN_FREE = cli_port_place(&port);

			puts(place);
			return 0;
		}
		mvm_strv_take(&known, mvm_port_guest_text(&port));
	}
	list = known.count ? mvm_strv_join(&known, ", ") : mvm_strdup("");
	return mvm_fail(err, MVM_ERR_NOT_FOUND, "no port %u/%s for container %s: %s", wanted->port, wanted->protocol,
			container->config.name, list);
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	const struct cli_compose_choice choice = {
		.service = args[0], .index = values->index, .oneoff = MVM_ONEOFF_INCLUDE};
	struct wanted wanted = {.protocol = values->protocol};
	int64_t port;

	if (!mvm_parse_int(args[1], 0, UINT16_MAX, &port))
		return mvm_fail(err, MVM_ERR_INVALID, "invalid port \"%s\": a number up to 65535", args[1]);
	wanted.port = (uint16_t)port;
	return cli_compose_with_one(&choice, show, &wanted, err);
}

static const struct values defaults = {.protocol = "tcp"};

const struct cli_command cli_compose_port = {
	.name = "compose port",
	.usage = "[OPTIONS] SERVICE PRIVATE_PORT",
	.summary = "Print the public port for a port binding",
	.options = options,
	.min_args = 2,
	.max_args = 2,
	.complete = cli_complete_services,
	.values_size = sizeof(struct values),
	.defaults = &defaults,
	.run = run,
};
