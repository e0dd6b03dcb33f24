#include "compose.h"

#include <stddef.h>
#include <string.h>

struct values {
	bool brief;
	const char *format;
};

static const struct cli_option options[] = {
	{"format", 'f', CLI_STRING, offsetof(struct values, format), "FORMAT", "pretty (the default) or json",
	 CLI_WORDS("json", "pretty")},
	{"short", 0, CLI_FLAG, offsetof(struct values, brief), NULL, "Show only the version number"},
	CLI_OPTIONS_END,
};

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;

	if (values->brief)
		puts(MVM_VERSION);
	else if (values->format && !strcmp(values->format, "json"))
		puts("{\"version\":\"" MVM_VERSION "\"}");
	else
		puts("mvm compose version " MVM_VERSION);
	return 0;
}

const struct cli_command cli_compose_version = {
	.name = "compose version",
	.usage = "[OPTIONS]",
	.summary = "Show the version information",
	.options = options,
	.max_args = 0,
	.values_size = sizeof(struct values),
	.run = run,
};
