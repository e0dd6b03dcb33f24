/* Parts of a service that have parts of their own. */
#include "schema_types.h"

const struct type type_real = {.takes = TAKES_NUMBER | TAKES_TEXT, .cast = CAST_REAL, .finish = finish_single};
const struct type type_path = {.takes = TAKES_TEXT, .path = PATH_FILE};

static const struct type scaled_flag = {.takes = TAKES_BOOL | TAKES_TEXT, .lengthen = lengthen_text};
static const struct type context = {.takes = TAKES_TEXT, .path = PATH_CONTEXT};
static const struct type contexts = {.takes = TAKES_LIST | TAKES_MAP,
				     .items = &type_text,
				     .values = &context,
				     .lengthen = lengthen_context_list,
				     .finish = finish_labels};
static const struct type ssh_keys = {.takes = TAKES_LIST | TAKES_MAP,
				     .items = &type_text,
				     .values = &type_scalar,
				     .lengthen = lengthen_ssh,
				     .finish = finish_ssh};
static const struct type tags = {.takes = TAKES_LIST, .items = &type_text, .unique = UNIQUE_KEY};

const struct type type_build = {
	.takes = TAKES_TEXT | TAKES_MAP,
	.lengthen = lengthen_build,
	.fields =
		FIELDS({"context", &context, 0}, {"dockerfile", &type_text, 0}, {"dockerfile_inline", &type_text, 0},
		       {"entitlements", &type_texts, 0}, {"args", &type_environment, 0},
		       {"provenance", &scaled_flag, 0}, {"sbom", &scaled_flag, 0}, {"ssh", &ssh_keys, 0},
		       {"labels", &type_labels, 0}, {"cache_from", &type_texts, 0}, {"cache_to", &type_texts, 0},
		       {"no_cache", &type_flag, 0}, {"no_cache_filter", &type_list, 0},
		       {"additional_contexts", &contexts, 0}, {"pull", &type_flag, 0}, {"extra_hosts", &type_hosts, 0},
		       {"isolation", &type_text, 0}, {"network", &type_text, 0}, {"target", &type_text, 0},
		       {"secrets", &type_build_secrets, 0}, {"shm_size", &type_bytes, 0}, {"tags", &tags, 0},
		       {"ulimits", &type_ulimits, 0}, {"platforms", &type_texts, 0}, {"privileged", &type_flag, 0}),
};

static const struct type watch_action = {.takes = TAKES_TEXT,
					 .words = WORDS("rebuild", "sync", "restart", "sync+restart", "sync+exec")};
static const struct type watch_rule = {
	.takes = TAKES_MAP,
	.fields = FIELDS({"path", &type_path, FIELD_KEPT | FIELD_NEEDED},
			 {"action", &watch_action, FIELD_KEPT | FIELD_NEEDED}, {"target", &type_text, 0},
			 {"exec", &type_hook, FIELD_IN_JSON}, {"include", &type_list, 0}, {"ignore", &type_list, 0},
			 {"initial_sync", &type_flag, 0}),
};
static const struct type watch = {.takes = TAKES_LIST, .items = &watch_rule};
const struct type type_develop = {.takes = TAKES_MAP | TAKES_NULL, .fields = FIELDS({"watch", &watch, FIELD_KEPT})};

static const struct type update_order = {.takes = TAKES_TEXT, .words = WORDS("start-first", "stop-first")};
static const struct type update = {
	.takes = TAKES_MAP,
	.fields = FIELDS({"parallelism", &type_int, FIELD_KEPT}, {"delay", &type_delay, 0},
			 {"failure_action", &type_text, 0}, {"monitor", &type_delay, 0},
			 {"max_failure_ratio", &type_real, 0}, {"order", &update_order, 0}),
};

static const struct type count = {.takes = TAKES_INT | TAKES_TEXT, .finish = finish_count};
#define REQUEST_FIELDS(needed)                                                                                         \
	FIELDS({"capabilities", &type_texts, needed}, {"driver", &type_text, 0}, {"count", &count, 0},                 \
	       {"device_ids", &type_texts, 0}, {"options", &type_labels, 0})
static const struct type request = {.takes = TAKES_MAP, .fields = REQUEST_FIELDS(FIELD_NEEDED)};
static const struct type gpu = {.takes = TAKES_MAP, .fields = REQUEST_FIELDS(0)};
const struct type type_requests = {.takes = TAKES_LIST, .items = &request};
const struct type type_gpus = {
	.takes = TAKES_TEXT | TAKES_LIST, .words = WORDS("all"), .items = &gpu, .lengthen = lengthen_gpus};

static const struct type discrete_resource = {
	.takes = TAKES_MAP, .fields = FIELDS({"kind", &type_text, FIELD_KEPT}, {"value", &type_whole, FIELD_KEPT})};
static const struct type generic_resource = {
	.takes = TAKES_MAP, .fields = FIELDS({"discrete_resource_spec", &discrete_resource, FIELD_KEPT})};
static const struct type generic_resources = {.takes = TAKES_LIST, .items = &generic_resource};

static const struct type memory = {.takes = TAKES_TEXT, .finish = finish_bytes};
static const struct type limits = {
	.takes = TAKES_MAP, .fields = FIELDS({"cpus", &type_real, 0}, {"memory", &memory, 0}, {"pids", &type_int, 0})};
static const struct type reservations = {
	.takes = TAKES_MAP,
	.fields = FIELDS({"cpus", &type_real, 0}, {"memory", &memory, 0}, {"devices", &type_requests, 0},
			 {"generic_resources", &generic_resources, 0}),
};
static const struct type resources = {
	.takes = TAKES_MAP,
	.fields = FIELDS({"limits", &limits, FIELD_KEPT}, {"reservations", &reservations, FIELD_KEPT})};

static const struct type preference = {.takes = TAKES_MAP, .fields = FIELDS({"spread", &type_text, 0})};
static const struct type preferences = {.takes = TAKES_LIST, .items = &preference};
static const struct type placement = {
	.takes = TAKES_MAP,
	.fields = FIELDS({"constraints", &type_texts, 0}, {"preferences", &preferences, 0},
			 {"max_replicas_per_node", &type_int, 0}),
};
static const struct type restart_policy = {
	.takes = TAKES_MAP,
	.fields = FIELDS({"condition", &type_text, 0}, {"delay", &type_duration, 0},
			 {"max_attempts", &type_int, FIELD_KEPT}, {"window", &type_duration, 0}),
};

const struct type type_deploy = {
	.takes = TAKES_MAP | TAKES_NULL,
	.fields = FIELDS({"mode", &type_text, 0}, {"replicas", &type_int, FIELD_KEPT}, {"labels", &type_labels, 0},
			 {"update_config", &update, FIELD_KEPT}, {"rollback_config", &update, FIELD_KEPT},
			 {"resources", &resources, FIELD_IN_JSON}, {"restart_policy", &restart_policy, FIELD_KEPT},
			 {"placement", &placement, FIELD_IN_JSON}, {"endpoint_mode", &type_text, 0}),
};

static const struct type health_test = {
	.takes = TAKES_TEXT | TAKES_LIST, .items = &type_text, .merge = MERGE_REPLACE, .finish = finish_test};
const struct type type_healthcheck = {
	.takes = TAKES_MAP,
	.fields = FIELDS({"test", &health_test, 0}, {"timeout", &type_duration, 0}, {"interval", &type_duration, 0},
			 {"retries", &type_whole, FIELD_KEPT}, {"start_period", &type_duration, 0},
			 {"start_interval", &type_duration, 0}, {"disable", &type_flag, 0}),
};

static const struct type published = {.takes = TAKES_INT | TAKES_TEXT, .finish = finish_text};
static const struct type port = {
	.takes = TAKES_NUMBER | TAKES_TEXT | TAKES_MAP,
	.fields = FIELDS({"name", &type_text, 0}, {"mode", &type_text, 0}, {"host_ip", &type_text, 0},
			 {"target", &type_int, 0}, {"published", &published, 0}, {"protocol", &type_text, 0},
			 {"app_protocol", &type_text, 0}),
};
const struct type type_ports = {
	.takes = TAKES_LIST, .distinct = true, .unique = UNIQUE_PORT, .lengthen = lengthen_ports, .items = &port};

static const struct type selinux = {.takes = TAKES_TEXT, .words = WORDS("z", "Z")};
static const struct type recursive = {.takes = TAKES_TEXT,
				      .words = WORDS("enabled", "disabled", "writable", "readonly")};
static const struct type mount_bind = {
	.takes = TAKES_MAP,
	.fields = FIELDS({"selinux", &selinux, 0}, {"propagation", &type_text, 0},
			 {"create_host_path", &type_flag, FIELD_OPT_OUT}, {"recursive", &recursive, 0}),
};
static const struct type mount_volume = {
	.takes = TAKES_MAP,
	.fields = FIELDS({"labels", &type_labels, 0}, {"nocopy", &type_flag, 0}, {"subpath", &type_text, 0})};
static const struct type tmpfs_size = {
	.takes = TAKES_INT | TAKES_TEXT, .least = 0, .most = INT64_MAX, .finish = finish_bytes};
static const struct type mount_tmpfs = {.takes = TAKES_MAP,
					.fields = FIELDS({"size", &tmpfs_size, 0}, {"mode", &type_whole, 0})};
static const struct type mount_image = {.takes = TAKES_MAP, .fields = FIELDS({"subpath", &type_text, 0})};
static const struct type mount_kind = {.takes = TAKES_TEXT,
				       .words = WORDS("bind", "volume", "tmpfs", "cluster", "npipe", "image")};
static const struct type mount = {
	.takes = TAKES_TEXT | TAKES_MAP,
	.lengthen = lengthen_mount,
	.path = PATH_MOUNT,
	.fields = FIELDS({"type", &mount_kind, FIELD_NEEDED}, {"source", &type_text, 0}, {"target", &type_text, 0},
			 {"read_only", &type_flag, 0}, {"consistency", &type_text, 0},
			 {"bind", &mount_bind, FIELD_KEPT}, {"volume", &mount_volume, FIELD_KEPT},
			 {"tmpfs", &mount_tmpfs, FIELD_KEPT}, {"image", &mount_image, FIELD_KEPT}),
};
const struct type type_mounts = {.takes = TAKES_LIST, .distinct = true, .unique = UNIQUE_TARGET, .items = &mount};
