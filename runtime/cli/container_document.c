/*
 * Docker's document of a container, as far as mvm has what it speaks of. What there is no such thing as in a VM of its
 * own is left out, but for what programs are known to look at: that has docker's values for "nothing".
 */
#include "inspect.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/text.h"
#include "runtime/state/confinement.h"
#include "runtime/state/host_socket.h"
#include "runtime/state/net_endpoint.h"

static json_t *time_json(const struct timespec *time)
{
	char text[MVM_TIME_LENGTH + 1];

	if (!time->tv_sec && !time->tv_nsec)
		return json_string("0001-01-01T00:00:00Z");
	mvm_format_time(time, text);
	return json_string(text);
}

static json_t *text_json(const char *text)
{
	return mvm_json_message(text ? text : "");
}

static json_t *words_json(const struct mvm_strv *strings, size_t first, size_t end)
{
	json_t *list = json_array();

	for (size_t i = first; i < end; i++)
		json_array_append_new(list, mvm_json_message(strings->items[i]));
	return list;
}

static json_t *strings_json(const struct mvm_strv *strings, size_t first)
{
	return words_json(strings, first, strings->count);
}

/* "key=value", or another sign between them. */
static json_t *pairs_json(const struct mvm_strv *pairs, const char *sign)
{
	json_t *object = json_object();

	for (size_t i = 0; i < pairs->count; i++) {
		const char *pair = pairs->items[i];
		size_t length = strcspn(pair, sign);
		char *name MVM_CLEAN_FREE = mvm_strndup(pair, length);

		json_object_set_new(object, name, text_json(pair[length] ? pair + length + 1 : ""));
	}
	return object;
}

static json_t *ulimits_json(const struct mvm_strv *ulimits)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ulimits->count; i++) {
		const char *text = ulimits->items[i];
		struct mvm_ulimit limit;

		if (mvm_ulimit_parse(text, &limit, NULL) == 0)
			json_array_append_new(list,
					      json_pack("{s:s%, s:I, s:I}", "Name", text, strcspn(text, "="), "Hard",
							(json_int_t)limit.hard, "Soft", (json_int_t)limit.soft));
	}
	return list;
}

static json_t *state_json(const struct mvm_container *container)
{
	const struct mvm_container_state *state = &container->state;
	bool paused = state->status == MVM_STATUS_PAUSED, restarting = state->status == MVM_STATUS_RESTARTING;
	bool running = paused || restarting || state->status == MVM_STATUS_RUNNING;
	enum mvm_status shown = state->status == MVM_STATUS_STARTING ? MVM_STATUS_CREATED : state->status;

	return json_pack("{s:s, s:b, s:b, s:b, s:b, s:b, s:I, s:I, s:o, s:o, s:o, s:o*}", "Status",
			 mvm_status_name(shown), "Running", (int)running, "Paused", (int)paused, "Restarting",
			 (int)restarting, "OOMKilled", (int)state->oom_killed, "Dead", 0, "Pid",
			 (json_int_t)(running && !restarting ? state->pid : 0), "ExitCode",
			 (json_int_t)state->exit_code, "Error", text_json(state->error), "StartedAt",
			 time_json(&state->started), "FinishedAt", time_json(&state->finished), "Health",
			 container->health.status ? mvm_health_to_json(&container->health) : NULL);
}

static json_t *list_or_null(const struct mvm_strv *strings)
{
	return strings->count ? strings_json(strings, 0) : json_null();
}

static json_t *set_or_null(const struct mvm_strv *strings)
{
	json_t *set = strings->count ? json_object() : json_null();

	for (size_t i = 0; i < strings->count; i++)
		json_object_set_new(set, strings->items[i], json_object());
	return set;
}

static void add_rights_and_limits(json_t *host, const struct mvm_container_config *config)
{
	int64_t shm = config->shm_size ? config->shm_size : 64 << 20;

	json_object_set_new(host, "Privileged", json_boolean(config->privileged));
	json_object_set_new(host, "CapAdd", list_or_null(&config->cap_add));
	json_object_set_new(host, "CapDrop", list_or_null(&config->cap_drop));
	json_object_set_new(host, "SecurityOpt", list_or_null(&config->security_opt));
	json_object_set_new(host, "GroupAdd", list_or_null(&config->group_add));
	json_object_set_new(host, "Ulimits", ulimits_json(&config->ulimits));
	json_object_set_new(host, "Sysctls", pairs_json(&config->sysctls, "="));
	json_object_set_new(host, "Tmpfs", pairs_json(&config->tmpfs, ":"));
	json_object_set_new(host, "Annotations", pairs_json(&config->annotations, "="));
	json_object_set_new(host, "PidsLimit", config->pids_limit ? json_integer(config->pids_limit) : json_null());
	json_object_set_new(host, "OomScoreAdj", json_integer(config->oom_score_adj));
	json_object_set_new(host, "CpuShares", json_integer(config->cpu_shares));
	json_object_set_new(host, "ShmSize", json_integer(shm));
}

/* docker's word for the first. */
static json_t *network_mode(const struct mvm_container_config *config)
{
	struct mvm_net_endpoint place MVM_CLEAN_NET_ENDPOINT = {0};

	if (!config->networks.count || mvm_net_endpoint_parse(config->networks.items[0], &place, NULL) < 0)
		return json_string("none");
	return json_string(place.network);
}

static json_t *host_config_json(const struct mvm_container_config *config)
{
	json_t *host = json_pack("{s:s, s:{s:s*, s:o}, s:o, s:{s:s, s:I}, s:b}", "ContainerIDFile", "", "LogConfig",
				 "Type", config->log_driver, "Config", pairs_json(&config->log_options, "="),
				 "NetworkMode", network_mode(config), "RestartPolicy", "Name",
				 config->restart_policy ? config->restart_policy : "no", "MaximumRetryCount",
				 (json_int_t)config->restart_max, "AutoRemove", (int)config->auto_remove);

	add_rights_and_limits(host, config);
	json_object_set_new(host, "Dns", strings_json(&config->dns, 0));
	json_object_set_new(host, "DnsSearch", strings_json(&config->dns_search, 0));
	json_object_set_new(host, "DnsOptions", strings_json(&config->dns_options, 0));
	json_object_set_new(host, "ExtraHosts", list_or_null(&config->extra_hosts));
	json_object_set_new(host, "ReadonlyRootfs", json_boolean(config->read_only));
	json_object_set_new(host, "Runtime", json_string("mvm"));
	json_object_set_new(host, "Memory", json_integer((json_int_t)config->memory));
	json_object_set_new(host, "MemoryReservation", json_integer(config->memory_reservation));
	json_object_set_new(host, "NanoCpus", json_integer(config->nano_cpus));
	json_object_set_new(host, "Init", json_boolean(config->init));
	return host;
}

static json_t *config_json(const struct mvm_container_config *config)
{
	size_t length = (size_t)config->entrypoint;
	json_t *check MVM_CLEAN_JSON = NULL;
	json_t *json =
		json_pack("{s:o, s:s, s:o, s:b, s:b, s:b}", "Hostname", text_json(config->hostname), "Domainname",
			  config->domainname ? config->domainname : "", "User", text_json(config->user), "Tty",
			  (int)config->tty, "OpenStdin", (int)config->open_stdin, "StdinOnce", (int)config->stdin_once);

	json_object_set_new(json, "Env", strings_json(&config->env, 0));
	json_object_set_new(json, "Cmd", strings_json(&config->args, length));
	json_object_set_new(json, "Image", text_json(config->image));
	json_object_set_new(json, "Volumes", set_or_null(&config->declared_volumes));
	json_object_set_new(json, "WorkingDir", text_json(config->working_dir));
	json_object_set_new(json, "Entrypoint", length ? words_json(&config->args, 0, length) : json_null());
	json_object_set_new(json, "Labels", pairs_json(&config->labels, "="));
	json_object_set_new(json, "StopSignal", text_json(config->stop_signal));
	json_object_set_new(json, "StopTimeout", json_integer(config->stop_timeout));
	if (config->shell.count)
		json_object_set_new(json, "Shell", strings_json(&config->shell, 0));
	check = mvm_health_check_to_json(&config->health_check);
	if (json_object_size(check))
		json_object_set(json, "Healthcheck", check);
	return json;
}

/* "192.168.127.2/24" in its two parts. */
static void set_address(json_t *json, const char *address, const char *key, const char *prefix_key)
{
	size_t length = address ? strcspn(address, "/") : 0;

	json_object_set_new(json, key, json_stringn(address ? address : "", length));
	json_object_set_new(json, prefix_key,
			    json_integer(address && address[length] ? atoi(address + length + 1) : 0));
}

static json_t *place_json(const struct mvm_net_endpoint *place, const struct mvm_container_config *config)
{
	json_t *json = json_pack(
		"{s:n, s:n, s:o, s:s, s:s, s:s, s:s}", "IPAMConfig", "Links", "Aliases", list_or_null(&place->aliases),
		"MacAddress", place->mac ? place->mac : "", "EndpointID", place->ip ? config->id : "", "Gateway",
		place->gateway ? place->gateway : "", "IPv6Gateway", place->gateway6 ? place->gateway6 : "");

	json_object_set_new(json, "GwPriority",
			    json_integer(place->gw_priority ? strtol(place->gw_priority, NULL, 10) : 0));

	set_address(json, place->ip, "IPAddress", "IPPrefixLen");
	set_address(json, place->ip6, "GlobalIPv6Address", "GlobalIPv6PrefixLen");
	return json;
}

/* What it has while it runs; else what it is to have. */
static json_t *network_json(const struct mvm_container *container)
{
	const struct mvm_strv *live = &container->state.endpoints;
	const struct mvm_strv *places = live->count ? live : &container->config.networks;
	json_t *json = json_pack("{s:s, s:s, s:s}", "Gateway", "", "IPAddress", "", "MacAddress", "");
	json_t *networks = json_object();

	for (size_t i = 0; i < places->count; i++) {
		struct mvm_net_endpoint place MVM_CLEAN_NET_ENDPOINT = {0};

		if (mvm_net_endpoint_parse(places->items[i], &place, NULL) < 0)
			continue;
		json_object_set_new(networks, place.network, place_json(&place, &container->config));
		/* Docker's, of its default network, and what many scripts read. */
		if (i == 0 && live->count)
			json_object_update(json, json_object_get(networks, place.network));
	}
	json_object_set_new(json, "Networks", networks);
	return json;
}

static void set_sizes(json_t *document, struct mvm_engine *engine, const struct mvm_container *container,
		      const struct mvm_image *image)
{
	uint64_t own = mvm_engine_container_size(container), root = image ? mvm_engine_image_size(engine, image) : 0;

	json_object_set_new(document, "SizeRw", json_integer((json_int_t)own));
	json_object_set_new(document, "SizeRootFs", json_integer((json_int_t)own + (json_int_t)root));
}

static json_t *sockets_json(const struct mvm_container_config *config)
{
	json_t *list = json_array();

	for (size_t i = 0; i < config->published_sockets.count; i++) {
		size_t length;
		const char *text = config->published_sockets.items[i], *guest = mvm_host_socket_split(text, &length);
		char *host MVM_CLEAN_FREE = mvm_strndup(text, length);

		json_array_append_new(list,
				      json_pack("{s:o, s:o}", "HostPath", text_json(host), "Path", text_json(guest)));
	}
	return list;
}

/* What is mvm's own: the machine. */
static json_t *machine_json(const struct mvm_container *container)
{
	const struct mvm_container_config *config = &container->config;
	char *disk MVM_CLEAN_FREE = mvm_format("%s/%s", container->folder, config->disk_file);

	return json_pack("{s:I, s:o, s:o, s:s, s:o, s:b, s:o}", "Cpus", (json_int_t)config->cpus, "Kernel",
			 config->kernel ? text_json(config->kernel) : json_null(), "Disk", text_json(disk),
			 "DiskFormat", config->disk_format, "PublishedSockets", sockets_json(config), "Ssh",
			 config->ssh_agent != NULL, "Translators", strings_json(&config->translators, 0));
}

json_t *cli_describe_container(struct mvm_engine *engine, const struct mvm_container *container, bool size)
{
	const struct mvm_container_config *config = &container->config;
	const char *platform = config->platform ? config->platform : "linux";
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;
	char *log MVM_CLEAN_FREE = mvm_format("%s/container.log", container->folder);
	struct mvm_store *store;
	json_t *document = json_object();

	/* Without its image, which may be gone, only sizes are less. */
	if (size && mvm_engine_store(engine, &store, NULL) == 0)
		mvm_store_find(store, config->image_id, &image, NULL);
	json_object_set_new(document, "Id", json_string(config->id));
	json_object_set_new(document, "Created", time_json(&config->created));
	json_object_set_new(document, "Path", text_json(config->args.count ? config->args.items[0] : ""));
	json_object_set_new(document, "Args", strings_json(&config->args, 1));
	json_object_set_new(document, "State", state_json(container));
	json_object_set_new(document, "Image", json_string(config->image_id));
	json_object_set_new(document, "LogPath", text_json(log));
	json_object_set_new(document, "Name", json_sprintf("/%s", config->name));
	json_object_set_new(document, "RestartCount", json_integer(container->state.restart_count));
	json_object_set_new(document, "Driver", json_string(config->disk_format));
	json_object_set_new(document, "Platform", json_stringn(platform, strcspn(platform, "/")));
	json_object_set_new(document, "MountLabel", json_string(""));
	json_object_set_new(document, "ProcessLabel", json_string(""));
	json_object_set_new(document, "AppArmorProfile", json_string(""));
	json_object_set_new(document, "ExecIDs", json_null());
	json_object_set_new(document, "HostConfig", host_config_json(config));
	if (size)
		set_sizes(document, engine, container, image);
	cli_describe_mounts(engine, config, document);
	json_object_set_new(document, "Config", config_json(config));
	json_object_set_new(document, "NetworkSettings", network_json(container));
	cli_describe_ports(container, document);
	json_object_set_new(document, "Machine", machine_json(container));
	return document;
}
