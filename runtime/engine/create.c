/*
 * From an image and what the user asked for to a container on disk, by docker's rules.
 */
#include "internal.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/clone.h"
#include "image/platform.h"
#include "runtime/backend/backend.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/text.h"
#include "runtime/state/certificates.h"
#include "runtime/state/events.h"
#include "runtime/state/host_socket.h"
#include "runtime/state/log_policy.h"
#include "runtime/state/restart_policy.h"
#include "runtime/state/update.h"

#define DEFAULT_MEMORY	   (1ULL << 30)
#define DEFAULT_STOP_LIMIT 10 /* seconds */
#define MIN_MEMORY	   (6ULL << 20)

static int64_t host_cpus(void)
{
	long count = sysconf(_SC_NPROCESSORS_ONLN);

	return count < 1 ? 1 : count;
}

int engine_check_limits(const struct mvm_container_update *limits, struct mvm_error **err)
{
	int64_t host = host_cpus(), most = host * 1000000000;

	if (limits->memory && limits->memory < MIN_MEMORY)
		return mvm_fail(err, MVM_ERR_INVALID, "Minimum memory limit allowed is 6MB");
	if (limits->memory_reservation && limits->memory_reservation < (int64_t)MIN_MEMORY)
		return mvm_fail(err, MVM_ERR_INVALID, "Minimum memory reservation allowed is 6MB");
	if (limits->nano_cpus && (limits->nano_cpus < 10000000 || limits->nano_cpus > most))
		return mvm_fail(err, MVM_ERR_INVALID,
				"range of CPUs is from 0.01 to %lld.00, as there are only %lld CPUs available",
				(long long)host, (long long)host);
	return 0;
}

static int set_resources(const struct mvm_create_request *request, struct mvm_container_config *config,
			 struct mvm_error **err)
{
	const struct mvm_container_update limits = {
		.memory = request->memory ? request->memory : DEFAULT_MEMORY,
		.memory_reservation = (int64_t)request->memory_reservation,
		.nano_cpus = request->nano_cpus,
	};

	if (engine_check_limits(&limits, err) < 0 || mvm_container_update_check(&limits, config, err) < 0)
		return -1;
	mvm_container_update_apply(&limits, config);
	config->cpus = mvm_cpus_for(request->nano_cpus);
	return 0;
}

void engine_set_env(struct mvm_strv *env, const char *value)
{
	size_t name = strcspn(value, "=");

	for (size_t i = 0; i < env->count; i++) {
		if (strncmp(env->items[i], value, name) || env->items[i][name] != '=')
			continue;
		free(env->items[i]);
		if (value[name]) {
			env->items[i] = mvm_strdup(value);
		} else {
			memmove(&env->items[i], &env->items[i + 1], (env->count - i) * sizeof(*env->items));
			env->count--;
		}
		return;
	}
	if (value[name])
		mvm_strv_add(env, value);
}

static void set_environment(const struct mvm_create_request *request, const struct mvm_image_config *image,
			    struct mvm_container_config *config)
{
	struct mvm_strv proxies MVM_CLEAN_STRV = {0};

	mvm_strv_add(&config->env, ENGINE_DEFAULT_PATH);
	mvm_strv_addf(&config->env, "HOSTNAME=%s", config->hostname);
	if (config->tty)
		mvm_strv_add(&config->env, "TERM=xterm");
	for (size_t i = 0; i < image->env.count; i++)
		engine_set_env(&config->env, image->env.items[i]);
	engine_add_proxies(&proxies);
	for (size_t i = 0; i < proxies.count; i++)
		engine_set_env(&config->env, proxies.items[i]);
	if (config->ssh_agent)
		engine_set_env(&config->env, "SSH_AUTH_SOCK=" MVM_SSH_AGENT_PLACE);
	for (size_t i = 0; request->env && i < request->env->count; i++)
		engine_set_env(&config->env, request->env->items[i]);
}

/* Entrypoint and command: a new entrypoint drops the image's command too. */
static int set_command(const struct mvm_create_request *request, const struct mvm_image_config *image,
		       struct mvm_container_config *config, struct mvm_error **err)
{
	const struct mvm_strv *given = request->command;
	bool own_command = given && given->count, own_entrypoint = request->entrypoint && request->entrypoint->count;

	for (size_t i = 0; own_entrypoint && i < request->entrypoint->count; i++)
		if (*request->entrypoint->items[i])
			mvm_strv_add(&config->args, request->entrypoint->items[i]);
	for (size_t i = 0; !request->entrypoint && i < image->entrypoint.count; i++)
		mvm_strv_add(&config->args, image->entrypoint.items[i]);
	config->entrypoint = (int64_t)config->args.count;
	for (size_t i = 0; own_command && i < given->count; i++)
		mvm_strv_add(&config->args, given->items[i]);
	for (size_t i = 0; !own_command && !own_entrypoint && i < image->cmd.count; i++)
		mvm_strv_add(&config->args, image->cmd.items[i]);
	if (!config->args.count)
		return mvm_fail(err, MVM_ERR_USAGE,
				"no command specified, and image %s has none; name a program to run",
				request->image.reference);
	return 0;
}

static int by_key(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void set_labels(const struct mvm_create_request *request, const struct mvm_image_config *image,
		       struct mvm_container_config *config)
{
	const char *key;
	json_t *value;

	json_object_foreach(image->labels, key, value)
	{
		char *label MVM_CLEAN_FREE =
			mvm_format("%s=%s", key, json_string_value(value) ? json_string_value(value) : "");

		engine_set_env(&config->labels, label);
	}
	for (size_t i = 0; request->labels && i < request->labels->count; i++) {
		const char *label = request->labels->items[i];
		char *full MVM_CLEAN_FREE = mvm_format(strchr(label, '=') ? "%s" : "%s=", label);

		engine_set_env(&config->labels, full);
	}
	if (config->labels.count)
		qsort(config->labels.items, config->labels.count, sizeof(char *), by_key);
}

static const char *first_of(const char *given, const char *image)
{
	return given && *given ? given : image && *image ? image : NULL;
}

static int check_hostname(const char *name, struct mvm_error **err)
{
	size_t length = strlen(name);

	if (length > 63 || strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") != length)
		return mvm_fail(err, MVM_ERR_USAGE,
				"invalid hostname '%s': at most 63 letters, digits, '-', '.' or '_'", name);
	return 0;
}

/* All that does not need the container's ID. */
static int configure(const struct mvm_create_request *request, const struct mvm_image *image,
		     struct mvm_container_config *config, struct mvm_error **err)
{
	const struct mvm_image_config *theirs = mvm_image_config(image);
	const char *stop_signal = first_of(request->stop_signal, theirs->stop_signal);
	struct mvm_log_policy policy;
	const char *restart;
	int signo;

	if (mvm_restart_policy_parse(request->restart, &restart, &config->restart_max, err) < 0 ||
	    mvm_log_policy_parse(request->log_driver, request->log_options, &policy, err) < 0 ||
	    set_resources(request, config, err) < 0 || set_command(request, theirs, config, err) < 0 ||
	    engine_confine(request, config, err) < 0 || engine_set_mounts(request, config, err) < 0 ||
	    engine_set_health(request, image, config, err) < 0 || engine_set_ports(request, theirs, config, err) < 0)
		return -1;
	if (stop_signal && !mvm_parse_signal(stop_signal, &signo))
		return mvm_fail(err, MVM_ERR_USAGE, "invalid signal: %s", stop_signal);
	if (request->hostname && *request->hostname && check_hostname(request->hostname, err) < 0)
		return -1;
	config->image = mvm_strdup(request->image.reference);
	config->image_id = mvm_strdup(mvm_image_id(image)->text);
	config->platform = mvm_platform_format(mvm_image_platform(image));
	config->name = mvm_strdup(request->name);
	config->working_dir = mvm_strdup(first_of(request->working_dir, theirs->working_dir));
	config->user = mvm_strdup(first_of(request->user, theirs->user));
	config->stop_signal = mvm_strdup(stop_signal ? stop_signal : "SIGTERM");
	config->stop_timeout = !request->has_stop_timeout  ? DEFAULT_STOP_LIMIT
			       : request->stop_timeout < 0 ? -1
							   : request->stop_timeout;
	config->log_driver = mvm_strdup(request->log_driver ? request->log_driver : "json-file");
	for (size_t i = 0; request->log_options && i < request->log_options->count; i++)
		mvm_strv_add(&config->log_options, request->log_options->items[i]);
	config->tty = request->tty;
	config->open_stdin = request->open_stdin;
	config->stdin_once = request->stdin_once;
	config->init = request->init;
	config->read_only = request->read_only;
	config->auto_remove = request->auto_remove;
	config->restart_policy = mvm_strdup(restart);
	if (request->login)
		config->login = (struct mvm_login){.user = mvm_strdup(request->login->user),
						   .uid = request->login->uid,
						   .gid = request->login->gid,
						   .home = mvm_strdup(request->login->home)};
	if (config->working_dir && *config->working_dir != '/')
		return mvm_fail(err, MVM_ERR_USAGE,
				"the working directory '%s' is invalid, it needs to be an absolute path",
				config->working_dir);
	return 0;
}

/* What the container's disk is a clone of. */
static int find_base(struct mvm_engine *engine, const struct mvm_create_request *request, const struct mvm_image *image,
		     struct mvm_container_config *config, char **base, struct mvm_error **err)
{
	/* A larger disk is the image's own with room to grow; a smaller one must be built so. */
	uint64_t built = request->disk_size < MVM_DISK_DEFAULT_SIZE ? request->disk_size : 0;

	return engine_image_disk(engine, image, built, &config->disk_key, base, err);
}

static int make_disk(const struct mvm_create_request *request, const char *base, const char *folder,
		     struct mvm_container_config *config, struct mvm_error **err)
{
	struct mvm_disk_clone clone;

	if (mvm_disk_clone(base, folder, request->disk_size, mvm_backend_wants_raw() ? MVM_DISK_CLONE_RAW : 0, &clone,
			   err) < 0)
		return -1;
	config->disk_file = mvm_strdup(strrchr(clone.path, '/') + 1);
	config->disk_format = mvm_strdup(clone.qcow2 ? "qcow2" : "raw");
	mvm_disk_clone_finish(&clone);
	return 0;
}

/* Those of the configuration, and those of the request. */
static int add_certificates(struct mvm_engine *engine, const struct mvm_create_request *request, const char *folder,
			    struct mvm_error **err)
{
	const struct mvm_config *config = mvm_engine_config(engine);
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	struct mvm_strv paths MVM_CLEAN_STRV = {0};
	struct mvm_buf pem MVM_CLEAN_BUF = {0};

	if (request->certificates && request->certificates->length)
		mvm_buf_add(&pem, request->certificates->data, request->certificates->length);
	if (mvm_config_strings(config, "caCertificates", &paths, err) < 0)
		return -1;
	for (size_t i = 0; i < paths.count; i++)
		if (mvm_certificates_read(paths.items[i], &pem, &cause) < 0)
			return mvm_config_fail(config, err, "\"caCertificates\": %s", mvm_error_message(cause));
	return mvm_certificates_save(folder, &pem, err);
}

/* Of this user alone: others of the host have no business with secrets. */
static int add_files(const struct mvm_create_request *request, const char *folder, struct mvm_container_config *config,
		     struct mvm_error **err)
{
	char *files MVM_CLEAN_FREE = mvm_format("%s/files", folder);

	if (request->file_count && mvm_make_folders(files, err) < 0)
		return -1;
	for (size_t i = 0; i < request->file_count; i++) {
		const struct mvm_file_request *file = &request->files[i];
		char *path MVM_CLEAN_FREE = mvm_format("%s/%zu", files, i);

		if (mvm_replace_file(path, file->data, file->length, (mode_t)(file->mode & 0777) | S_IRUSR, err) < 0)
			return -1;
		mvm_strv_add(&config->files, file->target);
	}
	return 0;
}

static int fill_and_commit(struct mvm_engine *engine, const struct mvm_create_request *request,
			   const struct mvm_image *image, const char *base, const char *folder,
			   struct mvm_container_config *config, struct mvm_error **err)
{
	struct mvm_state *state = mvm_engine_state(engine);

	config->hostname = request->hostname && *request->hostname ? mvm_strdup(request->hostname)
								   : mvm_strndup(config->id, MVM_SHORT_ID_LENGTH);
	set_environment(request, mvm_image_config(image), config);
	set_labels(request, mvm_image_config(image), config);
	if (make_disk(request, base, folder, config, err) < 0 || add_certificates(engine, request, folder, err) < 0 ||
	    add_files(request, folder, config, err) < 0 || mvm_state_commit(state, config, err) < 0) {
		mvm_state_abort(state, config);
		return -1;
	}
	return 0;
}

/* The image cannot be removed between our finding it and the container that stands on it: it is looked up under the
 * lock. A pull may take long, so it is done without, and the image must still be there after it. */
static int hold_image(struct mvm_engine *engine, const struct mvm_create_request *request, struct mvm_image **image,
		      int *images, struct mvm_error **err)
{
	struct mvm_image *pulled MVM_CLEAN_IMAGE = NULL;
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	struct mvm_image_request here = request->image;

	here.pull = MVM_PULL_NEVER;
	if (request->image.pull != MVM_PULL_ALWAYS) {
		if (engine_lock_images(engine, MVM_LOCK_SHARED, images, err) < 0)
			return -1;
		if (mvm_engine_get_image(engine, &here, image, &cause) == 0)
			return 0;
		if (request->image.pull == MVM_PULL_NEVER || mvm_error_code(cause) != MVM_ERR_NOT_FOUND)
			return mvm_error_move(err, &cause);
		mvm_close(images);
	}
	if (mvm_engine_get_image(engine, &request->image, &pulled, err) < 0 ||
	    engine_lock_images(engine, MVM_LOCK_SHARED, images, err) < 0)
		return -1;
	return mvm_engine_get_image(engine, &here, image, err);
}

int mvm_engine_create(struct mvm_engine *engine, const struct mvm_create_request *request,
		      struct mvm_container **container, int *lock, struct mvm_error **err)
{
	struct mvm_container *made MVM_CLEAN_CONTAINER = mvm_alloc(sizeof(*made));
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;
	int images MVM_CLEAN_FD = -1, volumes MVM_CLEAN_FD = -1, held MVM_CLEAN_FD = -1;
	char *folder MVM_CLEAN_FREE = NULL, *base MVM_CLEAN_FREE = NULL;

	if (hold_image(engine, request, &image, &images, err) < 0 ||
	    configure(request, image, &made->config, err) < 0 || engine_set_sockets(request, &made->config, err) < 0 ||
	    engine_set_kernel(engine, request, &made->config, err) < 0 ||
	    engine_set_translators(engine, request, image, &made->config, err) < 0 ||
	    engine_warn_of_platform(engine, request, image, err) < 0 ||
	    engine_set_networks(engine, request, &made->config, err) < 0 ||
	    find_base(engine, request, image, &made->config, &base, err) < 0)
		return -1;
	/* From here on all other volumes wait, so nothing that takes long is left to do. */
	if (engine_set_volumes(engine, request, mvm_image_config(image), &made->config, &volumes, err) < 0 ||
	    mvm_state_create(mvm_engine_state(engine), &made->config, &folder, &held, err) < 0 ||
	    fill_and_commit(engine, request, image, base, folder, &made->config, err) < 0) {
		mvm_close(&volumes);
		mvm_volume_remove_anonymous(mvm_engine_state(engine), &made->config, 0);
		return -1;
	}
	mvm_event_container(mvm_engine_state(engine), &made->config, "create", NULL);
	made->folder = mvm_format("%s/containers/%s", mvm_state_home(mvm_engine_state(engine)), made->config.id);
	*container = made;
	made = NULL;
	*lock = held;
	held = -1;
	return 0;
}
