#include "cli.h"

#include <stddef.h>
#include <unistd.h>

#include "prompt.h"

struct values {
	bool quiet, choose;
	const char *name, *cpus, *memory, *disk_size, *platform, *pull;
	struct cli_network_flags network;
	struct mvm_strv env, volumes, mounts;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"cpus", 0, CLI_STRING, AT(cpus), "N", "Processors (default all of the host's)"},
	{"default", 0, CLI_FLAG, AT(choose), NULL, "Make it the default machine"},
	{"disk-size", 0, CLI_STRING, AT(disk_size), "SIZE", "Size of the disk (default 64g, sparse)"},
	{"env", 'e', CLI_LIST, AT(env), "NAME[=VALUE]", "Set a variable, or pass one of yours on",
	 .complete = cli_complete_env},
	{"memory", 'm', CLI_STRING, AT(memory), "SIZE",
	 "Memory it can use (default half of the host's, 8g at most); what it does not use is the host's"},
	{"mount", 0, CLI_LIST, AT(mounts), "TYPE=VALUE,...", "Mount a volume, a folder or file of the host, or a tmpfs",
	 CLI_WORDS("type=bind,source=", "type=tmpfs,target=", "type=volume,source=")},
	{"name", 0, CLI_STRING, AT(name), "NAME", "Name the machine (default \"default\")"},
	{"network", 0, CLI_LIST, AT(network.networks), "NETWORK", "Be on this network, or none",
	 .complete = cli_complete_networks},
	{"platform", 0, CLI_STRING, AT(platform), "OS/ARCH", "Take the image for this platform", CLI_PLATFORMS},
	{"publish", 'p', CLI_LIST, AT(network.publish), "[IP:][PORT:]PORT[/PROTO]",
	 "Make a port reachable at one of the host"},
	{"pull", 0, CLI_STRING, AT(pull), "WHEN", "always, missing (the default) or never",
	 CLI_WORDS("always", "missing", "never")},
	{"quiet", 'q', CLI_FLAG, AT(quiet), NULL, "Pull without a word"},
	{"volume", 'v', CLI_LIST, AT(volumes), "[SOURCE:]TARGET[:OPTIONS]",
	 "Mount a volume, or a folder or file of the host", .complete = cli_complete_mount},
	CLI_OPTIONS_END,
};

static uint64_t default_memory(void)
{
	const uint64_t most = 8ull << 30, mib = 1 << 20;
	uint64_t half = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 2 / mib * mib;

	return half < most ? half : most;
}

static int create(struct mvm_engine *engine, const struct values *values, struct mvm_create_request *request,
		  struct mvm_error **err)
{
	struct mvm_container *machine MVM_CLEAN_CONTAINER = NULL;
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;

	if (cli_get_image(engine, &request->image, values->quiet, &image, err) < 0)
		return -1;
	/* It is here now. */
	if (request->image.pull == MVM_PULL_ALWAYS)
		request->image.pull = MVM_PULL_MISSING;
	if (mvm_engine_create_machine(engine, request, &machine, err) < 0)
		return -1;
	puts(machine->config.name);
	return values->choose ? mvm_engine_set_default_machine(engine, machine->config.name, err) : 0;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_strv networks MVM_CLEAN_STRV = {0}, env MVM_CLEAN_STRV = {0}, no_files = {0};
	struct mvm_create_request request = {
		.image = {.reference = args[0], .platform = values->platform},
		.name = values->name,
		.install_rosetta = cli_install_rosetta,
		.kernel = cli_default_kernel(),
		.env = &env,
		.volumes = &values->volumes,
		.mounts = &values->mounts,
		.memory = default_memory(),
		.nano_cpus = sysconf(_SC_NPROCESSORS_ONLN) * 1000000000ll,
	};
	struct mvm_engine *engine;
	int result;

	if (cli_parse_pull_policy(values->pull, &request.image.pull, err) < 0 ||
	    cli_parse_cpus(values->cpus, &request.nano_cpus, err) < 0 ||
	    cli_parse_bytes("memory", values->memory, &request.memory, err) < 0 ||
	    cli_parse_bytes("disk-size", values->disk_size, &request.disk_size, err) < 0 ||
	    cli_parse_networks(&values->network, &networks, &request, err) < 0 ||
	    cli_read_env(&no_files, &values->env, &env, err) < 0 || mvm_engine_check(&request, err) < 0 ||
	    mvm_engine_open(&engine, err) < 0)
		return -1;
	result = create(engine, values, &request, err);
	mvm_engine_close(engine);
	return result;
}

const struct cli_command cli_machine_create = {
	.name = "machine create",
	.names = {"machine create"},
	.usage = "[OPTIONS] IMAGE",
	.summary = "Make a machine to live in: your user, your home folder, the image's init",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.complete = cli_complete_image,
	.values_size = sizeof(struct values),
	.run = run,
};
