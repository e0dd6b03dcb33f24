/*
 * commit: a container's image and what has changed in its disk, as a new image.
 */
#include <stdlib.h>
#include <string.h>

#include "image/archive.h"
#include "image/change.h"
#include "image/reference.h"
#include "internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/state/events.h"

/* The configuration. */

static json_t *words(const struct mvm_strv *args, size_t first, size_t end)
{
	json_t *list = json_array();

	for (size_t i = first; i < end; i++)
		json_array_append_new(list, json_string(args->items[i]));
	return list;
}

static bool image_has(const struct mvm_image_config *image, const char *variable)
{
	for (size_t i = 0; i < image->env.count; i++)
		if (!strcmp(image->env.items[i], variable))
			return true;
	return false;
}

/* What every container gets of itself is not the image's. */
static json_t *environment(const struct mvm_container_config *config, const struct mvm_image_config *image)
{
	char *hostname MVM_CLEAN_FREE = mvm_format("HOSTNAME=%s", config->hostname);
	const char *own[] = {ENGINE_DEFAULT_PATH, hostname, config->tty ? "TERM=xterm" : hostname};
	json_t *list = json_array();

	for (size_t i = 0; i < config->env.count; i++) {
		const char *variable = config->env.items[i];
		bool is_own = false;

		for (size_t j = 0; j < MVM_COUNT(own); j++)
			is_own = is_own || !strcmp(variable, own[j]);
		if (!is_own || image_has(image, variable))
			json_array_append_new(list, json_string(variable));
	}
	return list;
}

static json_t *labels(const struct mvm_container_config *config)
{
	json_t *object = json_object();

	for (size_t i = 0; i < config->labels.count; i++) {
		const char *label = config->labels.items[i];
		size_t length = strcspn(label, "=");
		char *name MVM_CLEAN_FREE = mvm_strndup(label, length);

		json_object_set_new(object, name, json_string(label + length + (label[length] == '=')));
	}
	return object;
}

static json_t *keys(const struct mvm_strv *list)
{
	json_t *object = json_object();

	for (size_t i = 0; i < list->count; i++)
		json_object_set_new(object, list->items[i], json_object());
	return object;
}

static void set_text(json_t *object, const char *key, const char *text)
{
	if (text && *text)
		json_object_set_new(object, key, json_string(text));
}

/* The container's own, and of the image what a container has no word in. */
static json_t *container_config(const struct mvm_container_config *config, const struct mvm_image *image)
{
	const json_t *ports = json_object_get(json_object_get(mvm_image_config_json(image), "config"), "ExposedPorts");
	json_t *check MVM_CLEAN_JSON = mvm_health_check_to_json(&config->health_check);
	size_t entrypoint = (size_t)config->entrypoint;
	json_t *object = json_object();

	if (ports && !json_is_null(ports))
		json_object_set_new(object, "ExposedPorts", json_deep_copy(ports));
	if (config->declared_volumes.count)
		json_object_set_new(object, "Volumes", keys(&config->declared_volumes));
	json_object_set_new(object, "Env", environment(config, mvm_image_config(image)));
	if (entrypoint)
		json_object_set_new(object, "Entrypoint", words(&config->args, 0, entrypoint));
	if (entrypoint < config->args.count)
		json_object_set_new(object, "Cmd", words(&config->args, entrypoint, config->args.count));
	if (config->shell.count)
		json_object_set_new(object, "Shell", mvm_json_from_strings(&config->shell));
	if (json_object_size(check))
		json_object_set(object, "Healthcheck", check);
	if (config->labels.count)
		json_object_set_new(object, "Labels", labels(config));
	set_text(object, "User", config->user);
	set_text(object, "WorkingDir", config->working_dir);
	/* Nobody's wish but the default's. */
	if (strcmp(config->stop_signal, "SIGTERM") != 0 || mvm_image_config(image)->stop_signal)
		set_text(object, "StopSignal", config->stop_signal);
	return object;
}

static json_t *image_config(const struct mvm_container_config *config, const struct mvm_image *image,
			    const struct mvm_strv *changes, struct mvm_error **err)
{
	json_t *object MVM_CLEAN_JSON = container_config(config, image);
	json_t *command MVM_CLEAN_JSON = json_incref(json_object_get(object, "Cmd"));

	if (changes && mvm_changes_apply(object, changes, err) < 0)
		return NULL;
	/* Docker's: an entrypoint that is taken away leaves the command. */
	if (command && !json_array_size(json_object_get(object, "Entrypoint")) && !json_object_get(object, "Cmd"))
		json_object_set(object, "Cmd", command);
	return json_incref(object);
}

/* The image. */

static int find_base(struct mvm_store *store, const struct mvm_container_config *config, struct mvm_image **image,
		     struct mvm_error **err)
{
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;

	if (mvm_store_find(store, config->image_id, image, &cause) == 0) {
		if (mvm_image_check_layers(store, *image, &cause) == 0)
			return 0;
		mvm_image_destroy(*image);
		*image = NULL;
	}
	if (mvm_error_code(cause) != MVM_ERR_NOT_FOUND)
		return mvm_error_move(err, &cause);
	return mvm_fail(
		err, MVM_ERR_NOT_FOUND,
		"its image %s (%s) has been removed, and a commit needs the layers below; pull or load that very "
		"image again, or use: mvm export %s | mvm import -",
		config->image, config->image_id, config->name);
}

static int complete(void *arg, struct mvm_error **err)
{
	return engine_comparison_finish(arg, err);
}

/* "CMD ARG...", as docker notes it in the history. */
static char *created_by(const struct mvm_container_config *config)
{
	struct mvm_buf text = {0};

	for (size_t i = (size_t)config->entrypoint; i < config->args.count; i++)
		mvm_buf_addf(&text, "%s%s", text.length ? " " : "", config->args.items[i]);
	return text.length ? mvm_buf_steal(&text) : mvm_strdup("");
}

static int bring(struct mvm_engine *engine, const struct mvm_container *container, struct mvm_commit *commit,
		 const struct mvm_commit_request *request, struct mvm_digest *id, struct mvm_error **err)
{
	const struct engine_compare how = {.layer = true, .pause = request->pause};
	struct mvm_archive_options options = {.config = mvm_engine_config(engine), .interrupted = request->interrupted};
	struct engine_comparison *comparison;
	struct mvm_store *store;
	int result;

	if (mvm_engine_store(engine, &store, err) < 0 || engine_compare(engine, container, &how, &comparison, err) < 0)
		return -1;
	commit->complete = complete;
	commit->arg = comparison;
	result = mvm_image_commit(store, engine_comparison_fd(comparison), commit, &options, id, err);
	engine_comparison_destroy(comparison);
	return result;
}

static void note(struct mvm_engine *engine, struct mvm_container *container, const struct mvm_commit *commit,
		 const struct mvm_digest *id)
{
	char *name MVM_CLEAN_FREE = commit->reference ? mvm_reference_familiar(commit->reference) : mvm_strdup("");

	mvm_event_container(
		mvm_engine_state(engine), &container->config, "commit",
		(const char *const[]){"comment", commit->comment, "imageID", id->text, "imageRef", name, NULL});
}

static int commit_container(struct mvm_engine *engine, struct mvm_container *container,
			    const struct mvm_reference *reference, const struct mvm_commit_request *request,
			    struct mvm_digest *id, struct mvm_error **err)
{
	struct mvm_image *base MVM_CLEAN_IMAGE = NULL;
	char *command MVM_CLEAN_FREE = created_by(&container->config);
	json_t *config MVM_CLEAN_JSON = NULL;
	struct mvm_commit commit;
	struct mvm_store *store;

	/* Should it be removed meanwhile, its layers stay until the commit has ended. */
	if (mvm_engine_store(engine, &store, err) < 0 || find_base(store, &container->config, &base, err) < 0)
		return -1;
	config = image_config(&container->config, base, request->changes, err);
	if (!config)
		return -1;
	commit = (struct mvm_commit){
		.base = base,
		.reference = reference,
		.config = config,
		.created_by = command,
		.author = request->author ? request->author : "",
		.comment = request->message ? request->message : "",
	};
	if (bring(engine, container, &commit, request, id, err) < 0)
		return -1;
	note(engine, container, &commit, id);
	return 0;
}

int mvm_engine_commit(struct mvm_engine *engine, const char *what, const struct mvm_commit_request *request,
		      struct mvm_digest *id, struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	bool named = request->reference && *request->reference;
	int result;

	if (named && mvm_reference_parse(request->reference, &reference, err) < 0)
		return -1;
	if (mvm_digest_is_set(&reference.digest))
		return mvm_fail(err, MVM_ERR_INVALID, "refusing to create a tag with a digest reference");
	if (mvm_state_find(mvm_engine_state(engine), what, &container, err) < 0)
		return -1;
	result = commit_container(engine, container, named ? &reference : NULL, request, id, err);
	/* What a failure, or a commit that was killed, has left of a disk. */
	engine_drop_lost_disks(engine);
	return result;
}
