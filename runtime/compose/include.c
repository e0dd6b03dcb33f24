/*
 * `include`: other projects whose services, networks and so on are brought in; each has its own folder and .env.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "internal.h"
#include "substitute.h"

static const char *const sections[] = {"services", "volumes", "networks", "secrets", "configs", "models"};

struct node *section_of(const struct node *model, const char *section)
{
	struct node *found = node_get(model, section);

	return node_is(found, NODE_MAP) ? found : NULL;
}

/* What is said here comes over what was included. */
static int import_section(struct mvm_compose *compose, const struct node *from, struct node *model, const char *section,
			  struct mvm_error **err)
{
	struct pool *pool = &compose->pool;
	const struct type *type = schema_of(&schema_project, section);
	struct node *to;

	if (!from)
		return 0;
	node_default(pool, model, section, node_new(pool, NODE_MAP, from));
	to = node_get(model, section);
	for (size_t i = 0; i < from->count; i++) {
		const struct node_entry *entry = &from->entries[i];
		const struct path above = {.key = section}, path = {.up = &above, .key = entry->key};
		struct node *own = node_get(to, entry->key), *merged = entry->value;

		if (own && merge_node(pool, entry->value, own, type->values, &path, &merged, err) < 0)
			return -1;
		node_set(pool, to, entry->key, merged);
	}
	return 0;
}

static int fail_circle(const struct unit *unit, const char *path, const struct node *place, struct mvm_error **err)
{
	struct mvm_strv files MVM_CLEAN_STRV = {0};
	char *text MVM_CLEAN_FREE = NULL;

	for (const struct unit *at = unit; at; at = at->parent)
		mvm_strv_add(&files, at->files.items[0]);
	for (size_t i = 0; i < files.count / 2; i++) {
		char *swap = files.items[i];

		files.items[i] = files.items[files.count - 1 - i];
		files.items[files.count - 1 - i] = swap;
	}
	mvm_strv_add(&files, path);
	text = mvm_strv_join(&files, " include ");
	return node_fail(err, place, "include cycle detected: %s", text);
}

static int check_circle(const struct unit *unit, const char *path, const struct node *place, struct mvm_error **err)
{
	unsigned depth = 0;

	for (const struct unit *at = unit; at; at = at->parent) {
		for (size_t i = 0; i < at->files.count; i++)
			if (!strcmp(at->files.items[i], path))
				return fail_circle(unit, path, place, err);
		if (++depth > POOL_MAX_DEPTH)
			return node_fail(err, place, "include goes over more than %d files", POOL_MAX_DEPTH);
	}
	return 0;
}

static int add_paths(const struct unit *parent, const struct node *entry, struct unit *unit, struct mvm_error **err)
{
	const struct node *paths = node_get(entry, "path");
	const char *folder = node_get_text(entry, "project_directory");

	for (size_t i = 0; paths && i < paths->count; i++) {
		char *path MVM_CLEAN_FREE = join_path(parent->folder, paths->entries[i].value->text);

		if (check_circle(parent, path, paths->entries[i].value, err) < 0)
			return -1;
		mvm_strv_add(&unit->files, path);
	}
	if (!unit->files.count)
		return node_fail(err, entry, "include.path is required");
	unit->folder = folder ? join_path(parent->folder, folder) : folder_of(unit->files.items[0]);
	return 0;
}

/* Its own files, or the .env in its folder; what is set already stays. */
static int add_environment(struct mvm_compose *compose, const struct unit *parent, const struct node *entry,
			   struct unit *unit, struct mvm_error **err)
{
	const struct node *given = node_get(entry, "env_file");
	struct mvm_strv files MVM_CLEAN_STRV = {0};
	char *usual MVM_CLEAN_FREE = join_path(unit->folder, ".env");

	if (!given && is_file(usual))
		mvm_strv_add(&files, usual);
	for (size_t i = 0; given && i < given->count; i++) {
		const char *name = given->entries[i].value->text;
		char *path MVM_CLEAN_FREE = join_path(parent->folder, name);

		if (strcmp(name, "/dev/null") != 0)
			mvm_strv_add(&files, path);
	}
	for (size_t i = 0; i < parent->environment.count; i++)
		mvm_strv_add(&unit->environment, parent->environment.items[i]);
	if (read_env_files(compose, &files, &unit->environment, err) < 0)
		return node_wrap(err, entry);
	return 0;
}

static int include(struct mvm_compose *compose, const struct unit *parent, const struct node *entry, struct node *model,
		   struct mvm_error **err)
{
	struct unit unit __attribute__((cleanup(unit_finish))) = {.parent = parent};
	struct node *imported;

	if (add_paths(parent, entry, &unit, err) < 0 || add_environment(compose, parent, entry, &unit, err) < 0)
		return -1;
	for (size_t i = 0; i < unit.files.count; i++)
		if (!is_file(unit.files.items[i]))
			return node_fail(err, entry, "include: no such file: %s", unit.files.items[i]);
	if (load_unit(compose, &unit, &imported, err) < 0 || pool_check(&compose->pool, entry, err) < 0)
		return -1;
	for (size_t i = 0; i < MVM_COUNT(sections); i++)
		if (import_section(compose, section_of(imported, sections[i]), model, sections[i], err) < 0)
			return -1;
	return 0;
}

int apply_includes(struct mvm_compose *compose, const struct unit *unit, struct node *model, struct mvm_error **err)
{
	const struct node *entries = node_get(model, "include");

	for (size_t i = 0; entries && i < entries->count; i++)
		if (include(compose, unit, entries->entries[i].value, model, err) < 0)
			return -1;
	node_remove(model, "include");
	return 0;
}
