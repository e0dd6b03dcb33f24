#include "cli.h"

#include <stddef.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "runtime/base/json.h"
#include "runtime/base/paths.h"
#include "runtime/base/text.h"

struct values {
	const char *format;
};

static const struct cli_option options[] = {
	{"format", 0, CLI_STRING, offsetof(struct values, format), "FORMAT",
	 "json, or a Go template: '{{.ServerVersion}}'"},
	CLI_OPTIONS_END,
};

static int count_containers(struct mvm_engine *engine, json_t *info, struct mvm_error **err)
{
	struct mvm_container **list;
	size_t count, running = 0, paused = 0;

	if (mvm_state_list(mvm_engine_state(engine), &list, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		running +=
			list[i]->state.status == MVM_STATUS_RUNNING || list[i]->state.status == MVM_STATUS_RESTARTING;
		paused += list[i]->state.status == MVM_STATUS_PAUSED;
	}
	mvm_container_list_free(list, count);
	json_object_set_new(info, "Containers", json_integer((json_int_t)count));
	json_object_set_new(info, "ContainersRunning", json_integer((json_int_t)running));
	json_object_set_new(info, "ContainersPaused", json_integer((json_int_t)paused));
	json_object_set_new(info, "ContainersStopped", json_integer((json_int_t)(count - running - paused)));
	return 0;
}

static int count_images(struct mvm_engine *engine, json_t *info, struct mvm_error **err)
{
	struct mvm_image_list list MVM_CLEAN_IMAGE_LIST = {0};
	struct mvm_store *store;

	if (mvm_engine_store(engine, &store, err) < 0 || mvm_store_list(store, &list, err) < 0)
		return -1;
	json_object_set_new(info, "Images", json_integer((json_int_t)list.count));
	return 0;
}

static void describe_host(json_t *info)
{
	struct utsname host;
	uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

	uname(&host);
	json_object_set_new(info, "ServerVersion", json_string(MVM_VERSION));
	json_object_set_new(info, "OperatingSystem", json_string(host.sysname));
	json_object_set_new(info, "KernelVersion", json_string(host.release));
	json_object_set_new(info, "Architecture", json_string(host.machine));
	json_object_set_new(info, "NCPU", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
	json_object_set_new(info, "MemTotal", json_integer((json_int_t)memory));
}

static void describe_guest(json_t *info)
{
	char *kernel MVM_CLEAN_FREE = NULL;
	const char *given = getenv("MVM_KERNEL"), *accel = getenv("MVM_ACCEL");

	if (!given && mvm_own_file("initfs/vmlinux", &kernel, NULL) == 0)
		given = kernel;
	json_object_set_new(info, "Kernel", given ? json_string(given) : json_null());
	json_object_set_new(info, "Accelerator", json_string(accel && *accel ? accel : "auto"));
}

static void print_plain(const json_t *info)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)info, key, value)
	{
		if (json_is_integer(value))
			printf("%s: %lld\n", key, (long long)json_integer_value(value));
		else
			printf("%s: %s\n", key, json_is_string(value) ? json_string_value(value) : "none");
	}
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	json_t *info MVM_CLEAN_JSON = json_object();
	struct mvm_engine *engine;
	int result;

	if (cli_check_format(values->format, err) < 0 || mvm_engine_open(&engine, err) < 0)
		return -1;
	result = count_containers(engine, info, err);
	if (result == 0)
		result = count_images(engine, info, err);
	describe_host(info);
	describe_guest(info);
	json_object_set_new(info, "Home", json_string(mvm_state_home(mvm_engine_state(engine))));
	mvm_engine_close(engine);
	if (result < 0)
		return -1;
	if (values->format && strcmp(values->format, "table") != 0)
		return cli_print_value(info, "info", values->format, err);
	print_plain(info);
	return 0;
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
