/*
 * The image library's operations as a program, for the tests in this folder.
 *
 *   imagetool pull REFERENCE [PLATFORM]   progress on stderr, "ID NAME DIGEST" on stdout
 *   imagetool push REFERENCE              progress on stderr, "DIGEST SIZE" on stdout
 *   imagetool list                        a line of JSON for each image
 *   imagetool find TEXT                   one such line
 *   imagetool tag TEXT REFERENCE
 *   imagetool rmi TEXT [force]
 *   imagetool collect
 *   imagetool pull-tags REFERENCE         every tag of the repository, a line of JSON for each
 *
 * MVM_HOME and MVM_CONFIG as for mvm. An error is "CODE: MESSAGE" on stderr and exit code 1.
 */
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image/pull.h"
#include "image/push.h"
#include "runtime/base/config.h"
#include "runtime/base/error.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/paths.h"

static volatile sig_atomic_t interrupted;

static void on_signal(int signo)
{
	interrupted = 1;
}

static void show(const struct mvm_image *image)
{
	json_t *layers = json_array();
	json_t *line MVM_CLEAN_JSON = NULL;
	char *platform MVM_CLEAN_FREE = mvm_platform_format(mvm_image_platform(image));

	for (size_t i = 0; i < mvm_image_layer_count(image); i++)
		json_array_append_new(layers, json_string(mvm_image_layer(image, i)->blob.digest.text));
	line = json_pack("{s:s, s:s, s:s, s:o, s:o, s:s, s:I, s:o, s:o}", "id", mvm_image_id(image)->text, "manifest",
			 mvm_image_manifest(image)->digest.text, "digest", mvm_image_repo_digest(image)->text, "names",
			 mvm_json_from_strings(mvm_image_names(image)), "repoDigests",
			 mvm_json_from_strings(mvm_image_repo_digests(image)), "platform", platform, "size",
			 (json_int_t)mvm_image_size(image), "layers", layers, "cmd",
			 mvm_json_from_strings(&mvm_image_config(image)->cmd));
	json_dumpf(line, stdout, JSON_COMPACT | JSON_SORT_KEYS);
	putchar('\n');
}

static int pull(struct mvm_store *store, char **argv, struct mvm_error **err)
{
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	struct mvm_config *config MVM_CLEAN_CONFIG = NULL;
	struct mvm_pull_options options = {.interrupted = &interrupted};
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;
	struct mvm_progress *progress;
	struct mvm_platform platform;
	int result;

	if (mvm_reference_parse(argv[0], &reference, err) < 0 || mvm_config_load(&config, err) < 0 ||
	    (argv[1] && mvm_platform_parse(argv[1], &platform, err) < 0))
		return -1;
	progress = mvm_progress_create(STDERR_FILENO, STDERR_FILENO);
	options.platform = argv[1] ? &platform : NULL;
	options.config = config;
	options.progress = progress;
	result = mvm_image_pull(store, &reference, &options, &image, err);
	mvm_progress_destroy(progress);
	if (result == 0)
		show(image);
	return result;
}

static int push(struct mvm_store *store, char **argv, struct mvm_error **err)
{
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	struct mvm_config *config MVM_CLEAN_CONFIG = NULL;
	struct mvm_push_options options = {.interrupted = &interrupted};
	struct mvm_progress *progress;
	struct mvm_pushed pushed;
	int result;

	if (mvm_reference_parse(argv[0], &reference, err) < 0 || mvm_config_load(&config, err) < 0)
		return -1;
	progress = mvm_progress_create(STDERR_FILENO, STDERR_FILENO);
	options.config = config;
	options.progress = progress;
	result = mvm_image_push(store, &reference, &options, &pushed, err);
	mvm_progress_destroy(progress);
	if (result == 0)
		printf("%s %llu\n", pushed.digest.text, (unsigned long long)pushed.size);
	return result;
}

static int list(struct mvm_store *store, char **argv, struct mvm_error **err)
{
	struct mvm_image_list images MVM_CLEAN_IMAGE_LIST = {0};

	if (mvm_store_list(store, &images, err) < 0)
		return -1;
	for (size_t i = 0; i < images.count; i++)
		show(images.items[i]);
	return 0;
}

static int find(struct mvm_store *store, char **argv, struct mvm_error **err)
{
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;

	if (mvm_store_find(store, argv[0], &image, err) < 0)
		return -1;
	show(image);
	return 0;
}

static int tag(struct mvm_store *store, char **argv, struct mvm_error **err)
{
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;

	if (mvm_store_find(store, argv[0], &image, err) < 0 || mvm_reference_parse(argv[1], &reference, err) < 0)
		return -1;
	return mvm_store_tag(store, image, &reference, err);
}

static int rmi(struct mvm_store *store, char **argv, struct mvm_error **err)
{
	struct mvm_store_removed removed = {0};

	if (mvm_store_remove(store, argv[0], argv[1] != NULL, NULL, &removed, err) < 0)
		return -1;
	for (size_t i = 0; i < removed.untagged.count; i++)
		printf("untagged %s\n", removed.untagged.items[i]);
	for (size_t i = 0; i < removed.deleted.count; i++)
		printf("deleted %s\n", removed.deleted.items[i]);
	mvm_store_removed_finish(&removed);
	return 0;
}

static int pull_tags(struct mvm_store *store, char **argv, struct mvm_error **err)
{
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	struct mvm_image_list images MVM_CLEAN_IMAGE_LIST = {0};
	struct mvm_config *config MVM_CLEAN_CONFIG = NULL;
	struct mvm_pull_options options = {.interrupted = &interrupted};
	int result;

	if (mvm_reference_parse(argv[0], &reference, err) < 0 || mvm_config_load(&config, err) < 0)
		return -1;
	options.config = config;
	result = mvm_image_pull_tags(store, &reference, &options, &images, err);
	for (size_t i = 0; i < images.count; i++)
		show(images.items[i]);
	return result;
}

static int collect(struct mvm_store *store, char **argv, struct mvm_error **err)
{
	return mvm_store_collect(store, err);
}

static const struct {
	const char *name;
	int arguments;
	int (*run)(struct mvm_store *store, char **argv, struct mvm_error **err);
} operations[] = {{"pull", 1, pull}, {"push", 1, push}, {"list", 0, list},	 {"find", 1, find},
		  {"tag", 2, tag},   {"rmi", 1, rmi},	{"collect", 0, collect}, {"pull-tags", 1, pull_tags}};

static int run(int argc, char **argv, struct mvm_error **err)
{
	struct mvm_store *store MVM_CLEAN_STORE = NULL;
	char *home MVM_CLEAN_FREE = NULL;

	if (mvm_home(&home, err) < 0 || mvm_store_open(home, &store, err) < 0)
		return -1;
	for (size_t i = 0; argc > 1 && i < MVM_COUNT(operations); i++)
		if (!strcmp(argv[1], operations[i].name) && argc - 2 >= operations[i].arguments)
			return operations[i].run(store, argv + 2, err);
	return mvm_fail(err, MVM_ERR_USAGE, "imagetool pull|push|list|find|tag|rmi|collect|pull-tags ...");
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_signal};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	mvm_log_open("imagetool", STDERR_FILENO, MVM_LOG_ERROR);
	if (run(argc, argv, &err) == 0)
		return 0;
	fprintf(stderr, "%s: %s\n", mvm_error_code_name(mvm_error_code(err)), mvm_error_message(err));
	return 1;
}
