/*
 * Which kernel a container's machine boots, and what may become of kernels that containers have.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image/kernel.h"
#include "runtime/base/arch.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"

static const char *home_of(struct mvm_engine *engine)
{
	return mvm_state_home(mvm_engine_state(engine));
}

/* By its paths, so that the container keeps it whatever is used later. */
static void take(const struct mvm_kernel *kernel, struct mvm_container_config *config)
{
	config->kernel = mvm_strdup(kernel->image);
	config->initramfs = mvm_strdup(kernel->initramfs);
}

/* Of mvm's own for the host's processor nothing is noted: it goes with the program. */
static int take_default(struct mvm_engine *engine, enum mvm_arch arch, struct mvm_container_config *config,
			struct mvm_error **err)
{
	struct mvm_kernel *kernel MVM_CLEAN_KERNEL = NULL;
	int none = mvm_kernels_used(home_of(engine), arch, &kernel, err);

	if (none < 0)
		return -1;
	if (!none) {
		take(kernel, config);
		return 0;
	}
	return arch == MVM_ARCH_OWN ? 0 : mvm_boot_file(arch, mvm_backend_kernel(), &config->kernel, err);
}

/* The agent may be another kernel's where mvm has none of its own. */
static int take_file(struct mvm_engine *engine, char *path, struct mvm_container_config *config, struct mvm_error **err)
{
	struct mvm_kernel *kernel MVM_CLEAN_KERNEL = NULL;

	config->kernel = path;
	if (mvm_kernels_used(home_of(engine), mvm_kernel_arch(path), &kernel, err) < 0)
		return -1;
	config->initramfs = kernel ? mvm_strdup(kernel->initramfs) : NULL;
	return 0;
}

/* 1: the home has no such kernel. */
static int find_here(struct mvm_engine *engine, const char *text, struct mvm_kernel **kernel, struct mvm_error **err)
{
	char *index MVM_CLEAN_FREE = mvm_format("%s/kernels/index.json", home_of(engine));
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	struct mvm_store *store;

	/* Opening what is not there would make it. */
	if (access(index, F_OK) < 0)
		return 1;
	if (mvm_engine_kernels(engine, &store, err) < 0)
		return -1;
	if (mvm_kernels_find(store, text, kernel, &cause) == 0)
		return 0;
	return mvm_error_code(cause) == MVM_ERR_NOT_FOUND ? 1 : mvm_error_move(err, &cause);
}

int engine_set_kernel(struct mvm_engine *engine, const struct mvm_create_request *request,
		      struct mvm_container_config *config, struct mvm_error **err)
{
	const char *given = request->kernel;
	struct mvm_kernel *kernel MVM_CLEAN_KERNEL = NULL;
	enum mvm_arch arch = MVM_ARCH_OWN;
	char *path;
	int none;

	if (!given || mvm_arch_parse(given, &arch))
		return take_default(engine, arch, config, err);
	/* A relative path would mean another file to the supervisor. */
	path = realpath(given, NULL);
	if (path)
		return take_file(engine, path, config, err);
	none = find_here(engine, given, &kernel, err);
	if (none < 0)
		return -1;
	if (none)
		/* A file that is not there is the supervisor's to complain of. */
		config->kernel = mvm_strdup(given);
	else
		take(kernel, config);
	return 0;
}

/* Initramfses are shared: one counts where it goes with a kernel that is a file of the user's. */
static bool is_booted(const struct mvm_container_config *config, const struct mvm_kernel *kernel)
{
	size_t folder = (size_t)(strrchr(kernel->image, '/') - kernel->image);

	if (!config->kernel || !config->initramfs || strcmp(config->initramfs, kernel->initramfs) != 0)
		return false;
	return !strcmp(config->kernel, kernel->image) || strncmp(config->kernel, kernel->image, folder) != 0;
}

static int check_users(void *arg, const struct mvm_kernel *kernel, struct mvm_error **err)
{
	char *display MVM_CLEAN_FREE = mvm_kernel_display(kernel);
	struct mvm_container **list;
	size_t count;
	int result = 0;

	if (mvm_state_list(mvm_engine_state(arg), &list, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count && result == 0; i++)
		if (is_booted(&list[i]->config, kernel))
			result = mvm_fail(err, MVM_ERR_CONFLICT,
					  "conflict: unable to remove kernel %s: container %.12s boots it; `mvm rm` "
					  "that first",
					  display, list[i]->config.id);
	mvm_container_list_free(list, count);
	return result;
}

int mvm_engine_remove_kernel(struct mvm_engine *engine, const char *text, struct mvm_kernel_removed *removed,
			     struct mvm_error **err)
{
	int lock MVM_CLEAN_FD = -1;
	struct mvm_store *store;

	/* Creation holds it from the choice of the kernel on until the container is there. */
	if (engine_lock_images(engine, 0, &lock, err) < 0 || mvm_engine_kernels(engine, &store, err) < 0)
		return -1;
	return mvm_kernels_remove(store, text, check_users, engine, removed, err);
}

int mvm_engine_adopt_kernel(struct mvm_engine *engine, const struct mvm_kernel *kernel, struct mvm_error **err)
{
	enum mvm_arch arch = kernel->config.arch;
	struct mvm_kernel *used MVM_CLEAN_KERNEL = NULL;
	char *own MVM_CLEAN_FREE = NULL;
	struct mvm_store *store;
	int none;

	if (mvm_boot_file(arch, mvm_backend_kernel(), &own, NULL) == 0)
		return 1;
	none = mvm_kernels_used(home_of(engine), arch, &used, err);
	if (none <= 0)
		return none < 0 ? -1 : 1;
	if (mvm_engine_kernels(engine, &store, err) < 0)
		return -1;
	return mvm_kernels_use(store, arch, kernel, err);
}

/* mvm's own, or the one that is used in its place. */
static int add_default(struct mvm_engine *engine, enum mvm_arch arch, const struct mvm_reference *name,
		       struct mvm_kernel **kernel, struct mvm_error **err)
{
	char *image MVM_CLEAN_FREE = NULL, *initramfs MVM_CLEAN_FREE = NULL;
	struct mvm_kernel *used MVM_CLEAN_KERNEL = NULL;
	struct mvm_store *store;

	if (mvm_engine_kernels(engine, &store, err) < 0 || mvm_kernels_used(home_of(engine), arch, &used, err) < 0)
		return -1;
	if (used)
		return mvm_kernels_tag(store, used, name, kernel, err);
	if (mvm_boot_file(arch, mvm_backend_kernel(), &image, err) < 0 ||
	    mvm_boot_file(arch, MVM_BOOT_INITRAMFS, &initramfs, err) < 0)
		return -1;
	return mvm_kernels_add(store, image, initramfs, name, kernel, err);
}

int mvm_engine_boot_file(const char *home, enum mvm_arch arch, enum mvm_boot_file which, char **path,
			 struct mvm_error **err)
{
	struct mvm_kernel *used MVM_CLEAN_KERNEL = NULL;

	if (which == MVM_BOOT_INITRAMFS && mvm_boot_file(arch, which, path, NULL) == 0)
		return 0;
	if (mvm_kernels_used(home, arch, &used, err) < 0)
		return -1;
	if (!used)
		return mvm_boot_file(arch, which == MVM_BOOT_KERNEL ? mvm_backend_kernel() : which, path, err);
	*path = mvm_strdup(which == MVM_BOOT_KERNEL ? used->image : used->initramfs);
	return 0;
}

int mvm_engine_add_kernel(struct mvm_engine *engine, const struct mvm_kernel_source *source,
			  const struct mvm_reference *name, struct mvm_kernel **kernel, struct mvm_error **err)
{
	struct mvm_kernel *here MVM_CLEAN_KERNEL = NULL;
	char *initramfs MVM_CLEAN_FREE = mvm_strdup(source->initramfs);
	struct mvm_store *store;
	enum mvm_arch arch;

	if (mvm_engine_kernels(engine, &store, err) < 0)
		return -1;
	if (!initramfs && mvm_arch_parse(source->kernel, &arch))
		return add_default(engine, arch, name, kernel, err);
	if (access(source->kernel, F_OK) < 0 && mvm_kernels_find(store, source->kernel, &here, err) < 0)
		return -1;
	if (here)
		return initramfs ? mvm_kernels_add(store, here->image, initramfs, name, kernel, err)
				 : mvm_kernels_tag(store, here, name, kernel, err);
	if (!initramfs && mvm_engine_boot_file(home_of(engine), mvm_kernel_arch(source->kernel), MVM_BOOT_INITRAMFS,
					       &initramfs, err) < 0)
		return -1;
	return mvm_kernels_add(store, source->kernel, initramfs, name, kernel, err);
}
