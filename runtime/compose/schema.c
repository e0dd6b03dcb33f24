#include "schema_types.h"

static const struct type condition = {
	.takes = TAKES_TEXT, .words = WORDS("service_started", "service_healthy", "service_completed_successfully")};
static const struct type dependency = {
	.takes = TAKES_MAP,
	.fields = FIELDS({"condition", &condition, FIELD_NEEDED}, {"restart", &type_flag, 0},
			 {"required", &type_flag, FIELD_KEPT}),
};
static const struct type depends_on = {.takes = TAKES_LIST | TAKES_MAP,
				       .items = &type_text,
				       .named = true,
				       .lengthen = lengthen_depends_on,
				       .values = &dependency};

static const struct type service_network = {
	.takes = TAKES_MAP | TAKES_NULL,
	.fields = FIELDS(
		{"aliases", &type_distinct, 0}, {"driver_opts", &type_options, 0}, {"gw_priority", &type_whole, 0},
		{"interface_name", &type_text, 0}, {"ipv4_address", &type_text, 0}, {"ipv6_address", &type_text, 0},
		{"link_local_ips", &type_distinct, 0}, {"mac_address", &type_text, 0}, {"priority", &type_whole, 0}),
};
static const struct type service_networks = {.takes = TAKES_LIST | TAKES_MAP,
					     .items = &type_text,
					     .named = true,
					     .lengthen = lengthen_names,
					     .values = &service_network};

static const struct type service_model = {
	.takes = TAKES_MAP | TAKES_NULL,
	.fields = FIELDS({"endpoint_var", &type_text, 0}, {"model_var", &type_text, 0})};
static const struct type service_models = {
	.takes = TAKES_LIST | TAKES_MAP, .items = &type_text, .lengthen = lengthen_names, .values = &service_model};

static const struct type env_file = {
	.takes = TAKES_TEXT | TAKES_MAP,
	.fields = FIELDS({"path", &type_path, FIELD_NEEDED}, {"required", &type_flag, FIELD_OPT_OUT},
			 {"format", &type_text, 0}),
};
static const struct type env_files = {.takes = TAKES_TEXT | TAKES_LIST,
				      .merge = MERGE_SEQUENCE,
				      .unique = UNIQUE_PATH,
				      .lengthen = lengthen_env_file,
				      .items = &env_file};
static const struct type label_files = {
	.takes = TAKES_TEXT | TAKES_LIST, .merge = MERGE_SEQUENCE, .lengthen = lengthen_list, .items = &type_path};

static const struct type extends = {
	.takes = TAKES_TEXT | TAKES_MAP,
	.lengthen = lengthen_extends,
	.fields = FIELDS({"file", &type_text, 0}, {"service", &type_text, FIELD_NEEDED}),
};

static const struct type device = {
	.takes = TAKES_TEXT | TAKES_MAP,
	.lengthen = lengthen_device,
	.fields =
		FIELDS({"source", &type_text, FIELD_NEEDED}, {"target", &type_text, 0}, {"permissions", &type_text, 0}),
};
static const struct type devices = {.takes = TAKES_LIST, .unique = UNIQUE_TARGET, .items = &device};

static const struct type rate = {.takes = TAKES_INT | TAKES_TEXT, .finish = finish_bytes};
static const struct type limited_device = {
	.takes = TAKES_MAP, .fields = FIELDS({"path", &type_text, FIELD_KEPT}, {"rate", &rate, FIELD_KEPT})};
static const struct type limited_devices = {.takes = TAKES_LIST, .items = &limited_device};
static const struct type weighed_device = {
	.takes = TAKES_MAP, .fields = FIELDS({"path", &type_text, FIELD_KEPT}, {"weight", &type_int, FIELD_KEPT})};
static const struct type weighed_devices = {.takes = TAKES_LIST, .items = &weighed_device};
static const struct type blkio = {
	.takes = TAKES_MAP,
	.fields = FIELDS({"weight", &type_int, 0}, {"weight_device", &weighed_devices, 0},
			 {"device_read_bps", &limited_devices, 0}, {"device_read_iops", &limited_devices, 0},
			 {"device_write_bps", &limited_devices, 0}, {"device_write_iops", &limited_devices, 0}),
};

static const struct type logging = {
	.takes = TAKES_MAP,
	.merge = MERGE_LOGGING,
	.fields = FIELDS({"driver", &type_text, 0}, {"options", &type_options, 0}),
};

static const struct type provider_item = {.takes = TAKES_TEXT | TAKES_NUMBER | TAKES_BOOL};
static const struct type provider_option = {.takes = TAKES_TEXT | TAKES_NUMBER | TAKES_BOOL | TAKES_LIST,
					    .items = &provider_item};
static const struct type provider_options = {.takes = TAKES_MAP, .values = &provider_option, .finish = finish_multi};
static const struct type provider = {
	.takes = TAKES_MAP,
	.fields = FIELDS({"type", &type_text, FIELD_NEEDED}, {"options", &provider_options, 0}),
};

static const struct type credential_spec = {
	.takes = TAKES_MAP,
	.fields = FIELDS({"config", &type_text, 0}, {"file", &type_text, 0}, {"registry", &type_text, 0}),
};

static const struct type numbers_or_texts = {
	.takes = TAKES_LIST, .items = &type_number_text, .distinct = true, .unique = UNIQUE_KEY};
static const struct type hooks = {.takes = TAKES_LIST, .items = &type_hook};
static const struct type distinct_texts = {.takes = TAKES_LIST, .items = &type_text, .distinct = true};
static const struct type text_or_null = {.takes = TAKES_TEXT | TAKES_NULL};
static const struct type scalars = {.takes = TAKES_MAP, .values = &type_scalar, .finish = finish_labels};
static const struct type cgroup = {.takes = TAKES_TEXT, .words = WORDS("host", "private")};
static const struct type cpu_count = {.takes = TAKES_INT | TAKES_TEXT, .cast = CAST_INT, .least = 0, .most = INT32_MAX};
static const struct type cpu_percent = {
	.takes = TAKES_INT | TAKES_TEXT, .cast = CAST_REAL, .least = 0, .most = 100, .finish = finish_single};
static const struct type oom_score_adj = {
	.takes = TAKES_INT | TAKES_TEXT, .cast = CAST_INT, .least = -1000, .most = 1000};
/* Kept as a list where others are so only when they are shown. */
static const struct type dns = {.takes = TAKES_TEXT | TAKES_LIST,
				.items = &type_text,
				.distinct = true,
				.merge = MERGE_SEQUENCE,
				.unique = UNIQUE_KEY,
				.lengthen = lengthen_list};

const struct type schema_service = {
	.takes = TAKES_MAP,
	.fields = FIELDS(
		{"profiles", &type_distinct, 0}, {"annotations", &type_labels, 0}, {"attach", &type_flag, FIELD_KEPT},
		{"build", &type_build, FIELD_KEPT}, {"develop", &type_develop, FIELD_KEPT},
		{"blkio_config", &blkio, FIELD_KEPT}, {"cap_add", &type_distinct, 0}, {"cap_drop", &type_distinct, 0},
		{"cgroup_parent", &type_text, 0}, {"cgroup", &cgroup, 0}, {"cpu_count", &cpu_count, 0},
		{"cpu_percent", &cpu_percent, 0}, {"cpu_period", &type_whole, 0}, {"cpu_quota", &type_whole, 0},
		{"cpu_rt_period", &type_whole, 0}, {"cpu_rt_runtime", &type_whole, 0}, {"cpus", &type_real, 0},
		{"cpuset", &type_text, 0}, {"cpu_shares", &type_whole, 0},
		{"command", &type_command, FIELD_KEPT | FIELD_IN_JSON}, {"configs", &type_configs, 0},
		{"container_name", &type_text, 0}, {"credential_spec", &credential_spec, FIELD_KEPT},
		{"depends_on", &depends_on, 0}, {"deploy", &type_deploy, FIELD_KEPT},
		{"device_cgroup_rules", &distinct_texts, 0}, {"devices", &devices, 0}, {"dns", &dns, 0},
		{"dns_opt", &type_distinct, 0}, {"dns_search", &type_list, 0}, {"domainname", &type_text, 0},
		{"entrypoint", &type_command, FIELD_KEPT | FIELD_IN_JSON}, {"provider", &provider, FIELD_KEPT},
		{"environment", &type_environment, 0}, {"env_file", &env_files, 0}, {"expose", &numbers_or_texts, 0},
		{"extends", &extends, 0}, {"external_links", &distinct_texts, 0}, {"extra_hosts", &type_hosts, 0},
		{"group_add", &numbers_or_texts, 0}, {"gpus", &type_gpus, 0}, {"hostname", &type_text, 0},
		{"healthcheck", &type_healthcheck, FIELD_KEPT}, {"image", &type_text, 0},
		{"init", &type_flag, FIELD_KEPT}, {"ipc", &type_text, 0}, {"isolation", &type_text, 0},
		{"labels", &type_labels, 0}, {"label_file", &label_files, 0}, {"links", &type_distinct, 0},
		{"logging", &logging, FIELD_KEPT}, {"mem_limit", &type_bytes, 0}, {"mem_reservation", &type_bytes, 0},
		{"memswap_limit", &type_bytes, 0}, {"mem_swappiness", &type_bytes, 0}, {"mac_address", &type_text, 0},
		{"models", &service_models, 0}, {"network_mode", &type_text, 0}, {"networks", &service_networks, 0},
		{"oom_kill_disable", &type_flag, 0}, {"oom_score_adj", &oom_score_adj, 0}, {"pid", &text_or_null, 0},
		{"pids_limit", &type_whole, 0}, {"platform", &type_text, 0}, {"ports", &type_ports, 0},
		{"privileged", &type_flag, 0}, {"pull_policy", &type_text, 0}, {"pull_refresh_after", &type_text, 0},
		{"read_only", &type_flag, 0}, {"restart", &type_text, 0}, {"runtime", &type_text, 0},
		{"scale", &type_int, FIELD_KEPT}, {"secrets", &type_secrets, 0}, {"security_opt", &distinct_texts, 0},
		{"shm_size", &type_bytes, 0}, {"stdin_open", &type_flag, 0}, {"stop_grace_period", &type_duration, 0},
		{"stop_signal", &type_text, 0}, {"storage_opt", &scalars, 0}, {"sysctls", &type_labels, 0},
		{"tmpfs", &type_list, 0}, {"tty", &type_flag, 0}, {"ulimits", &type_ulimits, 0},
		{"use_api_socket", &type_flag, 0}, {"user", &type_text, 0}, {"userns_mode", &type_text, 0},
		{"uts", &type_text, 0}, {"volumes", &type_mounts, 0}, {"volumes_from", &distinct_texts, 0},
		{"working_dir", &type_text, 0}, {"pre_start", &hooks, 0}, {"post_start", &hooks, 0},
		{"pre_stop", &hooks, 0}),
};

static const struct type external = {
	.takes = TAKES_BOOL | TAKES_TEXT | TAKES_MAP, .cast = CAST_BOOL, .fields = FIELDS({"name", &type_text, 0})};

static const struct type address_pool = {
	.takes = TAKES_MAP,
	.fields = FIELDS({"subnet", &type_text, 0}, {"gateway", &type_text, 0}, {"ip_range", &type_text, 0},
			 {"aux_addresses", &type_mapping, 0}),
};
static const struct type address_pools = {.takes = TAKES_LIST, .merge = MERGE_POOLS, .items = &address_pool};
static const struct type ipam = {
	.takes = TAKES_MAP,
	.fields = FIELDS({"driver", &type_text, 0}, {"config", &address_pools, 0}, {"options", &type_mapping, 0}),
};

static const struct type network = {
	.takes = TAKES_MAP | TAKES_NULL,
	.lengthen = lengthen_external,
	.fields = FIELDS({"name", &type_text, 0}, {"driver", &type_text, 0}, {"driver_opts", &type_options, 0},
			 {"ipam", &ipam, FIELD_IN_JSON}, {"external", &external, 0}, {"internal", &type_flag, 0},
			 {"attachable", &type_flag, 0}, {"labels", &type_labels, 0},
			 {"enable_ipv4", &type_flag, FIELD_KEPT}, {"enable_ipv6", &type_flag, FIELD_KEPT}),
};

static const struct type volume = {
	.takes = TAKES_MAP | TAKES_NULL,
	.lengthen = lengthen_external,
	.path = PATH_DRIVER_OPTIONS,
	.fields = FIELDS({"name", &type_text, 0}, {"driver", &type_text, 0}, {"driver_opts", &type_options, 0},
			 {"external", &external, 0}, {"labels", &type_labels, 0}),
};

static const struct type file_object = {
	.takes = TAKES_MAP,
	.lengthen = lengthen_external,
	.fields = FIELDS({"name", &type_text, 0}, {"file", &type_path, 0}, {"environment", &type_text, 0},
			 {"content", &type_text, 0}, {"external", &external, 0}, {"labels", &type_labels, 0},
			 {"driver", &type_text, 0}, {"driver_opts", &type_options, 0},
			 {"template_driver", &type_text, 0}),
};

static const struct type model = {
	.takes = TAKES_MAP,
	.fields = FIELDS({"name", &type_text, 0}, {"model", &type_text, FIELD_NEEDED}, {"context_size", &type_int, 0},
			 {"runtime_flags", &type_texts, 0}),
};

static const struct type text_or_texts = {.takes = TAKES_TEXT | TAKES_LIST, .items = &type_text};
static const struct type include = {
	.takes = TAKES_TEXT | TAKES_MAP,
	.lengthen = lengthen_include,
	.fields = FIELDS({"path", &text_or_texts, 0}, {"env_file", &text_or_texts, 0},
			 {"project_directory", &type_text, 0}),
};
static const struct type includes = {.takes = TAKES_LIST, .items = &include};

static const struct type services = {.takes = TAKES_MAP, .named = true, .values = &schema_service};
static const struct type networks = {.takes = TAKES_MAP, .named = true, .values = &network};
static const struct type volumes = {.takes = TAKES_MAP, .named = true, .values = &volume};
static const struct type file_objects = {.takes = TAKES_MAP, .named = true, .values = &file_object};
static const struct type models = {.takes = TAKES_MAP, .named = true, .values = &model};
static const struct type version = {.takes = TAKES_TEXT | TAKES_NUMBER};

const struct type schema_project = {
	.takes = TAKES_MAP,
	.fields = FIELDS({"version", &version, 0}, {"name", &type_text, 0}, {"include", &includes, 0},
			 {"services", &services, FIELD_KEPT | FIELD_IN_JSON}, {"networks", &networks, 0},
			 {"volumes", &volumes, 0}, {"secrets", &file_objects, 0}, {"configs", &file_objects, 0},
			 {"models", &models, 0}),
};
