/*
 * What a service's containers mount: volumes of the project, folders and files of the host, secrets and configs.
 */
#include <string.h>

#include "request.h"
#include "runtime/base/text.h"
#include "share/mount.h"

static bool says_no(const struct node *map, const char *key)
{
	const struct node *value = node_get(map, key);

	return node_is(value, NODE_BOOL) && !value->truth;
}

static bool says_yes(const struct node *map, const char *key)
{
	const struct node *value = node_get(map, key);

	return node_is(value, NODE_BOOL) && value->truth;
}

static void take_mount(struct service_request *out, struct mvm_mount *mount)
{
	mvm_strv_take(mount->short_form ? &out->binds : &out->mounts, mvm_mount_format(mount));
	mvm_mount_finish(mount);
}

/* A folder that is missing is made only by the short form, which has no place for a colon. */
static int add_bind(const struct node *node, struct mvm_mount *mount, struct mvm_error **err)
{
	const struct node *bind = node_get(node, "bind");
	const char *propagation = node_get_text(bind, "propagation");

	mount->type = MVM_MOUNT_BIND;
	if (!mount->source)
		return node_fail(err, node, "invalid mount config for type \"bind\": field Source must not be empty");
	mount->short_form =
		!says_no(bind, "create_host_path") && !strchr(mount->source, ':') && !strchr(mount->target, ':');
	mount->propagation = propagation && *propagation ? mvm_strdup(propagation) : NULL;
	if (mount->short_form)
		mount->mode = mvm_format("%s%s%s", mount->read_only ? "ro" : "",
					 mount->read_only && propagation ? "," : "", propagation ? propagation : "");
	return 0;
}

static void add_volume(const struct mvm_compose *compose, const struct node *node, struct mvm_mount *mount)
{
	const struct node *volume = node_get(node, "volume");
	const char *subpath = node_get_text(volume, "subpath");
	const char *name =
		mount->source ? node_get_text(node_get(section_of(compose->model, "volumes"), mount->source), "name")
			      : NULL;

	mount->type = MVM_MOUNT_VOLUME;
	mount->no_copy = says_yes(volume, "nocopy");
	mount->subpath = subpath && *subpath ? mvm_strdup(subpath) : NULL;
	if (!name)
		return;
	free(mount->source);
	mount->source = mvm_strdup(name);
}

static int add_tmpfs(const struct node *node, struct mvm_mount *mount, struct mvm_error **err)
{
	const struct node *tmpfs = node_get(node, "tmpfs"), *mode = node_get(tmpfs, "mode"),
			  *size = node_get(tmpfs, "size");
	char *text MVM_CLEAN_FREE = size ? node_to_text(size) : NULL;

	mount->type = MVM_MOUNT_TMPFS;
	mount->tmpfs_mode = node_is(mode, NODE_INT) && mode->integer ? mode->integer : -1;
	if (text && *text && !mvm_parse_size(text, &mount->tmpfs_size))
		return node_fail(err, size, "invalid size: '%s'", text);
	return 0;
}

static int add_mount(const struct mvm_compose *compose, const struct node *node, struct service_request *out,
		     struct mvm_error **err)
{
	struct mvm_mount mount MVM_CLEAN_MOUNT = {.tmpfs_mode = -1};
	const char *type = node_get_text(node, "type"), *source = node_get_text(node, "source");
	const char *target = node_get_text(node, "target");

	if (!target || *target != '/')
		return node_fail(err, node, "invalid mount path: '%s' mount path must be absolute",
				 target ? target : "");
	mount.source = source && *source ? mvm_strdup(source) : NULL;
	mount.target = mvm_strdup(target);
	mount.read_only = says_yes(node, "read_only");
	if (!strcmp(type, "volume"))
		add_volume(compose, node, &mount);
	else if (!strcmp(type, "bind")	  ? add_bind(node, &mount, err) < 0
		 : !strcmp(type, "tmpfs") ? add_tmpfs(node, &mount, err) < 0
					  : node_fail(err, node,
						      "a mount of type \"%s\" is not possible; use bind, volume "
						      "or tmpfs",
						      type) < 0)
		return -1;
	take_mount(out, &mount);
	return 0;
}

/* The anonymous volumes of the container that it takes the place of, where nothing else is to be. */
static bool has_own(const struct node *service, const char *target)
{
	const struct node *mounts = node_get(service, "volumes"), *tmpfs = node_get(service, "tmpfs");

	for (size_t i = 0; node_is(mounts, NODE_LIST) && i < mounts->count; i++) {
		const struct node *mount = mounts->entries[i].value;
		const char *own = node_get_text(mount, "target"), *source = node_get_text(mount, "source");

		if (own && !strcmp(own, target) &&
		    ((source && *source) || strcmp(node_get_text(mount, "type"), "volume") != 0))
			return true;
	}
	for (size_t i = 0; node_is(tmpfs, NODE_LIST) && i < tmpfs->count; i++)
		if (!strncmp(tmpfs->entries[i].value->text, target, strlen(target)) &&
		    strchr(":", tmpfs->entries[i].value->text[strlen(target)]))
			return true;
	return false;
}

/* One that was taken over before has been named since. */
static bool is_anonymous(const struct mvm_state *state, const char *name)
{
	struct mvm_volume *volume MVM_CLEAN_VOLUME = NULL;

	return mvm_volume_load(state, name, &volume, NULL) == 0 && mvm_volume_is_anonymous(volume);
}

static void inherit(const struct service_wish *wish, struct mvm_strv *targets, struct service_request *out)
{
	const struct mvm_strv *volumes = &wish->inherit->config.volumes;

	for (size_t i = 0; i < volumes->count; i++) {
		struct mvm_mount mount MVM_CLEAN_MOUNT = {0};

		if (mvm_mount_parse_long(volumes->items[i], &mount, NULL) < 0 || mount.type != MVM_MOUNT_VOLUME ||
		    !mount.source || !is_anonymous(wish->state, mount.source) || has_own(wish->node, mount.target))
			continue;
		mvm_strv_add(targets, mount.target);
		take_mount(out, &mount);
	}
}

int request_mounts(struct mvm_compose *compose, const struct service_wish *wish, struct service_request *out,
		   struct mvm_error **err)
{
	const struct node *mounts = node_get(wish->node, "volumes");
	struct mvm_strv inherited MVM_CLEAN_STRV = {0};

	if (wish->inherit)
		inherit(wish, &inherited, out);
	for (size_t i = 0; node_is(mounts, NODE_LIST) && i < mounts->count; i++)
		if (!mvm_strv_has(&inherited, node_get_text(mounts->entries[i].value, "target")) &&
		    add_mount(compose, mounts->entries[i].value, out, err) < 0)
			return -1;
	out->request.volumes = &out->binds;
	out->request.mounts = &out->mounts;
	return 0;
}
