/*
 * The networks and volumes of a project, made where they are not there.
 */
#include <string.h>

#include "conduct.h"
#include "runtime/base/text.h"

static bool is_true(const struct node *node, const char *key)
{
	const struct node *value = node_get(node, key);

	return node_is(value, NODE_BOOL) && value->truth;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_labels(const struct mvm_compose_project *project, const struct node *node, const char *label,
		       const char *key, struct mvm_strv *labels)
{
	const struct node *own = node_get(node, "labels");

	for (size_t i = 0; node_is(own, NODE_MAP) && i < own->count; i++)
		mvm_strv_addf(labels, "%s=%s", own->entries[i].key, own->entries[i].value->text);
	mvm_strv_addf(labels, "%s=%s", label, key);
	mvm_strv_addf(labels, MVM_LABEL_PROJECT "=%s", project->name);
	mvm_strv_addf(labels, MVM_LABEL_VERSION "=%s", MVM_VERSION);
	qsort(labels->items, labels->count, sizeof(char *), by_text);
}

static int check_driver(const struct node *node, const char *name, struct mvm_error **err)
{
	const char *driver = node_get_text(node, "driver");
	const struct node *ipv4 = node_get(node, "enable_ipv4");

	if (driver && *driver && strcmp(driver, "bridge") != 0 && strcmp(driver, "default") != 0)
		return node_fail(
			err, node_get(node, "driver"),
			"networks.%s: could not find plugin %s in v1 plugin registry: plugin not found; there is "
			"bridge",
			name, driver);
	if (node_is(ipv4, NODE_BOOL) && !ipv4->truth)
		return node_fail(err, ipv4, "networks.%s: a network without IPv4 is not possible", name);
	return 0;
}

static void set_pools(const struct node *node, struct mvm_network_request *request)
{
	const struct node *pools = node_get(node_get(node, "ipam"), "config");

	for (size_t i = 0; node_is(pools, NODE_LIST) && i < pools->count; i++) {
		const struct node *pool = pools->entries[i].value;
		const char *subnet = node_get_text(pool, "subnet"), *gateway = node_get_text(pool, "gateway");
		bool six = (subnet && strchr(subnet, ':')) || (gateway && strchr(gateway, ':'));

		if (subnet && *subnet)
			*(six ? &request->subnet6 : &request->subnet) = subnet;
		if (gateway && *gateway)
			*(six ? &request->gateway6 : &request->gateway) = gateway;
	}
}

static int create_network(const struct mvm_compose_project *project, const char *key, const struct node *node,
			  struct mvm_error **err)
{
	const char *name = node_get_text(node, "name");
	const char *mtu = node_get_text(node_get(node, "driver_opts"), "com.docker.network.driver.mtu");
	struct mvm_network_request request = {
		.name = name, .ipv6 = is_true(node, "enable_ipv6"), .internal = is_true(node, "internal")};
	struct mvm_network *network MVM_CLEAN_NETWORK = NULL;
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	struct mvm_strv labels MVM_CLEAN_STRV = {0};

	if (check_driver(node, key, err) < 0)
		return -1;
	if (mtu && !mvm_parse_int(mtu, 1, INT32_MAX, &request.mtu))
		return node_fail(err, node, "networks.%s: invalid MTU: %s", key, mtu);
	set_pools(node, &request);
	add_labels(project, node, MVM_LABEL_NETWORK, key, &labels);
	request.labels = &labels;
	conduct_tell(project, MVM_COMPOSE_WORKING, "Creating", "Network %s", name);
	/* Another project may have just made one of that name. */
	if (mvm_engine_create_network(project->engine, &request, &network, &cause) < 0 &&
	    mvm_error_code(cause) != MVM_ERR_EXISTS) {
		conduct_tell(project, MVM_COMPOSE_FAILED, "Error", "Network %s", name);
		mvm_error_move(err, &cause);
		mvm_error_wrap(err, "failed to create network %s", name);
		return node_wrap(err, node);
	}
	conduct_tell(project, MVM_COMPOSE_DONE, "Created", "Network %s", name);
	return 0;
}

static int ensure_network(const struct mvm_compose_project *project, const char *key, const struct node *node,
			  struct mvm_error **err)
{
	const char *name = node_get_text(node, "name"), *owner;
	struct mvm_network *network MVM_CLEAN_NETWORK = NULL;
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;

	if (mvm_network_find(mvm_engine_state(project->engine), name, &network, &cause) < 0) {
		if (mvm_error_code(cause) != MVM_ERR_NOT_FOUND)
			return mvm_error_move(err, &cause);
		if (!is_true(node, "external"))
			return create_network(project, key, node, err);
		/* The default one is there for everybody. */
		if (!strcmp(name, MVM_NETWORK_DEFAULT) || !strcmp(name, "bridge"))
			return mvm_engine_default_network(project->engine, err);
		return node_fail(err, node, "network %s declared as external, but could not be found", name);
	}
	owner = mvm_label_value(&network->labels, MVM_LABEL_PROJECT);
	if (is_true(node, "external") || (owner && !strcmp(owner, project->name)))
		return 0;
	if (owner)
		conduct_warn(project,
			     "a network with name %s exists but was not created for project \"%s\".\n"
			     "Set `external: true` to use an existing network",
			     name, project->name);
	else
		conduct_warn(project,
			     "a network with name %s exists but was not created by compose.\n"
			     "Set `external: true` to use an existing network",
			     name);
	return 0;
}

int conduct_networks(const struct mvm_compose_project *project, struct mvm_error **err)
{
	const struct node *networks = section_of(project->compose->model, "networks");

	for (size_t i = 0; networks && i < networks->count; i++)
		if (ensure_network(project, networks->entries[i].key, networks->entries[i].value, err) < 0)
			return -1;
	return 0;
}

/* A disk is one machine's at a time: what several are to have is a folder. */
static bool is_shared(const struct mvm_compose_project *project, const char *key)
{
	struct graph graph CLEAN_GRAPH = {0};
	int64_t users = 0;

	graph_of_project(project->compose, &graph);
	for (size_t i = 0; i < graph.count; i++) {
		const struct node *mounts = node_get(graph.items[i].node, "volumes");

		for (size_t j = 0; node_is(mounts, NODE_LIST) && j < mounts->count; j++) {
			const char *source = node_get_text(mounts->entries[j].value, "source");
			const char *type = node_get_text(mounts->entries[j].value, "type");

			if (!source || strcmp(source, key) != 0 || strcmp(type, "volume") != 0)
				continue;
			users += member_scale(&graph.items[i]) > 1 ? 2 : 1;
			break;
		}
	}
	return users > 1;
}

static int create_volume(const struct mvm_compose_project *project, const char *key, const struct node *node,
			 struct mvm_error **err)
{
	const char *name = node_get_text(node, "name"), *driver = node_get_text(node, "driver");
	const struct node *given = node_get(node, "driver_opts");
	struct mvm_volume *volume MVM_CLEAN_VOLUME = NULL;
	struct mvm_strv labels MVM_CLEAN_STRV = {0}, options MVM_CLEAN_STRV = {0};
	struct mvm_volume_request request = {.name = name, .driver = driver, .options = &options, .labels = &labels};

	for (size_t i = 0; node_is(given, NODE_MAP) && i < given->count; i++)
		mvm_strv_addf(&options, "%s=%s", given->entries[i].key, given->entries[i].value->text);
	add_labels(project, node, MVM_LABEL_VOLUME, key, &labels);
	if (!driver && !options.count && is_shared(project, key))
		request.driver = MVM_VOLUME_SHARED;
	conduct_tell(project, MVM_COMPOSE_WORKING, "Creating", "Volume \"%s\"", name);
	if (mvm_engine_create_volume(project->engine, &request, &volume, err) < 0) {
		conduct_tell(project, MVM_COMPOSE_FAILED, "Error", "Volume \"%s\"", name);
		return node_wrap(err, node);
	}
	conduct_tell(project, MVM_COMPOSE_DONE, "Created", "Volume \"%s\"", name);
	return 0;
}

static int ensure_volume(const struct mvm_compose_project *project, const char *key, const struct node *node,
			 struct mvm_error **err)
{
	const char *name = node_get_text(node, "name"), *owner;
	struct mvm_volume *volume MVM_CLEAN_VOLUME = NULL;
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;

	if (mvm_volume_load(mvm_engine_state(project->engine), name, &volume, &cause) < 0) {
		if (mvm_error_code(cause) != MVM_ERR_NOT_FOUND)
			return mvm_error_move(err, &cause);
		if (is_true(node, "external"))
			return node_fail(err, node, "external volume \"%s\" not found", name);
		return create_volume(project, key, node, err);
	}
	owner = mvm_label_value(&volume->labels, MVM_LABEL_PROJECT);
	if (is_true(node, "external") || (owner && !strcmp(owner, project->name)))
		return 0;
	if (owner)
		conduct_warn(project,
			     "volume \"%s\" already exists but was created for project \"%s\" (expected \"%s\"). Use "
			     "`external: true` to use an existing volume",
			     name, owner, project->name);
	else
		conduct_warn(
			project,
			"volume \"%s\" already exists but was not created by Docker Compose. Use `external: true` to "
			"use an existing volume",
			name);
	return 0;
}

int conduct_volumes(const struct mvm_compose_project *project, struct mvm_error **err)
{
	const struct node *volumes = section_of(project->compose->model, "volumes");

	for (size_t i = 0; volumes && i < volumes->count; i++)
		if (ensure_volume(project, volumes->entries[i].key, volumes->entries[i].value, err) < 0)
			return -1;
	return 0;
}
