/*
 * What holds once all files of a part are merged: defaults, what excludes what, paths, and variables that are only
 * named.
 */
#include <arpa/inet.h>
#include <string.h>

#include "internal.h"
#include "substitute.h"

static void default_requests(struct pool *pool, struct node *list)
{
	for (size_t i = 0; node_is(list, NODE_LIST) && i < list->count; i++) {
		struct node *request = list->entries[i].value;

		if (node_is(request, NODE_MAP) && !node_get(request, "device_ids"))
			node_default(pool, request, "count", node_string(pool, "all", request));
	}
}

static void default_secrets(struct pool *pool, struct node *list)
{
	for (size_t i = 0; node_is(list, NODE_LIST) && i < list->count; i++) {
		struct node *secret = list->entries[i].value;
		const char *source = node_get_text(secret, "source");

		if (source)
			node_default(pool, secret, "target",
				     node_string(pool, pool_format(pool, "/run/secrets/%s", source), secret));
	}
}

static void default_ports(struct pool *pool, struct node *list)
{
	for (size_t i = 0; node_is(list, NODE_LIST) && i < list->count; i++) {
		struct node *port = list->entries[i].value;

		if (!node_is(port, NODE_MAP))
			continue;
		node_default(pool, port, "protocol", node_string(pool, "tcp", port));
		node_default(pool, port, "mode", node_string(pool, "ingress", port));
	}
}

static void default_mounts(struct pool *pool, struct node *list)
{
	for (size_t i = 0; node_is(list, NODE_LIST) && i < list->count; i++) {
		struct node *bind = node_get(list->entries[i].value, "bind");

		if (node_is(bind, NODE_MAP))
			node_default(pool, bind, "create_host_path", node_bool(pool, true, bind));
	}
}

static void default_dependencies(struct pool *pool, struct node *map)
{
	for (size_t i = 0; node_is(map, NODE_MAP) && i < map->count; i++)
		if (node_is(map->entries[i].value, NODE_MAP))
			node_default(pool, map->entries[i].value, "required", node_bool(pool, true, map));
}

static struct node *deploy_requests(const struct node *service)
{
	const struct node *resources = node_get(node_get(service, "deploy"), "resources");

	return node_get(node_get(resources, "reservations"), "devices");
}

static void set_defaults(struct pool *pool, struct node *service)
{
	struct node *build = node_get(service, "build");

	if (node_is(build, NODE_MAP))
		node_default(pool, build, "context", node_string(pool, ".", build));
	default_requests(pool, deploy_requests(service));
	default_requests(pool, node_get(service, "gpus"));
	default_secrets(pool, node_get(service, "secrets"));
	default_ports(pool, node_get(service, "ports"));
	default_mounts(pool, node_get(service, "volumes"));
	default_dependencies(pool, node_get(service, "depends_on"));
}

static int check_ports(const struct node *ports, const char *name, struct mvm_error **err)
{
	unsigned char address[16];

	for (size_t i = 0; ports && i < ports->count; i++) {
		const struct node *port = ports->entries[i].value;
		const char *ip = node_get_text(port, "host_ip");

		if (ip && inet_pton(AF_INET, ip, address) != 1 && inet_pton(AF_INET6, ip, address) != 1)
			return node_fail(err, port, "services.%s.ports.%zu: invalid ip address: %s", name, i, ip);
		if (node_is(port, NODE_MAP) && !node_get(port, "target"))
			return node_fail(err, port, "service ports services.%s.ports.%zu is missing a target port",
					 name, i);
	}
	return 0;
}

static int check_mounts(const struct node *mounts, const char *name, struct mvm_error **err)
{
	for (size_t i = 0; mounts && i < mounts->count; i++) {
		const struct node *mount = mounts->entries[i].value;
		const char *type = node_get_text(mount, "type");

		if (node_is(mount, NODE_MAP) && !node_get_text(mount, "target"))
			return node_fail(err, mount, "service volume services.%s.volumes.%zu is missing a mount target",
					 name, i);
		if (type && !strcmp(type, "bind") && !node_get_text(mount, "source"))
			return node_fail(err, mount,
					 "invalid mount config for type \"bind\": field Source must not be empty");
	}
	return 0;
}

static int check_requests(const struct node *requests, struct mvm_error **err)
{
	for (size_t i = 0; node_is(requests, NODE_LIST) && i < requests->count; i++) {
		const struct node *request = requests->entries[i].value;

		if (node_get(request, "count") && node_get(request, "device_ids"))
			return node_fail(err, request, "\"count\" and \"device_ids\" attributes are exclusive");
	}
	return 0;
}

static int settle_services(struct mvm_compose *compose, const struct node *services, struct mvm_error **err)
{
	for (size_t i = 0; services && i < services->count; i++) {
		struct node *service = services->entries[i].value;
		const char *name = services->entries[i].key;

		set_defaults(&compose->pool, service);
		if (check_ports(node_get(service, "ports"), name, err) < 0 ||
		    check_mounts(node_get(service, "volumes"), name, err) < 0 ||
		    check_requests(deploy_requests(service), err) < 0 ||
		    check_requests(node_get(service, "gpus"), err) < 0)
			return -1;
	}
	return 0;
}

static bool is_external(const struct node *object)
{
	const struct node *external = node_get(object, "external");

	return node_is(external, NODE_BOOL) && external->truth;
}

static int check_volumes(const struct node *volumes, struct mvm_error **err)
{
	for (size_t i = 0; volumes && i < volumes->count; i++) {
		const struct node *volume = volumes->entries[i].value;

		for (size_t j = 0; is_external(volume) && j < volume->count; j++) {
			const char *key = volume->entries[j].key;

			if (strcmp(key, "name") != 0 && strcmp(key, "external") != 0 && !is_extension(key))
				return node_fail(err, volume->entries[j].value,
						 "volumes.%s: conflicting parameters \"external\" and \"%s\" specified",
						 volumes->entries[i].key, key);
		}
	}
	return 0;
}

/* A secret or a configuration comes from one place. */
static int check_objects(const struct node *model, const char *section, const char *const *sources,
			 struct mvm_error **err)
{
	const struct node *objects = section_of(model, section);

	for (size_t i = 0; objects && i < objects->count; i++) {
		const struct node *object = objects->entries[i].value;
		struct mvm_buf names MVM_CLEAN_BUF = {0};
		size_t count = 0;

		for (const char *const *source = sources; *source; source++) {
			count += node_get(object, *source) != NULL;
			mvm_buf_addf(&names, "%s%s", names.length ? "|" : "", *source);
		}
		if (count > 1)
			return node_fail(err, object, "%s.%s: %s attributes are mutually exclusive", section,
					 objects->entries[i].key, names.data);
		if (!count && !node_get(object, "external") && !node_get(object, "driver"))
			return node_fail(err, object, "%s.%s: one of %s must be set", section, objects->entries[i].key,
					 names.data);
	}
	return 0;
}

struct paths {
	struct pool *pool;
	const char *folder;
};

/* "~" is the user's home. */
static char *absolute(const struct paths *paths, const char *path)
{
	const char *home = *path == '~' ? getenv("HOME") : NULL;

	if (home) {
		char *below MVM_CLEAN_FREE = mvm_format("./%s", path + 1);

		return join_path(home, below);
	}
	return *path == '/' || !*path ? mvm_strdup(path) : join_path(paths->folder, path);
}

static void set_absolute(const struct paths *paths, struct node *node)
{
	char *path MVM_CLEAN_FREE = absolute(paths, node->text);

	node->text = pool_text(paths->pool, path, strlen(path));
}

/* A Git repository, a URL or another service's image is none. */
static bool is_local_context(const char *text)
{
	static const char *const remote[] = {"service:", "github.com/", "git@"};

	for (size_t i = 0; i < MVM_COUNT(remote); i++)
		if (!strncmp(text, remote[i], strlen(remote[i])))
			return false;
	return !strstr(text, "://");
}

static bool is_bind(const struct node *mount)
{
	const char *type = node_get_text(mount, "type"), *source = node_get_text(mount, "source");

	return type && source && !strcmp(type, "bind");
}

/* A volume that is a folder of the host. */
static void set_device(const struct paths *paths, const struct node *volume)
{
	const struct node *options = node_get(volume, "driver_opts");
	const char *driver = node_get_text(volume, "driver"), *kind = node_get_text(options, "o");
	struct node *device = node_get(options, "device");

	if (driver && kind && node_is(device, NODE_STRING) && !strcmp(driver, "local") && !strcmp(kind, "bind"))
		set_absolute(paths, device);
}

static int set_path(void *arg, struct node **node, const struct type *type, struct mvm_error **err)
{
	const struct paths *paths = arg;

	switch (type->path) {
	case PATH_CONTEXT:
		if (node_is(*node, NODE_STRING) && is_local_context((*node)->text))
			set_absolute(paths, *node);
		break;
	case PATH_FILE:
		if (node_is(*node, NODE_STRING))
			set_absolute(paths, *node);
		break;
	case PATH_MOUNT:
		if (is_bind(*node))
			set_absolute(paths, node_get(*node, "source"));
		break;
	case PATH_DRIVER_OPTIONS:
		set_device(paths, *node);
		break;
	case PATH_NONE:
		break;
	}
	return 0;
}

static void resolve_extends(struct mvm_compose *compose, struct node *model, const char *folder)
{
	const struct paths paths = {.pool = &compose->pool, .folder = folder};
	const struct node *services = section_of(model, "services");

	for (size_t i = 0; services && i < services->count; i++) {
		struct node *file = node_get(node_get(services->entries[i].value, "extends"), "file");

		if (node_is(file, NODE_STRING))
			set_absolute(&paths, file);
	}
}

int resolve_paths(struct mvm_compose *compose, struct node *model, const char *folder, struct mvm_error **err)
{
	struct paths paths = {.pool = &compose->pool, .folder = folder};

	resolve_extends(compose, model, folder);
	if (compose->options->no_path_resolution)
		return 0;
	return visit_paths(&model, &schema_project, set_path, &paths, err);
}

/* "- NAME" of an environment is what the variable is. */
static void name_variables(struct mvm_compose *compose, struct node *list, const struct mvm_strv *environment)
{
	for (size_t i = 0; node_is(list, NODE_LIST) && i < list->count; i++) {
		struct node *item = list->entries[i].value;
		const char *value = strchr(item->text, '=') ? NULL : environment_find(environment, item->text);

		if (value)
			item->text = pool_format(&compose->pool, "%s=%s", item->text, value);
	}
}

int settle(struct mvm_compose *compose, struct node *model, const struct unit *unit, struct mvm_error **err)
{
	static const char *const configs[] = {"file", "environment", "content", NULL};
	static const char *const secrets[] = {"file", "environment", NULL};
	const struct node *services = section_of(model, "services");

	if (settle_services(compose, services, err) < 0 || check_volumes(section_of(model, "volumes"), err) < 0 ||
	    check_objects(model, "configs", configs, err) < 0 || check_objects(model, "secrets", secrets, err) < 0 ||
	    resolve_paths(compose, model, unit->folder, err) < 0)
		return -1;
	for (size_t i = 0; services && i < services->count; i++)
		name_variables(compose, node_get(services->entries[i].value, "environment"), &unit->environment);
	return 0;
}
