#include "compose.h"

#include <stddef.h>

struct values {
	struct cli_attach_wishes wishes;
	const char *index;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"detach-keys", 0, CLI_STRING, AT(wishes.detach_keys), "KEYS", "Leave by these keys (default ctrl-p,ctrl-q)",
	 CLI_WORDS("ctrl-")},
	{"index", 0, CLI_STRING, AT(index), "N", "Index of the container if service has multiple replicas"},
	{"no-stdin", 0, CLI_FLAG, AT(wishes.no_stdin), NULL, "Do not attach stdin"},
	{"sig-proxy", 0, CLI_FLAG, AT(wishes.sig_proxy), NULL, "Pass signals on to the process (default true)"},
	CLI_OPTIONS_END,
};

struct join {
	const struct cli_attach_wishes *wishes;
	int exit_code;
};

static int attach(struct mvm_engine *engine, const struct mvm_container *container, void *context,
		  struct mvm_error **err)
{
	struct join *join = context;

	return cli_attach_to(engine, container, join->wishes, &join->exit_code, err);
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	const struct cli_compose_choice choice = {
		.service = args[0], .index = values->index, .oneoff = MVM_ONEOFF_INCLUDE};
	struct join join = {.wishes = &values->wishes};
	int result = cli_compose_with_one(&choice, attach, &join, err);

	/* Docker's status for leaving. */
	return result < 0 ? -1 : result == CLI_DETACHED ? 1 : join.exit_code;
}

static const struct values defaults = {.wishes = {.sig_proxy = true}};

const struct cli_command cli_compose_attach = {
	.name = "compose attach",
	.usage = "[OPTIONS] SERVICE",
	.summary = "Attach local standard input, output, and error streams to a service's running container",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.complete = cli_complete_services,
	.values_size = sizeof(struct values),
	.defaults = &defaults,
	.run = run,
};
