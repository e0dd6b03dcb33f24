/*
 * Which services, and what belongs to them, a command is about.
 */
#include <fnmatch.h>
#include <string.h>

#include "internal.h"

static bool has_profile(const struct mvm_compose *compose, const struct node *service)
{
	const struct node *profiles = node_get(service, "profiles");

	if (!node_is(profiles, NODE_LIST) || !profiles->count)
		return true;
	for (size_t i = 0; i < compose->profiles.count; i++) {
		if (!strcmp(compose->profiles.items[i], "*"))
			return true;
		for (size_t j = 0; j < profiles->count; j++)
			if (!strcmp(profiles->entries[j].value->text, compose->profiles.items[i]))
				return true;
	}
	return false;
}

static struct node *services_of(struct mvm_compose *compose)
{
	node_default(&compose->pool, compose->model, "services", node_new(&compose->pool, NODE_MAP, compose->model));
	return node_get(compose->model, "services");
}

void choose_profiles(struct mvm_compose *compose)
{
	struct node *services = services_of(compose), *all = node_new(&compose->pool, NODE_MAP, services);
	struct node *sources[] = {services, compose->disabled};
	struct node *disabled = node_new(&compose->pool, NODE_MAP, services);

	for (size_t n = 0; n < MVM_COUNT(sources); n++)
		for (size_t i = 0; i < sources[n]->count; i++) {
			const struct node_entry *entry = &sources[n]->entries[i];

			node_set(&compose->pool, has_profile(compose, entry->value) ? all : disabled, entry->key,
				 entry->value);
		}
	compose->disabled = disabled;
	node_set(&compose->pool, compose->model, "services", all);
}

/* Names may be patterns. */
static int mark(const struct node *services, const char *name, bool needed, bool alone, bool *marked,
		struct mvm_error **err)
{
	bool found = false;

	for (size_t i = 0; i < services->count; i++) {
		const struct node *depends = node_get(services->entries[i].value, "depends_on");

		if (fnmatch(name, services->entries[i].key, 0) != 0)
			continue;
		found = true;
		if (marked[i])
			continue;
		marked[i] = true;
		for (size_t j = 0; !alone && node_is(depends, NODE_MAP) && j < depends->count; j++) {
			const struct node *required = node_get(depends->entries[j].value, "required");

			if (mark(services, depends->entries[j].key, !node_is(required, NODE_BOOL) || required->truth,
				 false, marked, err) < 0)
				return -1;
		}
	}
	if (!found && needed)
		return mvm_fail(err, MVM_ERR_NOT_FOUND, "no such service: %s", name);
	return 0;
}

static void forget_dependencies(struct node *services, const char *name)
{
	for (size_t i = 0; i < services->count; i++) {
		struct node *service = services->entries[i].value, *depends = node_get(service, "depends_on");

		if (!node_is(depends, NODE_MAP))
			continue;
		node_remove(depends, name);
		if (!depends->count)
			node_remove(service, "depends_on");
	}
}

/* Who is asked for by name is there whatever its profile. */
static void enable(struct mvm_compose *compose, char *const *names)
{
	for (; *names; names++) {
		const struct node *service = node_get(compose->disabled, *names);
		const struct node *profiles = node_get(service, "profiles");

		for (size_t i = 0; node_is(profiles, NODE_LIST) && i < profiles->count; i++)
			mvm_strv_add(&compose->profiles, profiles->entries[i].value->text);
	}
	choose_profiles(compose);
}

int choose_services(struct mvm_compose *compose, struct mvm_error **err)
{
	char *const *names = compose->options->services;
	struct node *services, *chosen;
	bool *marked MVM_CLEAN_FREE = NULL;

	if (!names || !*names)
		return 0;
	enable(compose, names);
	services = services_of(compose);
	marked = mvm_alloc(services->count + 1);
	for (; *names; names++)
		if (mark(services, *names, true, compose->options->no_dependencies, marked, err) < 0)
			return -1;
	chosen = node_new(&compose->pool, NODE_MAP, services);
	for (size_t i = 0; i < services->count; i++) {
		const struct node_entry *entry = &services->entries[i];

		node_set(&compose->pool, marked[i] ? chosen : compose->disabled, entry->key, entry->value);
	}
	for (size_t i = 0; i < services->count; i++)
		if (!marked[i])
			forget_dependencies(chosen, services->entries[i].key);
	node_set(&compose->pool, compose->model, "services", chosen);
	return 0;
}

static bool names_source(const struct node *list, const char *name)
{
	for (size_t i = 0; node_is(list, NODE_LIST) && i < list->count; i++) {
		const char *source = node_get_text(list->entries[i].value, "source");

		if (source && !strcmp(source, name))
			return true;
	}
	return false;
}

static bool uses(const struct node *service, const char *section, const char *name)
{
	if (!strcmp(section, "networks") || !strcmp(section, "models"))
		return node_get(node_get(service, section), name) != NULL;
	return names_source(node_get(service, section), name) ||
	       names_source(node_get(node_get(service, "build"), section), name);
}

static void drop_from(struct mvm_compose *compose, const char *section)
{
	struct node *objects = section_of(compose->model, section), *services = services_of(compose);
	size_t kept = 0;

	for (size_t i = 0; objects && i < objects->count; i++) {
		size_t user = 0;

		while (user < services->count && !uses(services->entries[user].value, section, objects->entries[i].key))
			user++;
		if (user < services->count)
			objects->entries[kept++] = objects->entries[i];
	}
	if (objects)
		objects->count = kept;
}

void drop_unused(struct mvm_compose *compose)
{
	static const char *const sections[] = {"networks", "volumes", "secrets", "configs", "models"};

	for (size_t i = 0; i < MVM_COUNT(sections); i++)
		drop_from(compose, sections[i]);
}
