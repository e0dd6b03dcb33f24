/*
 * Secrets and configs: a file of the host is mounted, and what is a variable's value or stands in the compose file is a
 * small file of the container's own. Either is read-only.
 */
#include <string.h>

#include "request.h"
#include "share/mount.h"
#include "substitute.h"

struct kind {
	const char *section, *what, *folder; /* where a name alone leads */
};
static const struct kind kinds[] = {{"secrets", "secret", "/run/secrets/"}, {"configs", "config", "/"}};

static char *target_of(const struct kind *kind, const struct node *reference)
{
	const char *target = node_get_text(reference, "target"), *source = node_get_text(reference, "source");

	if (!target || !*target)
		target = source;
	return *target == '/' ? mvm_strdup(target) : mvm_format("%s%s", kind->folder, target);
}

static unsigned mode_of(const struct node *reference)
{
	const char *mode = node_get_text(reference, "mode");

	return mode ? (unsigned)strtoul(mode, NULL, 8) : 0444;
}

static void warn_of_owner(struct mvm_compose *compose, const struct kind *kind, const struct node *reference, bool mode)
{
	if (node_get(reference, "uid") || node_get(reference, "gid") || (mode && node_get(reference, "mode")))
		node_warn(&compose->pool, reference, "%s `uid`, `gid`%s are not supported, they will be ignored",
			  kind->section, mode ? " and `mode`" : "");
}

static void add_bind(const char *file, const char *target, struct service_request *out)
{
	struct mvm_mount mount MVM_CLEAN_MOUNT = {.type = MVM_MOUNT_BIND, .read_only = true, .tmpfs_mode = -1};

	mount.source = mvm_strdup(file);
	mount.target = mvm_strdup(target);
	mvm_strv_take(&out->mounts, mvm_mount_format(&mount));
}

static void add_file(struct service_request *out, const char *target, const char *data, unsigned mode)
{
	struct mvm_create_request *request = &out->request;

	out->files = mvm_realloc(out->files, request->file_count + 1, sizeof(*out->files));
	mvm_strv_add(&out->file_texts, target);
	mvm_strv_add(&out->file_texts, data);
	out->files[request->file_count++] =
		(struct mvm_file_request){.target = out->file_texts.items[out->file_texts.count - 2],
					  .data = out->file_texts.items[out->file_texts.count - 1],
					  .length = strlen(data),
					  .mode = mode};
	request->files = out->files;
}

static int add_reference(struct mvm_compose *compose, const struct kind *kind, const struct node *reference,
			 struct service_request *out, struct mvm_error **err)
{
	const struct node *object =
		node_get(section_of(compose->model, kind->section), node_get_text(reference, "source"));
	const struct node *external = node_get(object, "external");
	const char *file = node_get_text(object, "file"), *name = node_get_text(object, "environment");
	const char *content = node_get_text(object, "content"), *value;
	char *target MVM_CLEAN_FREE = target_of(kind, reference);

	if (node_is(external, NODE_BOOL) && external->truth)
		return node_fail(err, reference, "unsupported external %s %s", kind->what,
				 node_get_text(object, "name"));
	if (file) {
		warn_of_owner(compose, kind, reference, true);
		add_bind(file, target, out);
		return 0;
	}
	warn_of_owner(compose, kind, reference, false);
	value = content ? content : environment_find(&compose->environment, name ? name : "");
	if (!value)
		return node_fail(err, object, "environment variable \"%s\" required by %s \"%s\" is not set",
				 name ? name : "", kind->what, node_get_text(reference, "source"));
	add_file(out, target, value, mode_of(reference));
	return 0;
}

int request_files(struct mvm_compose *compose, const struct service_wish *wish, struct service_request *out,
		  struct mvm_error **err)
{
	for (size_t n = 0; n < MVM_COUNT(kinds); n++) {
		const struct node *list = node_get(wish->node, kinds[n].section);

		for (size_t i = 0; node_is(list, NODE_LIST) && i < list->count; i++)
			if (add_reference(compose, &kinds[n], list->entries[i].value, out, err) < 0)
				return -1;
	}
	return 0;
}
