#include "cli.h"

#include <stddef.h>
#include <string.h>
#include <sys/utsname.h>

struct values {
	const char *format;
};

static const struct cli_option options[] = {
	{"format", 0, CLI_STRING, offsetof(struct values, format), "FORMAT", "table (the default) or json"},
	CLI_OPTIONS_END,
};

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct utsname host;

	if (cli_check_format(values->format, err) < 0)
		return -1;
	uname(&host);
	if (values->format && !strcmp(values->format, "json"))
		printf("{\"Version\":\"%s\",\"Os\":\"%s\",\"Arch\":\"%s\"}\n", MVM_VERSION, host.sysname, host.machine);
	else
		printf("Version:  %s\nOS/Arch:  %s/%s\n", MVM_VERSION, host.sysname, host.machine);
	return 0;
}

const struct cli_command cli_version = {
	.name = "version",
	.common = true,
	.usage = "[OPTIONS]",
	.summary = "Show the version",
	.options = options,
	.max_args = 0,
	.values_size = sizeof(struct values),
	.run = run,
};
