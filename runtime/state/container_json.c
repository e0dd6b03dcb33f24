/*
 * config.json and state.json. The keys are those of docker's inspect where docker has
 * the thing, so that the files read as people expect.
 *
 * One table names every field of the configuration; reading, writing and freeing walk it.
 */
#include "internal.h"

#include <stddef.h>
#include <string.h>

#include "runtime/base/error.h"
#include "runtime/base/json.h"
#include "runtime/base/text.h"

#define FORMAT_VERSION 1

enum kind { STRING, STRINGS, BOOLEAN, INTEGER, TIME };

struct field {
	const char *section; /* NULL: the top */
	const char *key;
	enum kind kind;
	size_t offset;
};

#define FIELD(section, key, kind, member)                                                                              \
	{                                                                                                              \
		section, key, kind, offsetof(struct mvm_container_config, member)                                      \
	}

static const struct field config_fields[] = {
	FIELD(NULL, "Id", STRING, id),
	FIELD(NULL, "Name", STRING, name),
	FIELD(NULL, "Created", TIME, created),
	FIELD(NULL, "Image", STRING, image_id),
	FIELD(NULL, "Platform", STRING, platform),
	FIELD("Config", "Image", STRING, image),
	FIELD("Config", "Args", STRINGS, args),
	FIELD("Config", "EntrypointWords", INTEGER, entrypoint),
	FIELD("Config", "Env", STRINGS, env),
	FIELD("Config", "WorkingDir", STRING, working_dir),
	FIELD("Config", "User", STRING, user),
	FIELD("Config", "Tty", BOOLEAN, tty),
	FIELD("Config", "OpenStdin", BOOLEAN, open_stdin),
	FIELD("Config", "StdinOnce", BOOLEAN, stdin_once),
	FIELD("Config", "Labels", STRINGS, labels),
	FIELD("Config", "StopSignal", STRING, stop_signal),
	FIELD("Config", "StopTimeout", INTEGER, stop_timeout),
	FIELD("Config", "Hostname", STRING, hostname),
	FIELD("Config", "Domainname", STRING, domainname),
	FIELD("Config", "Shell", STRINGS, shell),
	FIELD("Login", "User", STRING, login.user),
	FIELD("Login", "Uid", INTEGER, login.uid),
	FIELD("Login", "Gid", INTEGER, login.gid),
	FIELD("Login", "Home", STRING, login.home),
	FIELD("Healthcheck", "Test", STRINGS, health_check.test),
	FIELD("Healthcheck", "Interval", INTEGER, health_check.interval),
	FIELD("Healthcheck", "Timeout", INTEGER, health_check.timeout),
	FIELD("Healthcheck", "StartPeriod", INTEGER, health_check.start_period),
	FIELD("Healthcheck", "StartInterval", INTEGER, health_check.start_interval),
	FIELD("Healthcheck", "Retries", INTEGER, health_check.retries),
	FIELD("HostConfig", "Init", BOOLEAN, init),
	FIELD("HostConfig", "NanoCpus", INTEGER, nano_cpus),
	FIELD("HostConfig", "Memory", INTEGER, memory),
	FIELD("HostConfig", "MemoryReservation", INTEGER, memory_reservation),
	FIELD("HostConfig", "ReadonlyRootfs", BOOLEAN, read_only),
	FIELD("HostConfig", "AutoRemove", BOOLEAN, auto_remove),
	FIELD("HostConfig", "RestartPolicy", STRING, restart_policy),
	FIELD("HostConfig", "MaximumRetryCount", INTEGER, restart_max),
	FIELD("HostConfig", "CpuShares", INTEGER, cpu_shares),
	FIELD("HostConfig", "PidsLimit", INTEGER, pids_limit),
	FIELD("HostConfig", "ShmSize", INTEGER, shm_size),
	FIELD("HostConfig", "OomScoreAdj", INTEGER, oom_score_adj),
	FIELD("HostConfig", "Privileged", BOOLEAN, privileged),
	FIELD("HostConfig", "CapAdd", STRINGS, cap_add),
	FIELD("HostConfig", "CapDrop", STRINGS, cap_drop),
	FIELD("HostConfig", "SecurityOpt", STRINGS, security_opt),
	FIELD("HostConfig", "Ulimits", STRINGS, ulimits),
	FIELD("HostConfig", "Sysctls", STRINGS, sysctls),
	FIELD("HostConfig", "GroupAdd", STRINGS, group_add),
	FIELD("HostConfig", "Tmpfs", STRINGS, tmpfs),
	FIELD("HostConfig", "Binds", STRINGS, binds),
	FIELD("HostConfig", "Mounts", STRINGS, mounts),
	FIELD("Volumes", "Mounts", STRINGS, volumes),
	FIELD("Volumes", "Names", STRINGS, volume_names),
	FIELD("Volumes", "Anonymous", STRINGS, anonymous_volumes),
	FIELD("Config", "Volumes", STRINGS, declared_volumes),
	FIELD("Config", "Files", STRINGS, files),
	FIELD("HostConfig", "Annotations", STRINGS, annotations),
	FIELD("HostConfig", "Networks", STRINGS, networks),
	FIELD("HostConfig", "Dns", STRINGS, dns),
	FIELD("HostConfig", "DnsSearch", STRINGS, dns_search),
	FIELD("HostConfig", "DnsOptions", STRINGS, dns_options),
	FIELD("HostConfig", "ExtraHosts", STRINGS, extra_hosts),
	FIELD("HostConfig", "PortBindings", STRINGS, port_bindings),
	FIELD("HostConfig", "PublishAllPorts", BOOLEAN, publish_all),
	FIELD("HostConfig", "PublishedSockets", STRINGS, published_sockets),
	FIELD("HostConfig", "HostSockets", STRINGS, host_sockets),
	FIELD("HostConfig", "SshAgent", STRING, ssh_agent),
	FIELD("Config", "ExposedPorts", STRINGS, exposed_ports),
	FIELD("LogConfig", "Type", STRING, log_driver),
	FIELD("LogConfig", "Options", STRINGS, log_options),
	FIELD("Machine", "Cpus", INTEGER, cpus),
	FIELD("Machine", "Kernel", STRING, kernel),
	FIELD("Machine", "Initramfs", STRING, initramfs),
	FIELD("Machine", "Translators", STRINGS, translators),
	FIELD("Machine", "ImageDisk", STRING, disk_key),
	FIELD("Machine", "Disk", STRING, disk_file),
	FIELD("Machine", "DiskFormat", STRING, disk_format),
};

static json_t *time_to_json(const struct timespec *time)
{
	char text[MVM_TIME_LENGTH + 1];

	if (!time->tv_sec && !time->tv_nsec)
		return json_null();
	mvm_format_time(time, text);
	return json_string(text);
}

static int time_from_json(const json_t *object, const char *key, struct timespec *time, struct mvm_error **err)
{
	const char *text;

	if (mvm_json_get_string(object, key, NULL, &text, err) < 0)
		return -1;
	if (text && !mvm_parse_time(text, time))
		return mvm_fail(err, MVM_ERR_INVALID, "\"%s\" is not a time", key);
	return 0;
}

static json_t *field_to_json(const struct field *field, const char *base)
{
	const void *member = base + field->offset;
	const char *text;

	switch (field->kind) {
	case STRING:
		text = *(char *const *)member;
		return text ? json_string(text) : json_null();
	case STRINGS:
		return mvm_json_from_strings(member);
	case BOOLEAN:
		return json_boolean(*(const bool *)member);
	case INTEGER:
		return json_integer(*(const int64_t *)member);
	case TIME:
		break;
	}
	return time_to_json(member);
}

static int field_from_json(const struct field *field, const json_t *object, char *base, struct mvm_error **err)
{
	void *member = base + field->offset;
	const char *text;

	switch (field->kind) {
	case STRING:
		if (mvm_json_get_string(object, field->key, NULL, &text, err) < 0)
			return -1;
		*(char **)member = mvm_strdup(text);
		return 0;
	case STRINGS:
		return mvm_json_get_strings(object, field->key, member, err);
	case BOOLEAN:
		return mvm_json_get_bool(object, field->key, false, member, err);
	case INTEGER:
		return mvm_json_get_int(object, field->key, 0, member, err);
	case TIME:
		break;
	}
	return time_from_json(object, field->key, member, err);
}

int mvm_container_config_to_json(const struct mvm_container_config *config, json_t **json, struct mvm_error **err)
{
	json_t *root MVM_CLEAN_JSON = json_pack("{si}", "FormatVersion", FORMAT_VERSION);

	for (size_t i = 0; i < MVM_COUNT(config_fields); i++) {
		const struct field *field = &config_fields[i];
		json_t *object = root;

		if (field->section) {
			if (!json_object_get(root, field->section))
				json_object_set_new(root, field->section, json_object());
			object = json_object_get(root, field->section);
		}
		if (json_object_set_new(object, field->key, field_to_json(field, (const char *)config)) < 0)
			return mvm_fail(err, MVM_ERR_USAGE,
					"%s of the container holds bytes that are not UTF-8, which mvm cannot keep",
					field->key);
	}
	*json = json_incref(root);
	return 0;
}

int mvm_container_config_from_json(const json_t *json, struct mvm_container_config *config, struct mvm_error **err)
{
	int64_t version;

	if (mvm_json_get_int(json, "FormatVersion", 0, &version, err) < 0)
		return -1;
	if (version != FORMAT_VERSION)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "format version %lld is not known to this mvm",
				(long long)version);
	for (size_t i = 0; i < MVM_COUNT(config_fields); i++) {
		const struct field *field = &config_fields[i];
		const json_t *object = field->section ? json_object_get(json, field->section) : json;

		if (field_from_json(field, object, (char *)config, err) < 0)
			return -1;
	}
	if (!config->id || !config->name || !config->image || !config->image_id || !config->disk_file ||
	    !config->disk_format)
		return mvm_fail(err, MVM_ERR_INVALID, "Id, Name, Image or Machine is missing");
	if (config->entrypoint < 0 || (uint64_t)config->entrypoint > config->args.count)
		return mvm_fail(err, MVM_ERR_INVALID, "EntrypointWords is out of range");
	return 0;
}

void mvm_container_config_finish(struct mvm_container_config *config)
{
	for (size_t i = 0; i < MVM_COUNT(config_fields); i++) {
		void *member = (char *)config + config_fields[i].offset;

		if (config_fields[i].kind == STRING)
			free(*(char **)member);
		else if (config_fields[i].kind == STRINGS)
			mvm_strv_finish(member);
	}
	*config = (struct mvm_container_config){0};
}

static const char *const status_names[] = {
	[MVM_STATUS_CREATED] = "created", [MVM_STATUS_STARTING] = "starting",	  [MVM_STATUS_RUNNING] = "running",
	[MVM_STATUS_PAUSED] = "paused",	  [MVM_STATUS_RESTARTING] = "restarting", [MVM_STATUS_EXITED] = "exited",
};

const char *mvm_status_name(enum mvm_status status)
{
	return status_names[status];
}

bool mvm_status_alive(enum mvm_status status)
{
	return status == MVM_STATUS_STARTING || status == MVM_STATUS_RUNNING || status == MVM_STATUS_PAUSED ||
	       status == MVM_STATUS_RESTARTING;
}

json_t *mvm_container_state_to_json(const struct mvm_container_state *state)
{
	/* An error may quote what the guest said: any bytes. */
	return json_pack("{ss, sI, sI, sb, so*, so, so, sI, sb, so, so}", "Status", mvm_status_name(state->status),
			 "Pid", (json_int_t)state->pid, "ExitCode", (json_int_t)state->exit_code, "OOMKilled",
			 (int)state->oom_killed, "Error", state->error ? mvm_json_message(state->error) : NULL,
			 "StartedAt", time_to_json(&state->started), "FinishedAt", time_to_json(&state->finished),
			 "RestartCount", (json_int_t)state->restart_count, "StoppedByUser", (int)state->stopped_by_user,
			 "Endpoints", mvm_json_from_strings(&state->endpoints), "Ports",
			 mvm_json_from_strings(&state->ports));
}

void mvm_container_state_finish(struct mvm_container_state *state)
{
	free(state->error);
	mvm_strv_finish(&state->endpoints);
	mvm_strv_finish(&state->ports);
	*state = (struct mvm_container_state){0};
}

static int status_from_name(const char *name, enum mvm_status *status, struct mvm_error **err)
{
	for (size_t i = 0; i < MVM_COUNT(status_names); i++) {
		if (strcmp(name, status_names[i]))
			continue;
		*status = (enum mvm_status)i;
		return 0;
	}
	return mvm_fail(err, MVM_ERR_INVALID, "unknown status \"%s\"", name);
}

int mvm_container_state_from_json(const json_t *json, struct mvm_container_state *state, struct mvm_error **err)
{
	const char *status, *error;

	if (mvm_json_get_string(json, "Status", "", &status, err) < 0 ||
	    status_from_name(status, &state->status, err) < 0 ||
	    mvm_json_get_int(json, "Pid", 0, &state->pid, err) < 0 ||
	    mvm_json_get_int(json, "ExitCode", 0, &state->exit_code, err) < 0 ||
	    mvm_json_get_bool(json, "OOMKilled", false, &state->oom_killed, err) < 0 ||
	    mvm_json_get_int(json, "RestartCount", 0, &state->restart_count, err) < 0 ||
	    mvm_json_get_bool(json, "StoppedByUser", false, &state->stopped_by_user, err) < 0 ||
	    mvm_json_get_string(json, "Error", NULL, &error, err) < 0 ||
	    mvm_json_get_strings(json, "Endpoints", &state->endpoints, err) < 0 ||
	    mvm_json_get_strings(json, "Ports", &state->ports, err) < 0 ||
	    time_from_json(json, "StartedAt", &state->started, err) < 0 ||
	    time_from_json(json, "FinishedAt", &state->finished, err) < 0)
		return -1;
	state->error = mvm_strdup(error);
	return 0;
}
