/*
 * The files that a service names for its environment and its labels: what they say is there, unless the service says
 * otherwise.
 */
#include <string.h>
#include <unistd.h>

#include "dotenv.h"
#include "internal.h"

struct lookup {
	struct mvm_compose *compose;
	const struct node *environment; /* the service's */
};

static const char *look_up(void *arg, const char *name)
{
	const struct lookup *lookup = arg;
	const char *value = environment_find(&lookup->compose->environment, name);

	return value ? value : node_get_text(lookup->environment, name);
}

static void look_up_failed(void *arg, const char *name)
{
	const struct lookup *lookup = arg;

	note_unset(lookup->compose, name);
}

static int read_env_file(struct lookup *lookup, const struct node *entry, struct mvm_strv *out, struct mvm_error **err)
{
	const struct substitution how = {.find = look_up, .unset = look_up_failed, .arg = lookup};
	const char *path = node_get_text(entry, "path"), *format = node_get_text(entry, "format");
	const struct node *required = node_get(entry, "required");

	if (access(path, F_OK) < 0 && node_is(required, NODE_BOOL) && !required->truth)
		return 0;
	if (access(path, F_OK) < 0)
		return node_fail(err, entry, "env file %s not found", path);
	if (format && *format)
		return !strcmp(format, "raw") ? dotenv_read_raw(path, &how, out, err)
					      : node_fail(err, entry, "unsupported env_file format \"%s\"", format);
	return dotenv_read(path, &how, out, err) < 0 ? node_wrap(err, entry) : 0;
}

/* Files first, and the service's own over them. */
static void put_before(struct pool *pool, struct node *service, const char *key, const struct mvm_strv *read)
{
	struct node *own = node_get(service, key), *all = node_new(pool, NODE_MAP, service);

	for (size_t i = 0; i < read->count; i++) {
		size_t name = strcspn(read->items[i], "=");

		node_set(pool, all, pool_text(pool, read->items[i], name),
			 node_string(pool, read->items[i] + name + 1, service));
	}
	for (size_t i = 0; own && i < own->count; i++)
		node_set(pool, all, own->entries[i].key, own->entries[i].value);
	if (all->count)
		node_set(pool, service, key, all);
}

static int resolve_environment(struct mvm_compose *compose, struct node *service, struct mvm_error **err)
{
	struct lookup lookup = {.compose = compose, .environment = node_get(service, "environment")};
	const struct node *files = node_get(service, "env_file");
	struct mvm_strv read MVM_CLEAN_STRV = {0};

	for (size_t i = 0; files && i < files->count; i++)
		if (read_env_file(&lookup, files->entries[i].value, &read, err) < 0)
			return -1;
	put_before(&compose->pool, service, "environment", &read);
	node_remove(service, "env_file");
	return 0;
}

static const char *find_read(void *arg, const char *name)
{
	return environment_find(arg, name);
}

static int resolve_labels(struct mvm_compose *compose, struct node *service, struct mvm_error **err)
{
	const struct node *files = node_get(service, "label_file");
	struct mvm_strv read MVM_CLEAN_STRV = {0};
	const struct substitution how = {.find = find_read, .arg = &read};

	for (size_t i = 0; files && i < files->count; i++) {
		const struct node *file = files->entries[i].value;

		if (access(file->text, F_OK) < 0)
			return node_fail(err, file, "label file %s not found", file->text);
		if (dotenv_read(file->text, &how, &read, err) < 0)
			return node_wrap(err, file);
	}
	put_before(&compose->pool, service, "labels", &read);
	node_remove(service, "label_file");
	return 0;
}

int resolve_files(struct mvm_compose *compose, struct mvm_error **err)
{
	const struct node *services = section_of(compose->model, "services");

	for (size_t i = 0; services && i < services->count; i++) {
		struct node *service = services->entries[i].value;

		if (!compose->options->no_env_resolution && resolve_environment(compose, service, err) < 0)
			return -1;
		if (resolve_labels(compose, service, err) < 0)
			return -1;
	}
	return 0;
}
