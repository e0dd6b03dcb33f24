#include "cli.h"

#include <stddef.h>
#include <string.h>
#include <sys/utsname.h>

#include "runtime/base/json.h"

struct values {
	const char *format;
};

static const struct cli_option options[] = {
	{"format", 0, CLI_STRING, offsetof(struct values, format), "FORMAT",
	 "json, or a Go template: '{{.Server.Version}}'"},
	CLI_OPTIONS_END,
};

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct utsname host;

	uname(&host);
	if (values->format && strcmp(values->format, "table") != 0) {
		/* Docker's two sides, which here are one program. */
		json_t *side MVM_CLEAN_JSON =
			json_pack("{s:s, s:s, s:s}", "Version", MVM_VERSION, "Os", host.sysname, "Arch", host.machine);
		json_t *both MVM_CLEAN_JSON = json_pack("{s:O, s:O}", "Client", side, "Server", side);

		return cli_print_value(both, "version", values->format, err);
	}
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
