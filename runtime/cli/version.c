#include "cli.h"

#include <stddef.h>
#include <string.h>
#include <sys/utsname.h>

#include "image/platform.h"
#include "runtime/base/json.h"

struct values {
	const char *format;
};

static const struct cli_option options[] = {
	{"format", 'f', CLI_STRING, offsetof(struct values, format), "FORMAT",
	 "json, or a Go template: '{{.Server.Version}}'", CLI_WORDS("json")},
	CLI_OPTIONS_END,
};

/* Docker's words for it, which are Go's. */
static const char *operating_system(void)
{
#ifdef __APPLE__
	return "darwin";
#else
	return "linux";
#endif
}

/* Docker's two sides, which here are one program. What it has not is empty: an API, a Go compiler. */
static json_t *describe(void)
{
	struct mvm_platform platform;
	struct utsname host;
	json_t *client, *server;

	uname(&host);
	mvm_platform_default(&platform);
	client = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "Version", MVM_VERSION, "Os",
			   operating_system(), "Arch", platform.architecture, "APIVersion", "", "ApiVersion", "",
			   "DefaultAPIVersion", "", "GitCommit", "", "GoVersion", "", "BuildTime", "");
	server = json_copy(client);
	json_object_set_new(client, "Context", json_string("default"));
	json_object_set_new(server, "KernelVersion", json_string(host.release));
	json_object_set_new(server, "MinAPIVersion", json_string(""));
	json_object_set_new(server, "Experimental", json_false());
	json_object_set_new(server, "Platform", json_pack("{s:s}", "Name", "mvm"));
	json_object_set_new(server, "Components",
			    json_pack("[{s:s, s:s, s:{}}]", "Name", "Engine", "Version", MVM_VERSION, "Details"));
	return json_pack("{s:o, s:o}", "Client", client, "Server", server);
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	static const char usual[] = "Client:\n"
				    " Version:    {{.Client.Version}}\n"
				    " OS/Arch:    {{.Client.Os}}/{{.Client.Arch}}\n"
				    " Context:    {{.Client.Context}}\n\n"
				    "Server: {{.Server.Platform.Name}}\n"
				    " Engine:\n"
				    "  Version:   {{.Server.Version}}\n"
				    "  OS/Arch:   {{.Server.Os}}/{{.Server.Arch}}";
	const struct values *values = given;
	json_t *both MVM_CLEAN_JSON = describe();
	bool plain = !values->format || !*values->format || !strcmp(values->format, "table");

	return cli_print_value(both, "version", plain ? usual : values->format, err);
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
