/*
 * A service's rights and limits, and the keys that nothing here answers to.
 */
#include <math.h>
#include <string.h>

#include "request.h"
#include "runtime/base/duration.h"
#include "runtime/base/text.h"

/* Where two keys say the same, the older one's value, as docker compose has it. */
static const struct node *either(const struct node *service, const char *key, const char *part, const char *other)
{
	const struct node *own = node_get(service, key);

	return own && !node_is(own, NODE_NULL)
		       ? own
		       : node_get(node_get(node_get(node_get(service, "deploy"), "resources"), part), other);
}

static int64_t whole(const struct node *node)
{
	int64_t value = 0;

	if (node_is(node, NODE_INT))
		return node->integer;
	if (node_is(node, NODE_STRING))
		mvm_parse_int(node->text, INT64_MIN, INT64_MAX, &value);
	return value;
}

static double real_of(const struct node *node)
{
	return node_is(node, NODE_FLOAT) ? node->real : node_is(node, NODE_INT) ? (double)node->integer : 0;
}

/* Single precision is what the file's number is kept in; a processor's thousandth is near enough. */
static int64_t nano_cpus(const struct node *service)
{
	double cpus = real_of(either(service, "cpus", "limits", "cpus"));
	int64_t quota = whole(node_get(service, "cpu_quota")), period = whole(node_get(service, "cpu_period"));

	if (cpus > 0)
		return llround(cpus * 1000) * 1000000;
	return quota > 0 ? (int64_t)((double)quota / (double)(period > 0 ? period : 100000) * 1e9) : 0;
}

static void add_list(const struct node *service, const char *key, struct mvm_strv *out, const struct mvm_strv **member)
{
	const struct node *list = node_get(service, key);

	for (size_t i = 0; node_is(list, NODE_LIST) && i < list->count; i++)
		mvm_strv_add(out, list->entries[i].value->text);
	*member = out;
}

static void add_ulimits(const struct node *service, struct service_request *out)
{
	const struct node *limits = node_get(service, "ulimits");

	for (size_t i = 0; node_is(limits, NODE_MAP) && i < limits->count; i++) {
		const struct node *value = limits->entries[i].value;

		if (node_is(value, NODE_MAP))
			mvm_strv_addf(&out->ulimits, "%s=%lld:%lld", limits->entries[i].key,
				      (long long)whole(node_get(value, "soft")),
				      (long long)whole(node_get(value, "hard")));
		else
			mvm_strv_addf(&out->ulimits, "%s=%lld", limits->entries[i].key, (long long)whole(value));
	}
	out->request.ulimits = &out->ulimits;
}

static void add_sysctls(const struct node *service, struct service_request *out)
{
	const struct node *map = node_get(service, "sysctls");

	for (size_t i = 0; node_is(map, NODE_MAP) && i < map->count; i++)
		mvm_strv_addf(&out->sysctls, "%s=%s", map->entries[i].key, map->entries[i].value->text);
	out->request.sysctls = &out->sysctls;
}

static int set_disk(const struct node *service, struct mvm_create_request *request, struct mvm_error **err)
{
	const struct node *size = node_get(node_get(service, "storage_opt"), "size");

	if (size && !mvm_parse_size(size->text, &request->disk_size))
		return node_fail(err, size, "invalid size: '%s'", size->text);
	return 0;
}

int request_limits(const struct service_wish *wish, struct service_request *out, struct mvm_error **err)
{
	const struct node *service = wish->node;
	struct mvm_create_request *request = &out->request;
	const char *grace = node_get_text(service, "stop_grace_period");
	int64_t ns = 0;

	request->privileged = node_get(service, "privileged") && node_get(service, "privileged")->truth;
	add_list(service, "cap_add", &out->cap_add, &request->cap_add);
	add_list(service, "cap_drop", &out->cap_drop, &request->cap_drop);
	add_list(service, "security_opt", &out->security_opt, &request->security_opt);
	add_list(service, "group_add", &out->group_add, &request->group_add);
	add_list(service, "tmpfs", &out->tmpfs, &request->tmpfs);
	add_ulimits(service, out);
	add_sysctls(service, out);
	request->nano_cpus = nano_cpus(service);
	request->memory = (uint64_t)whole(either(service, "mem_limit", "limits", "memory"));
	request->memory_reservation = (uint64_t)whole(either(service, "mem_reservation", "reservations", "memory"));
	request->pids_limit = whole(either(service, "pids_limit", "limits", "pids"));
	request->cpu_shares = whole(node_get(service, "cpu_shares"));
	request->oom_score_adj = whole(node_get(service, "oom_score_adj"));
	request->shm_size = (uint64_t)whole(node_get(service, "shm_size"));
	if (grace && mvm_parse_duration(grace, &ns)) {
		request->has_stop_timeout = true;
		request->stop_timeout = (ns + 999999999) / 1000000000;
	}
	return set_disk(service, request, err);
}

/* What a machine of its own has no use for. */
static const char *const without_meaning[] = {
	"blkio_config",	  "cgroup",	      "cgroup_parent",	 "cpu_count",		"cpu_percent", "cpu_rt_period",
	"cpu_rt_runtime", "cpuset",	      "credential_spec", "device_cgroup_rules", "isolation",   "mem_swappiness",
	"memswap_limit",  "oom_kill_disable", "runtime",	 "userns_mode",		"uts"};
/* What would make it another service. */
static const struct {
	const char *key, *instead;
} impossible[] = {
	{"devices",
	 "devices of the host cannot be passed into a virtual machine; privileged: true gives all that it has"},
	{"gpus", "devices of the host cannot be passed into a virtual machine"},
	{"external_links", "put both on one network, which may be external: true"},
	{"models", "run the model's server as a service"},
	{"post_start", "let the service's command do it, or `mvm compose exec` when it runs"},
	{"pre_stop", "let the service's command do it when stop_signal comes"},
	{"pre_start", "make it a service of its own, with depends_on and service_completed_successfully"},
	{"provider", "there are no plugins"},
	{"use_api_socket", "there is no API"},
};

static bool is_there(const struct node *service, const char *key)
{
	const struct node *value = node_get(service, key);

	if (!value || node_is(value, NODE_NULL) || (node_is(value, NODE_BOOL) && !value->truth))
		return false;
	return (!node_is(value, NODE_LIST) && !node_is(value, NODE_MAP)) || value->count;
}

/* "pid: host" and its like: whose namespaces it would share. */
static int check_shared(const char *name, const struct node *service, struct mvm_error **err)
{
	static const char *const keys[] = {"pid", "ipc"};

	for (size_t i = 0; i < MVM_COUNT(keys); i++) {
		const char *text = node_get_text(service, keys[i]);

		if (text && *text && strcmp(text, "private") != 0 && strcmp(text, "shareable") != 0)
			return node_fail(err, node_get(service, keys[i]),
					 "services.%s.%s: \"%s\" cannot be: each container is a machine of its own",
					 name, keys[i], text);
	}
	return 0;
}

int service_check_keys(struct mvm_compose *compose, const char *name, const struct node *service,
		       struct mvm_error **err)
{
	for (size_t i = 0; i < MVM_COUNT(impossible); i++)
		if (is_there(service, impossible[i].key))
			return node_fail(err, node_get(service, impossible[i].key),
					 "services.%s.%s is not possible: %s", name, impossible[i].key,
					 impossible[i].instead);
	for (size_t i = 0; i < MVM_COUNT(without_meaning); i++)
		if (is_there(service, without_meaning[i]))
			node_warn(&compose->pool, node_get(service, without_meaning[i]),
				  "services.%s.%s has no effect: each container is a machine of its own", name,
				  without_meaning[i]);
	return check_shared(name, service, err);
}
