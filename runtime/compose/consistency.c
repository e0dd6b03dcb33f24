/*
 * Whether a project fits together: what services refer to is there, what excludes each other is not there at once, and
 * nothing depends on itself.
 */
#include <math.h>
#include <string.h>

#include "internal.h"

struct place {
	const struct mvm_compose *compose;
	const char *name;
	const struct node *service;
};

static bool has_text(const struct node *node, const char *key)
{
	const char *text = node_get_text(node, key);

	return text && *text;
}

static int check_image(const struct place *at, struct mvm_error **err)
{
	const struct node *build = node_get(at->service, "build"), *platforms = node_get(build, "platforms");
	const char *platform = node_get_text(at->service, "platform");
	bool found = !platform || !*platform || !node_is(platforms, NODE_LIST) || !platforms->count;

	if (!build && !has_text(at->service, "image") && !node_get(at->service, "provider"))
		return node_fail(err, at->service, "service \"%s\" has neither an image nor a build context specified",
				 at->name);
	if (has_text(build, "dockerfile_inline") && has_text(build, "dockerfile"))
		return node_fail(err, build,
				 "service \"%s\" declares mutualy exclusive dockerfile and dockerfile_inline",
				 at->name);
	for (size_t i = 0; !found && i < platforms->count; i++)
		found = !strcmp(platforms->entries[i].value->text, platform);
	if (!found)
		return node_fail(err, platforms, "service.build.platforms MUST include service.platform \"%s\"",
				 platform);
	return 0;
}

static int check_networks(const struct place *at, struct mvm_error **err)
{
	const struct node *networks = node_get(at->service, "networks");
	const struct node *known = section_of(at->compose->model, "networks");
	bool some = node_is(networks, NODE_MAP) && networks->count;

	if (some && has_text(at->service, "network_mode"))
		return node_fail(err, networks, "service %s declares mutually exclusive `network_mode` and `networks`",
				 at->name);
	for (size_t i = 0; some && i < networks->count; i++)
		if (!node_get(known, networks->entries[i].key))
			return node_fail(err, networks->entries[i].value->line ? networks->entries[i].value : networks,
					 "service \"%s\" refers to undefined network %s", at->name,
					 networks->entries[i].key);
	return 0;
}

static int check_test(const struct place *at, struct mvm_error **err)
{
	const struct node *test = node_get(node_get(at->service, "healthcheck"), "test");
	const char *first = node_is(test, NODE_LIST) && test->count ? test->entries[0].value->text : "NONE";

	if (strcmp(first, "CMD") != 0 && strcmp(first, "CMD-SHELL") != 0 && strcmp(first, "NONE") != 0)
		return node_fail(err, test, "healthcheck.test must start either by \"CMD\", \"CMD-SHELL\" or \"NONE\"");
	return 0;
}

static int check_dependencies(const struct place *at, struct mvm_error **err)
{
	const struct node *depends = node_get(at->service, "depends_on");
	const struct node *services = section_of(at->compose->model, "services");

	for (size_t i = 0; node_is(depends, NODE_MAP) && i < depends->count; i++) {
		const char *name = depends->entries[i].key;
		const struct node *required = node_get(depends->entries[i].value, "required");

		if (node_get(services, name))
			continue;
		if (node_get(at->compose->disabled, name) && node_is(required, NODE_BOOL) && !required->truth)
			continue;
		return node_fail(err, depends->entries[i].value, "service \"%s\" depends on undefined service \"%s\"%s",
				 at->name, name,
				 node_get(at->compose->disabled, name) ? ": its profile is not enabled" : "");
	}
	return 0;
}

static int check_sources(const struct place *at, const struct node *list, const char *section, const char *what,
			 struct mvm_error **err)
{
	const struct node *known = section_of(at->compose->model, section);

	for (size_t i = 0; node_is(list, NODE_LIST) && i < list->count; i++) {
		const struct node *item = list->entries[i].value;
		const char *source = node_get_text(item, "source"), *type = node_get_text(item, "type");

		if (source && (!type || !strcmp(type, "volume")) && !node_get(known, source))
			return node_fail(err, item, "service \"%s\" refers to undefined %s %s", at->name, what, source);
	}
	return 0;
}

static bool number_of(const struct node *node, double *value)
{
	if (node_is(node, NODE_STRING))
		*value = strtod(node->text, NULL);
	else if (node_is(node, NODE_INT))
		*value = (double)node->integer;
	else if (node_is(node, NODE_FLOAT))
		*value = node->real;
	else
		return false;
	return true;
}

/* A key, and what stands for it under deploy. */
static int check_pair(const struct place *at, const char *key, const struct node *other, const char *other_key,
		      struct mvm_error **err)
{
	const struct node *own = node_get(at->service, key);
	double a, b;

	if (number_of(own, &a) && number_of(other, &b) && fabs(a - b) > 1e-6)
		return node_fail(err, own, "services.%s: can't set distinct values on '%s' and '%s'", at->name, key,
				 other_key);
	return 0;
}

static int check_limits(const struct place *at, struct mvm_error **err)
{
	const struct node *deploy = node_get(at->service, "deploy"), *resources = node_get(deploy, "resources");
	const struct node *limits = node_get(resources, "limits"), *reserved = node_get(resources, "reservations");

	if (check_pair(at, "scale", node_get(deploy, "replicas"), "deploy.replicas", err) < 0 ||
	    check_pair(at, "cpus", node_get(limits, "cpus"), "deploy.resources.limits.cpus", err) < 0 ||
	    check_pair(at, "mem_limit", node_get(limits, "memory"), "deploy.resources.limits.memory", err) < 0 ||
	    check_pair(at, "pids_limit", node_get(limits, "pids"), "deploy.resources.limits.pids", err) < 0)
		return -1;
	return check_pair(at, "mem_reservation", node_get(reserved, "memory"), "deploy.resources.reservations.memory",
			  err);
}

static int check_scale(const struct place *at, struct mvm_error **err)
{
	const struct node *scale = node_get(at->service, "scale"), *name = node_get(at->service, "container_name");
	const struct node *replicas = node_get(node_get(at->service, "deploy"), "replicas");
	const struct node *count = scale ? scale : replicas;

	if (!node_is(count, NODE_INT))
		return 0;
	if (count->integer < 0)
		return node_fail(err, count, "services.%s.%s: must be greater than or equal to 0", at->name,
				 scale ? "scale" : "deploy.replicas");
	if (count->integer > 1 && name)
		return node_fail(err, name,
				 "services.%s: can't set container_name and %s as container name must be unique",
				 at->name, scale ? "scale" : "deploy.replicas");
	return 0;
}

static int check_watch(const struct place *at, struct mvm_error **err)
{
	const struct node *watch = node_get(node_get(at->service, "develop"), "watch");

	for (size_t i = 0; node_is(watch, NODE_LIST) && i < watch->count; i++) {
		const struct node *rule = watch->entries[i].value;
		const char *action = node_get_text(rule, "action");

		if (action && !has_text(rule, "target") && strcmp(action, "rebuild") != 0 &&
		    strcmp(action, "restart") != 0)
			return node_fail(err, rule,
					 "services.%s.develop.watch: target is required for non-rebuild actions",
					 at->name);
	}
	return 0;
}

/* Where two things would be mounted. */
static int check_targets(const struct place *at, struct mvm_error **err)
{
	const struct node *lists[] = {node_get(at->service, "tmpfs"), node_get(at->service, "volumes")};
	static const char *const keys[] = {"tmpfs", "volumes"};
	struct mvm_strv targets MVM_CLEAN_STRV = {0}, places MVM_CLEAN_STRV = {0};

	for (size_t n = 0; n < MVM_COUNT(lists); n++)
		for (size_t i = 0; node_is(lists[n], NODE_LIST) && i < lists[n]->count; i++) {
			const struct node *item = lists[n]->entries[i].value;
			const char *text = node_is(item, NODE_STRING) ? item->text : node_get_text(item, "target");
			char *target MVM_CLEAN_FREE = mvm_strndup(text ? text : "", text ? strcspn(text, ":") : 0);

			for (size_t j = 0; j < targets.count; j++)
				if (!strcmp(targets.items[j], target))
					return node_fail(err, item,
							 "services.%s.%s[%zu]: target %s already mounted as %s",
							 at->name, keys[n], i, target, places.items[j]);
			mvm_strv_add(&targets, target);
			mvm_strv_addf(&places, "services.%s.%s[%zu]", at->name, keys[n], i);
		}
	return 0;
}

static int check_service(const struct place *at, struct mvm_error **err)
{
	const struct node *service = at->service;

	if (check_image(at, err) < 0 || check_networks(at, err) < 0 || check_test(at, err) < 0 ||
	    check_dependencies(at, err) < 0 ||
	    check_sources(at, node_get(service, "volumes"), "volumes", "volume", err) < 0 ||
	    check_sources(at, node_get(service, "secrets"), "secrets", "secret", err) < 0 ||
	    check_sources(at, node_get(node_get(service, "build"), "secrets"), "secrets", "build secret", err) < 0 ||
	    check_sources(at, node_get(service, "configs"), "configs", "config", err) < 0)
		return -1;
	return check_limits(at, err) < 0 || check_scale(at, err) < 0 || check_watch(at, err) < 0
		       ? -1
		       : check_targets(at, err);
}

/* Two services, or two containers of one, cannot have one name. */
static int check_container_names(const struct node *services, struct mvm_error **err)
{
	for (size_t i = 0; i < services->count; i++) {
		const struct node *name = node_get(services->entries[i].value, "container_name");

		for (size_t j = 0; node_is(name, NODE_STRING) && j < i; j++) {
			const char *other = node_get_text(services->entries[j].value, "container_name");

			if (other && !strcmp(other, name->text))
				return node_fail(err, name,
						 "services.%s: container name \"%s\" is already in use by service %s",
						 services->entries[i].key, name->text, services->entries[j].key);
		}
	}
	return 0;
}

int check_consistency(const struct mvm_compose *compose, struct mvm_error **err)
{
	const struct node *services = section_of(compose->model, "services");
	const struct node *secrets = section_of(compose->model, "secrets");

	for (size_t i = 0; services && i < services->count; i++) {
		const struct place at = {
			.compose = compose, .name = services->entries[i].key, .service = services->entries[i].value};

		if (check_service(&at, err) < 0)
			return -1;
	}
	for (size_t i = 0; secrets && i < secrets->count; i++) {
		const struct node *secret = secrets->entries[i].value, *external = node_get(secret, "external");

		if (!(node_is(external, NODE_BOOL) && external->truth) && !has_text(secret, "file") &&
		    !has_text(secret, "environment"))
			return node_fail(err, secret, "secret \"%s\" must declare either `file` or `environment`",
					 secrets->entries[i].key);
	}
	if (!services)
		return 0;
	return check_container_names(services, err) < 0 ? -1 : check_cycles(services, err);
}
