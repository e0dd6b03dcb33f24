#include "request.h"

#include <string.h>

#include "fleet.h"
#include "runtime/base/duration.h"
#include "runtime/state/restart_policy.h"

void service_request_finish(struct service_request *request)
{
	struct mvm_strv *lists[] = {
		&request->entrypoint,  &request->command,  &request->env,	   &request->labels,
		&request->log_options, &request->networks, &request->publish,	   &request->mounts,
		&request->binds,       &request->ulimits,  &request->sysctls,	   &request->annotations,
		&request->cap_add,     &request->cap_drop, &request->security_opt, &request->group_add,
		&request->tmpfs,       &request->dns,	   &request->dns_search,   &request->dns_options,
		&request->extra_hosts, &request->expose,   &request->health.test,  &request->file_texts,
	};

	for (size_t i = 0; i < MVM_COUNT(lists); i++)
		mvm_strv_finish(lists[i]);
	free(request->files);
	free(request->restart);
	free(request->reference);
}

char *service_image(const struct mvm_compose *compose, const char *service, const struct node *node)
{
	const char *image = node_get_text(node, "image");

	return image && *image ? mvm_strdup(image) : mvm_format("%s-%s", mvm_compose_name(compose), service);
}

static void add_texts(const struct node *list, struct mvm_strv *out)
{
	for (size_t i = 0; node_is(list, NODE_LIST) && i < list->count; i++)
		mvm_strv_add(out, list->entries[i].value->text);
}

/* "key=value" each; a value that is null leaves the bare key. */
static void add_pairs(const struct node *map, struct mvm_strv *out)
{
	for (size_t i = 0; node_is(map, NODE_MAP) && i < map->count; i++) {
		const struct node_entry *entry = &map->entries[i];

		if (node_is(entry->value, NODE_NULL))
			mvm_strv_add(out, entry->key);
		else
			mvm_strv_addf(out, "%s=%s", entry->key, entry->value->text);
	}
}

static bool is_true(const struct node *node, const char *key)
{
	const struct node *value = node_get(node, key);

	return node_is(value, NODE_BOOL) && value->truth;
}

/* What docker compose finds it by. */
static int add_labels(struct mvm_compose *compose, const struct service_wish *wish, struct mvm_strv *labels,
		      struct mvm_error **err)
{
	const struct node *depends = node_get(wish->node, "depends_on");
	struct mvm_strv list MVM_CLEAN_STRV = {0};
	char *files MVM_CLEAN_FREE = mvm_strv_join(&compose->files, ","), *joined MVM_CLEAN_FREE = NULL;
	char hash[65];

	if (mvm_compose_hash(compose, wish->service, hash, err) < 0)
		return -1;
	for (size_t i = 0; node_is(depends, NODE_MAP) && i < depends->count; i++)
		mvm_strv_addf(&list, "%s:%s:%s", depends->entries[i].key,
			      node_get_text(depends->entries[i].value, "condition"),
			      is_true(depends->entries[i].value, "restart") ? "true" : "false");
	joined = mvm_strv_join(&list, ",");
	add_pairs(node_get(wish->node, "labels"), labels);
	mvm_strv_addf(labels, MVM_LABEL_PROJECT "=%s", mvm_compose_name(compose));
	mvm_strv_addf(labels, MVM_LABEL_SERVICE "=%s", wish->service);
	mvm_strv_addf(labels, MVM_LABEL_ONEOFF "=%s", wish->oneoff ? "True" : "False");
	mvm_strv_addf(labels, MVM_LABEL_CONFIG_HASH "=%s", hash);
	if (wish->number)
		mvm_strv_addf(labels, MVM_LABEL_NUMBER "=%lld", (long long)wish->number);
	mvm_strv_addf(labels, MVM_LABEL_IMAGE "=%s", wish->image_id);
	mvm_strv_addf(labels, MVM_LABEL_CONFIG_FILES "=%s", files);
	mvm_strv_addf(labels, MVM_LABEL_WORKING_DIR "=%s", compose->folder);
	mvm_strv_addf(labels, MVM_LABEL_DEPENDS_ON "=%s", joined);
	mvm_strv_addf(labels, MVM_LABEL_VERSION "=%s", MVM_VERSION);
	for (size_t i = 0; wish->labels && i < wish->labels->count; i++)
		mvm_strv_add(labels, wish->labels->items[i]);
	return 0;
}

static void set_command(const struct node *node, struct service_request *out)
{
	const struct node *entrypoint = node_get(node, "entrypoint"), *command = node_get(node, "command");

	add_texts(entrypoint, &out->entrypoint);
	add_texts(command, &out->command);
	out->request.command = &out->command;
	if (node_is(entrypoint, NODE_LIST))
		out->request.entrypoint = &out->entrypoint;
}

static int set_health(const struct node *node, struct service_request *out, struct mvm_error **err)
{
	const struct node *check = node_get(node, "healthcheck"), *retries = node_get(check, "retries");
	const struct {
		const char *key;
		int64_t *value;
	} times[] = {{"interval", &out->health.interval},
		     {"timeout", &out->health.timeout},
		     {"start_period", &out->health.start_period},
		     {"start_interval", &out->health.start_interval}};

	for (size_t i = 0; i < MVM_COUNT(times); i++) {
		const char *text = node_get_text(check, times[i].key);

		if (!text)
			continue;
		mvm_parse_duration(text, times[i].value);
		if (*times[i].value < 0 || (*times[i].value && *times[i].value < 1000000))
			return node_fail(err, node_get(check, times[i].key), "healthcheck.%s cannot be less than 1ms",
					 times[i].key);
	}
	if (node_is(retries, NODE_INT))
		out->health.retries = retries->integer;
	if (out->health.retries < 0)
		return node_fail(err, retries, "healthcheck.retries cannot be negative");
	add_texts(node_get(check, "test"), &out->health.test);
	if (is_true(check, "disable")) {
		mvm_strv_finish(&out->health.test);
		mvm_strv_add(&out->health.test, "NONE");
	}
	out->request.health_check = &out->health;
	return 0;
}

/* "restart", or what a swarm is told. */
static int set_restart(const struct service_wish *wish, struct service_request *out, struct mvm_error **err)
{
	const struct node *policy = node_get(node_get(wish->node, "deploy"), "restart_policy");
	const struct node *most = node_get(policy, "max_attempts"), *place = node_get(wish->node, "restart");
	const char *text = node_get_text(wish->node, "restart"), *condition = node_get_text(policy, "condition");
	const char *name;
	int64_t max;

	if (!text && node_is(policy, NODE_MAP)) {
		place = policy;
		if (!condition || !strcmp(condition, "any"))
			out->restart = mvm_strdup("always");
		else if (!strcmp(condition, "on-failure") && node_is(most, NODE_INT) && most->integer > 0)
			out->restart = mvm_format("on-failure:%lld", (long long)most->integer);
		else
			out->restart = mvm_strdup(strcmp(condition, "none") ? condition : "no");
	} else if (text) {
		out->restart = mvm_strdup(text);
	}
	/* What is run once is not run again. */
	if (wish->oneoff) {
		free(out->restart);
		out->restart = NULL;
	}
	out->request.restart = out->restart;
	return mvm_restart_policy_parse(out->restart, &name, &max, err) < 0 ? node_wrap(err, place) : 0;
}

static void set_logging(const struct node *node, struct service_request *out)
{
	const struct node *logging = node_get(node, "logging");

	out->request.log_driver = node_get_text(logging, "driver");
	add_pairs(node_get(logging, "options"), &out->log_options);
	out->request.log_options = &out->log_options;
}

static void set_texts(const struct node *node, struct service_request *out)
{
	struct mvm_create_request *request = &out->request;

	request->working_dir = node_get_text(node, "working_dir");
	request->user = node_get_text(node, "user");
	request->hostname = node_get_text(node, "hostname");
	request->domainname = node_get_text(node, "domainname");
	request->stop_signal = node_get_text(node, "stop_signal");
	request->tty = is_true(node, "tty");
	request->open_stdin = is_true(node, "stdin_open");
	request->init = is_true(node, "init");
	request->read_only = is_true(node, "read_only");
	add_pairs(node_get(node, "environment"), &out->env);
	request->env = &out->env;
	add_pairs(node_get(node, "annotations"), &out->annotations);
	request->annotations = &out->annotations;
}

int service_request_make(struct mvm_compose *compose, const struct service_wish *wish, struct service_request *out,
			 struct mvm_error **err)
{
	const struct node *node = wish->node;
	struct mvm_create_request *request = &out->request;
	const char *kernel = getenv("MVM_KERNEL");

	out->reference = service_image(compose, wish->service, node);
	request->image = (struct mvm_image_request){
		.reference = out->reference, .platform = node_get_text(node, "platform"), .pull = MVM_PULL_NEVER};
	request->name = wish->container;
	request->kernel = kernel && *kernel ? kernel : NULL;
	request->auto_remove = wish->auto_remove;
	set_texts(node, out);
	request->stdin_once = wish->stdin_once && request->open_stdin;
	set_command(node, out);
	set_logging(node, out);
	if (add_labels(compose, wish, &out->labels, err) < 0 || set_health(node, out, err) < 0 ||
	    set_restart(wish, out, err) < 0 || request_limits(wish, out, err) < 0 ||
	    request_networks(compose, wish, out, err) < 0 || request_ports(wish, out, err) < 0 ||
	    request_mounts(compose, wish, out, err) < 0 || request_files(compose, wish, out, err) < 0)
		return -1;
	request->labels = &out->labels;
	request->volumes_from = wish->volumes_from;
	return mvm_engine_check(request, err) < 0 ? node_wrap(err, node) : 0;
}
