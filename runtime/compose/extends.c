/*
 * `extends`: a service is merged over another one, of its file or of another.
 */
#include <string.h>

#include "internal.h"

/* A service on the way to the one that extends nothing. */
struct link {
	const struct link *up;
	const char *file, *service;
	struct node *services; /* among which it is */
	struct node *written;  /* of a file that is extended: those that nobody has looked at yet; NULL: none */
	const char *folder;    /* from which on it names files */
};

static int fail_circle(const struct link *link, const struct node *place, struct mvm_error **err)
{
	struct mvm_buf text MVM_CLEAN_BUF = {0};
	const struct link *first = link;

	while (first->up)
		first = first->up;
	mvm_buf_addf(&text, "%s in %s", first->service, first->file);
	for (const struct link *from = first; from != link;) {
		const struct link *next = link;

		while (next->up != from)
			next = next->up;
		mvm_buf_addf(&text, " extends %s in %s", next->service, next->file);
		from = next;
	}
	return node_fail(err, place, "Circular reference: %s", text.data);
}

static int check_circle(const struct link *link, const struct node *place, struct mvm_error **err)
{
	for (const struct link *before = link->up; before; before = before->up)
		if (!strcmp(before->file, link->file) && !strcmp(before->service, link->service))
			return fail_circle(link, place, err);
	return 0;
}

/* What stands in another file, with variables replaced. Each is read once: its services go from "written" to "services"
 * as they are needed, since what is wrong with others is nobody's business. */
static int load_extended(struct mvm_compose *compose, const char *path, const struct node *place,
			 const struct mvm_strv *environment, struct node **extended, struct mvm_error **err)
{
	struct pool *pool = &compose->pool;
	struct node *documents, *file = node_get(compose->extended, path), *all;

	if (!file) {
		if (load_raw_file(compose, path, &documents, err) < 0)
			return node_wrap(err, place);
		file = node_new(pool, NODE_MAP, documents);
		all = node_new(pool, NODE_MAP, documents);
		for (size_t i = 0; i < documents->count; i++) {
			const struct node *services = section_of(documents->entries[i].value, "services");

			for (size_t j = 0; services && j < services->count; j++)
				node_set(pool, all, services->entries[j].key, services->entries[j].value);
		}
		if (!compose->options->no_interpolate && replace_variables(compose, all, environment, NULL, err) < 0)
			return -1;
		node_set(pool, file, "written", all);
		node_set(pool, file, "services", node_new(pool, NODE_MAP, documents));
		node_set(pool, compose->extended, path, file);
	}
	*extended = file;
	return 0;
}

/* Moves a service to those that can be merged. One that is null is empty. */
static int prepare_service(struct mvm_compose *compose, struct link *link, struct mvm_error **err)
{
	struct node *service = node_get(link->written, link->service), *model, *services;
	const struct path above = {.key = "services"}, path = {.up = &above, .key = link->service};
	struct pool *pool = &compose->pool;

	if (!service || node_get(link->services, link->service))
		return 0;
	if (node_is(service, NODE_NULL))
		service = node_new(pool, NODE_MAP, service);
	if (check_node(compose, &service, &schema_service, &path, err) < 0 ||
	    lengthen_node(compose, &service, &schema_service, err) < 0)
		return -1;
	services = node_new(pool, NODE_MAP, service);
	node_set(pool, services, link->service, service);
	model = node_new(pool, NODE_MAP, service);
	node_set(pool, model, "services", services);
	if (resolve_paths(compose, model, link->folder, err) < 0)
		return -1;
	node_set(pool, link->services, link->service, service);
	return 0;
}

static int find_base(struct mvm_compose *compose, const struct unit *unit, const struct link *link,
		     const struct node *extends, struct link *base, struct mvm_error **err)
{
	const char *file = node_get_text(extends, "file"), *name = node_get_text(extends, "service");

	if (!name)
		return node_fail(err, extends, "extends.%s.service is required", link->service);
	*base = (struct link){.up = link, .file = link->file, .service = name, .services = link->services};
	base->written = link->written;
	base->folder = link->folder;
	if (file) {
		char *path MVM_CLEAN_FREE = join_path(link->folder, file), *folder MVM_CLEAN_FREE = folder_of(path);
		struct node *extended = NULL;

		if (load_extended(compose, path, extends, &unit->environment, &extended, err) < 0)
			return -1;
		base->services = node_get(extended, "services");
		base->written = node_get(extended, "written");
		base->file = pool_text(&compose->pool, path, strlen(path));
		base->folder = pool_text(&compose->pool, folder, strlen(folder));
	}
	if (prepare_service(compose, base, err) < 0)
		return -1;
	if (!node_get(base->services, name))
		return node_fail(err, extends, "cannot extend service \"%s\" in %s: service \"%s\" not found",
				 link->service, shown_path(&compose->pool, base->file), name);
	return check_circle(base, extends, err);
}

static int extend(struct mvm_compose *compose, const struct unit *unit, const struct link *link, unsigned depth,
		  struct mvm_error **err)
{
	struct node *service = node_get(link->services, link->service), *extends = node_get(service, "extends"),
		    *merged;
	const struct path path = {.key = link->service};
	struct link base;

	if (!node_is(extends, NODE_MAP))
		return 0;
	if (depth > POOL_MAX_DEPTH)
		return node_fail(err, extends, "extends goes over more than %d services", POOL_MAX_DEPTH);
	if (find_base(compose, unit, link, extends, &base, err) < 0 || extend(compose, unit, &base, depth + 1, err) < 0)
		return -1;
	merged = node_copy(&compose->pool, node_get(base.services, base.service));
	strip_tags(merged);
	if (pool_check(&compose->pool, extends, err) < 0 ||
	    merge_node(&compose->pool, merged, service, &schema_service, &path, &merged, err) < 0)
		return -1;
	merged->line = service->line;
	merged->column = service->column;
	merged->file = service->file;
	node_remove(merged, "extends");
	node_set(&compose->pool, link->services, link->service, merged);
	return 0;
}

int apply_extends(struct mvm_compose *compose, const struct unit *unit, const char *file, struct node *model,
		  struct mvm_error **err)
{
	struct node *services = node_get(model, "services");

	for (size_t i = 0; services && i < services->count; i++) {
		const struct link link = {.file = file,
					  .service = services->entries[i].key,
					  .services = services,
					  .folder = unit->folder};

		if (extend(compose, unit, &link, 0, err) < 0)
			return -1;
	}
	return 0;
}
