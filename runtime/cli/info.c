/*
 * `info`: what there is, in docker's words. There is no daemon that could be asked; what docker says of its own is said
 * of mvm and the host.
 */
#include "cli.h"

#include <stddef.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "runtime/base/arch.h"
#include "runtime/base/config.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/paths.h"
#include "runtime/base/text.h"

struct values {
	const char *format;
};

static const struct cli_option options[] = {
	{"format", 'f', CLI_STRING, offsetof(struct values, format), "FORMAT",
	 "json, or a Go template: '{{.ServerVersion}}'", CLI_WORDS("json")},
	CLI_OPTIONS_END,
};

static void count_containers(struct mvm_engine *engine, json_t *info, struct mvm_container **list, size_t count)
{
	size_t running = 0, paused = 0, all = count;

	/* Machines are not among them. */
	for (size_t i = 0; i < all; i++) {
		if (list[i]->config.login.user) {
			count--;
			continue;
		}
		running += list[i]->state.status == MVM_STATUS_RUNNING;
		paused += list[i]->state.status == MVM_STATUS_PAUSED;
	}
	json_object_set_new(info, "Containers", json_integer((json_int_t)count));
	json_object_set_new(info, "ContainersRunning", json_integer((json_int_t)running));
	json_object_set_new(info, "ContainersPaused", json_integer((json_int_t)paused));
	json_object_set_new(info, "ContainersStopped", json_integer((json_int_t)(count - running - paused)));
}

static int count_all(struct mvm_engine *engine, json_t *info, struct mvm_error **err)
{
	struct mvm_image_list images MVM_CLEAN_IMAGE_LIST = {0};
	struct mvm_container **list;
	struct mvm_store *store;
	size_t count;

	if (mvm_engine_store(engine, &store, err) < 0 || mvm_store_list(store, &images, err) < 0 ||
	    mvm_state_list(mvm_engine_state(engine), &list, &count, err) < 0)
		return -1;
	json_object_set_new(info, "Images", json_integer((json_int_t)images.count));
	count_containers(engine, info, list, count);
	mvm_container_list_free(list, count);
	return 0;
}

/* "Debian GNU/Linux 12 (bookworm)" where the system says so in os-release(5), else its plain name. The caller's. */
static char *system_name(const struct utsname *host)
{
	enum { LONGEST = 64 << 10 };
	static const char key[] = "PRETTY_NAME=";
	char *text MVM_CLEAN_FREE = NULL, *at;

	if (mvm_read_file("/etc/os-release", LONGEST, &text, NULL, NULL) < 0)
		return mvm_strdup(host->sysname);
	for (at = text; at && strncmp(at, key, strlen(key)) != 0;)
		at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL;
	if (!at)
		return mvm_strdup(host->sysname);
	at += strlen(key);
	at += strspn(at, "\"'");
	return mvm_strndup(at, strcspn(at, "\"'\n"));
}

static void describe_host(json_t *info)
{
	struct utsname host;
	char *name MVM_CLEAN_FREE = NULL;
	uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

	uname(&host);
	name = system_name(&host);
	json_object_set_new(info, "Name", mvm_json_message(host.nodename));
	json_object_set_new(info, "OperatingSystem", mvm_json_message(name));
	json_object_set_new(info, "KernelVersion", json_string(host.release));
	json_object_set_new(info, "Architecture", json_string(host.machine));
	json_object_set_new(info, "NCPU", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
	json_object_set_new(info, "MemTotal", json_integer((json_int_t)memory));
}

/* What docker's daemon would say of itself. */
static void describe_engine(json_t *info)
{
	static const char *const yes[] = {"MemoryLimit", "CpuCfsPeriod",   "CpuCfsQuota",	"CPUShares",
					  "PidsLimit",	 "IPv4Forwarding", "LiveRestoreEnabled"};
	static const char *const no[] = {"SwapLimit", "CPUSet", "OomKillDisable", "Debug", "ExperimentalBuild"};
	static const char *const texts[][2] = {
		{"ServerVersion", MVM_VERSION},
		{"Driver", "ext4"},
		{"LoggingDriver", "json-file"},
		{"CgroupDriver", "cgroupfs"},
		{"CgroupVersion", "2"},
		{"OSType", "linux"},
		{"DefaultRuntime", "mvm"},
		{"InitBinary", "mvm-agent"},
		{"Isolation", ""},
		{"ID", ""},
		{"IndexServerAddress", "https://index.docker.io/v1/"},
	};

	for (size_t i = 0; i < MVM_COUNT(yes); i++)
		json_object_set_new(info, yes[i], json_true());
	for (size_t i = 0; i < MVM_COUNT(no); i++)
		json_object_set_new(info, no[i], json_false());
	for (size_t i = 0; i < MVM_COUNT(texts); i++)
		json_object_set_new(info, texts[i][0], json_string(texts[i][1]));
	json_object_set_new(info, "DriverStatus", json_array());
	json_object_set_new(info, "Labels", json_array());
	json_object_set_new(info, "Warnings", json_array());
	json_object_set_new(info, "Runtimes", json_pack("{s:{}}", "mvm"));
	json_object_set_new(info, "SecurityOptions", json_pack("[s, s]", "name=rootless", "name=cgroupns"));
	json_object_set_new(info, "Swarm", json_pack("{s:s}", "LocalNodeState", "inactive"));
	json_object_set_new(info, "Plugins",
			    json_pack("{s:[], s:[], s:[], s:[s, s, s]}", "Volume", "Network", "Authorization", "Log",
				      "json-file", "local", "none"));
	json_object_set_new(info, "ClientInfo",
			    json_pack("{s:s, s:s, s:b, s:[]}", "Version", MVM_VERSION, "Context", "default", "Debug", 0,
				      "Plugins"));
}

static const char *variable(const char *name, const char *other)
{
	const char *value = getenv(name);

	value = value ? value : getenv(other);
	return value ? value : "";
}

static int describe_registries(struct mvm_engine *engine, json_t *info, struct mvm_error **err)
{
	const json_t *registries;
	json_t *mirrors;

	if (mvm_config_section(mvm_engine_config(engine), "registries", &registries, err) < 0)
		return -1;
	mirrors = json_object_get(json_object_get(registries, "docker.io"), "mirrors");
	json_object_set_new(info, "RegistryConfig",
			    json_pack("{s:o, s:{}}", "Mirrors",
				      json_is_array(mirrors) ? json_deep_copy(mirrors) : json_array(), "IndexConfigs"));
	json_object_set_new(info, "HttpProxy", mvm_json_message(variable("http_proxy", "HTTP_PROXY")));
	json_object_set_new(info, "HttpsProxy", mvm_json_message(variable("https_proxy", "HTTPS_PROXY")));
	json_object_set_new(info, "NoProxy", mvm_json_message(variable("no_proxy", "NO_PROXY")));
	return 0;
}

static json_t *translators_json(const struct mvm_config *config)
{
	struct mvm_strv names MVM_CLEAN_STRV = {0};
	json_t *list = json_array();

	mvm_engine_translators(config, &names);
	for (size_t i = 0; i < names.count; i++)
		json_array_append_new(list, json_string(names.items[i]));
	return list;
}

static void describe_guest(json_t *info, const char *home)
{
	char *kernel MVM_CLEAN_FREE = NULL;
	const char *given = getenv("MVM_KERNEL"), *accel = getenv("MVM_ACCEL");

	if (!given && mvm_engine_boot_file(home, MVM_ARCH_OWN, MVM_BOOT_KERNEL, &kernel, NULL) == 0)
		given = kernel;
	json_object_set_new(info, "Kernel", mvm_json_message(given ? given : ""));
	json_object_set_new(info, "Accelerator", mvm_json_message(accel && *accel ? accel : "auto"));
	json_object_set_new(info, "DockerRootDir", mvm_json_message(home));
	json_object_set_new(info, "Home", mvm_json_message(home));
}

static int describe(json_t *info, struct mvm_error **err)
{
	struct mvm_engine *engine;
	int result;

	if (mvm_engine_open(&engine, err) < 0)
		return -1;
	result = count_all(engine, info, err);
	if (result == 0)
		result = describe_registries(engine, info, err);
	describe_host(info);
	describe_engine(info);
	describe_guest(info, mvm_state_home(mvm_engine_state(engine)));
	json_object_set_new(info, "Translators", translators_json(mvm_engine_config(engine)));
	mvm_engine_close(engine);
	return result;
}

/* Docker's lines. */
static int print_plain(const json_t *info, struct mvm_error **err)
{
	double memory = (double)json_integer_value(json_object_get(info, "MemTotal"));
	char *text MVM_CLEAN_FREE = mvm_format(
		"Client:\n Version:    {{.ClientInfo.Version}}\n Context:    {{.ClientInfo.Context}}\n"
		" Debug Mode: {{.ClientInfo.Debug}}\n\n"
		"Server:\n Containers: {{.Containers}}\n  Running: {{.ContainersRunning}}\n"
		"  Paused: {{.ContainersPaused}}\n  Stopped: {{.ContainersStopped}}\n Images: {{.Images}}\n"
		" Server Version: {{.ServerVersion}}\n Storage Driver: {{.Driver}}\n"
		" Logging Driver: {{.LoggingDriver}}\n Cgroup Driver: {{.CgroupDriver}}\n"
		" Cgroup Version: {{.CgroupVersion}}\n Swarm: {{.Swarm.LocalNodeState}}\n Runtimes: "
		"{{.DefaultRuntime}}\n"
		" Default Runtime: {{.DefaultRuntime}}\n Init Binary: {{.InitBinary}}\n"
		" Security Options:\n  rootless\n  cgroupns\n"
		" Kernel Version: {{.KernelVersion}}\n Operating System: {{.OperatingSystem}}\n OSType: {{.OSType}}\n"
		" Architecture: {{.Architecture}}\n CPUs: {{.NCPU}}\n Total Memory: %.4gGiB\n Name: {{.Name}}\n"
		" Docker Root Dir: {{.DockerRootDir}}\n Debug Mode: {{.Debug}}\n"
		"{{with .HttpProxy}} HTTP Proxy: {{.}}\n{{end}}{{with .HttpsProxy}} HTTPS Proxy: {{.}}\n{{end}}"
		"{{with .NoProxy}} No Proxy: {{.}}\n{{end}}"
		"{{with .RegistryConfig.Mirrors}} Registry Mirrors:\n{{range .}}  {{.}}\n{{end}}{{end}}"
		" Guest Kernel: {{.Kernel}}\n Accelerator: {{.Accelerator}}\n Translators:{{range .Translators}} "
		"{{.}}{{end}}",
		memory / (1 << 30));

	return cli_print_value(info, "info", text, err);
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	json_t *info MVM_CLEAN_JSON = json_object();

	if (cli_check_format(values->format, err) < 0 || describe(info, err) < 0)
		return -1;
	if (!values->format || !*values->format || !strcmp(values->format, "table"))
		return print_plain(info, err);
	return cli_print_value(info, "info", values->format, err);
}

const struct cli_command cli_info = {
	.name = "info",
	.names = {"system info", "info"},
	.common = true,
	.usage = "[OPTIONS]",
	.summary = "Show the state of mvm and of this machine",
	.options = options,
	.max_args = 0,
	.values_size = sizeof(struct values),
	.run = run,
};
