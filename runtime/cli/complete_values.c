/*
 * What there is to offer: containers, images, signals, capabilities, variables.
 */
#include "complete.h"

#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "image/kernel.h"
#include "image/reference.h"
#include "image/store.h"
#include "runtime/base/paths.h"
#include "runtime/base/spawn.h"
#include "runtime/base/text.h"
#include "runtime/state/confinement.h"
#include "share/translator.h"

/* MVM_HOME where it has such a folder: opening what is not there would make it. NULL else; the caller's. */
static char *home_with(const char *folder)
{
	char *home = NULL, *path MVM_CLEAN_FREE = NULL;

	if (mvm_home(&home, NULL) < 0)
		return NULL;
	path = mvm_format("%s/%s", home, folder);
	if (access(path, R_OK) == 0)
		return home;
	free(home);
	return NULL;
}

typedef bool (*fits_fn)(const struct mvm_container *container);

static bool is_any(const struct mvm_container *container)
{
	return !container->config.login.user;
}

static bool is_machine(const struct mvm_container *container)
{
	return container->config.login.user != NULL;
}

static bool is_running(const struct mvm_container *container)
{
	enum mvm_status status = container->state.status;

	return is_any(container) &&
	       (status == MVM_STATUS_RUNNING || status == MVM_STATUS_PAUSED || status == MVM_STATUS_RESTARTING);
}

static bool is_unpaused(const struct mvm_container *container)
{
	return is_any(container) && container->state.status == MVM_STATUS_RUNNING;
}

static bool is_paused(const struct mvm_container *container)
{
	return is_any(container) && container->state.status == MVM_STATUS_PAUSED;
}

static bool is_stopped(const struct mvm_container *container)
{
	return is_any(container) && !is_running(container);
}

/* `suffix` stands behind each name. */
static void offer_containers(struct cli_completion *completion, fits_fn fits, const char *suffix)
{
	char *home MVM_CLEAN_FREE = home_with("containers");
	struct mvm_strv damaged MVM_CLEAN_STRV = {0};
	struct mvm_container **list = NULL;
	struct mvm_state *state = NULL;
	size_t count = 0;

	if (!home || mvm_state_open(home, &state, NULL) < 0)
		return;
	(void)mvm_state_list_readable(state, &list, &count, &damaged, NULL);
	for (size_t i = 0; i < count; i++) {
		char *word MVM_CLEAN_FREE = mvm_format("%s%s", list[i]->config.name, suffix);

		if (fits(list[i]))
			cli_offer(completion, word, list[i]->config.image);
	}
	mvm_container_list_free(list, count);
	mvm_state_close(state);
}

void cli_complete_containers(struct cli_completion *completion)
{
	offer_containers(completion, is_any, "");
}

void cli_complete_container(struct cli_completion *completion)
{
	if (!cli_completed_args(completion))
		offer_containers(completion, is_any, "");
}

void cli_complete_machines(struct cli_completion *completion)
{
	offer_containers(completion, is_machine, "");
}

void cli_complete_machine(struct cli_completion *completion)
{
	if (!cli_completed_args(completion))
		cli_complete_machines(completion);
}

void cli_complete_networks(struct cli_completion *completion)
{
	char *home MVM_CLEAN_FREE = home_with("networks");
	struct mvm_network **list = NULL;
	struct mvm_state *state = NULL;
	size_t count = 0;

	if (!home || mvm_state_open(home, &state, NULL) < 0)
		return;
	(void)mvm_network_list(state, &list, &count, NULL);
	for (size_t i = 0; i < count; i++)
		cli_offer(completion, list[i]->name, list[i]->subnet);
	mvm_network_list_free(list, count);
	mvm_state_close(state);
}

void cli_complete_network(struct cli_completion *completion)
{
	if (!cli_completed_args(completion))
		cli_complete_networks(completion);
}

void cli_complete_network_and_container(struct cli_completion *completion)
{
	if (cli_completed_args(completion) == 0)
		cli_complete_networks(completion);
	else if (cli_completed_args(completion) == 1)
		offer_containers(completion, is_any, "");
}

static void offer_volumes(struct cli_completion *completion, const char *end)
{
	char *home MVM_CLEAN_FREE = home_with("volumes");
	struct mvm_volume **list = NULL;
	struct mvm_state *state = NULL;
	size_t count = 0;

	if (!home || mvm_state_open(home, &state, NULL) < 0)
		return;
	(void)mvm_volume_list(state, &list, &count, NULL);
	for (size_t i = 0; i < count; i++) {
		char *word MVM_CLEAN_FREE = mvm_format("%s%s", list[i]->name, end);

		cli_offer(completion, word, list[i]->driver);
	}
	mvm_volume_list_free(list, count);
	mvm_state_close(state);
}

void cli_complete_volumes(struct cli_completion *completion)
{
	offer_volumes(completion, "");
}

void cli_complete_mount(struct cli_completion *completion)
{
	cli_complete_files(completion);
	if (!strpbrk(cli_typed(completion), "/:"))
		offer_volumes(completion, ":");
}

void cli_complete_running(struct cli_completion *completion)
{
	offer_containers(completion, is_running, "");
}

void cli_complete_unpaused(struct cli_completion *completion)
{
	offer_containers(completion, is_unpaused, "");
}

void cli_complete_unpaused_one(struct cli_completion *completion)
{
	if (!cli_completed_args(completion))
		offer_containers(completion, is_unpaused, "");
}

void cli_complete_paused(struct cli_completion *completion)
{
	offer_containers(completion, is_paused, "");
}

void cli_complete_stopped(struct cli_completion *completion)
{
	offer_containers(completion, is_stopped, "");
}

void cli_complete_copy(struct cli_completion *completion)
{
	/* Of a path in a container nothing is known here. */
	if (strchr(cli_typed(completion), ':'))
		return;
	cli_complete_files(completion);
	if (!strchr(cli_typed(completion), '/'))
		offer_containers(completion, is_any, ":");
}

void cli_complete_images(struct cli_completion *completion)
{
	char *home MVM_CLEAN_FREE = home_with("images/index.json");
	struct mvm_image_list images MVM_CLEAN_IMAGE_LIST = {0};
	struct mvm_store *store MVM_CLEAN_STORE = NULL;

	if (!home || mvm_store_open(home, &store, NULL) < 0 || mvm_store_list(store, &images, NULL) < 0)
		return;
	for (size_t i = 0; i < images.count; i++) {
		const struct mvm_strv *names = mvm_image_names(images.items[i]);

		for (size_t n = 0; n < names->count; n++) {
			struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
			char *familiar MVM_CLEAN_FREE = NULL;

			if (mvm_reference_parse(names->items[n], &reference, NULL) < 0)
				continue;
			familiar = mvm_reference_familiar(&reference);
			cli_offer(completion, familiar, NULL);
		}
	}
}

void cli_complete_image(struct cli_completion *completion)
{
	if (!cli_completed_args(completion))
		cli_complete_images(completion);
}

void cli_complete_kernels(struct cli_completion *completion)
{
	char *home MVM_CLEAN_FREE = home_with("kernels/index.json");
	struct mvm_kernel_list kernels MVM_CLEAN_KERNEL_LIST = {0};
	struct mvm_store *store MVM_CLEAN_STORE = NULL;

	if (!home || mvm_kernels_open(home, &store, NULL) < 0 || mvm_kernels_list(store, &kernels, NULL) < 0)
		return;
	for (size_t i = 0; i < kernels.count; i++)
		for (size_t n = 0; n < kernels.items[i]->names.count; n++) {
			char *familiar MVM_CLEAN_FREE = mvm_reference_shorten(kernels.items[i]->names.items[n]);

			cli_offer(completion, familiar, mvm_arch_name(kernels.items[i]->config.arch));
		}
}

void cli_complete_kernel(struct cli_completion *completion)
{
	if (!cli_completed_args(completion))
		cli_complete_kernels(completion);
}

void cli_complete_kernel_option(struct cli_completion *completion)
{
	cli_offer_words(completion, CLI_WORDS("amd64", "arm64"));
	cli_complete_kernels(completion);
	cli_complete_files(completion);
}

void cli_complete_objects(struct cli_completion *completion)
{
	cli_complete_containers(completion);
	cli_complete_images(completion);
}

void cli_complete_env(struct cli_completion *completion)
{
	for (char **variable = environ; *variable; variable++) {
		char *name MVM_CLEAN_FREE = mvm_strndup(*variable, strcspn(*variable, "="));

		cli_offer(completion, name, NULL);
	}
}

void cli_complete_translators(struct cli_completion *completion)
{
	cli_offer_words(completion, mvm_translator_architectures(MVM_ARCH_OWN));
}

void cli_complete_signals(struct cli_completion *completion)
{
	enum { LAST = 64 };

	for (int signo = 1; signo <= LAST; signo++) {
		const char *name = mvm_signal_name(signo);
		char *full MVM_CLEAN_FREE = mvm_format("SIG%s", name ? name : "");

		if (!name)
			continue;
		if (strlen(cli_typed(completion)) >= 2 && !strncasecmp(cli_typed(completion), "SIG", 2))
			cli_offer_capitals(completion, full);
		else
			cli_offer_capitals(completion, name);
	}
}

void cli_complete_capabilities(struct cli_completion *completion)
{
	const char *name;

	cli_offer_capitals(completion, "ALL");
	for (size_t i = 0; (name = mvm_capability_name(i)); i++) {
		cli_offer_capitals(completion, name);
		/* The short names for who begins one. */
		if (*cli_typed(completion))
			cli_offer_capitals(completion, name + strlen("CAP_"));
	}
}
