#include "shares.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest-agent/proto/proto.h"
#include "runtime/base/arch.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "share/mount.h"
#include "share/server.h"
#include "share/source.h"
#include "share/translator.h"
#include "sockets.h"
#include "volumes.h"
#include "watches.h"

/* What its daemon and the cache of that may take in the guest (guest-agent/rosetta.c): not the container's. */
enum { ROSETTA_MEMORY = 192 << 20 };

enum { OWN_DEVICE_FILES = 32768 };

struct shares {
	struct mvm_shares list;
	struct mvm_strv mounts, translators;
	bool rosetta;
	struct mvm_share_server *server;
	int device;
	struct watches *watches;       /* NULL where none are */
	struct mvm_machine_share *own; /* as many as the list has; NULL where there is a server */
};

static size_t depth(const char *text)
{
	const char *path = strchr(text, '/');
	size_t count = 0;

	for (; path && *path && (*text != '/' || *path != ':'); path++)
		count += *path == '/' && path[1] != '/' && path[1] != ':' && path[1];
	return count;
}

/* A mount covers what was mounted below it, so the shallow ones come first. */
static int by_depth(const void *a, const void *b)
{
	size_t first = depth(*(char *const *)a), second = depth(*(char *const *)b);

	return first != second ? (first < second ? -1 : 1) : strcmp(*(char *const *)a, *(char *const *)b);
}

static bool was_socket(const struct mvm_container_config *config, const char *target)
{
	for (size_t i = 0; i < config->host_sockets.count; i++)
		if (!strcmp(config->host_sockets.items[i], target))
			return true;
	return false;
}

static void find_roots(const struct mvm_mounts *mounts, struct mvm_share_roots *roots)
{
	for (size_t i = 0; i < mounts->count; i++)
		if (mounts->items[i].type == MVM_MOUNT_BIND && !mounts->items[i].read_only)
			mvm_share_roots_add(roots, mounts->items[i].source);
}

int shares_find_roots(const struct mvm_container_config *config, struct mvm_share_roots *roots, struct mvm_error **err)
{
	struct mvm_mounts mounts MVM_CLEAN_MOUNTS = {0};

	if (mvm_mounts_resolve(&config->binds, &config->mounts, &config->volumes, &mounts, err) < 0)
		return -1;
	find_roots(&mounts, roots);
	return 0;
}

static int add_bind(struct supervisor *supervisor, const struct mvm_mount *mount, const struct mvm_share_roots *roots,
		    struct shares *shares, struct mvm_error **err)
{
	enum mvm_share_kind kind;
	size_t number;

	/* Its program may not be there yet, or have gone for a while. */
	if (was_socket(&supervisor->container->config, mount->target))
		return sockets_mount(supervisor->sockets, mount->source, mount->target, err);
	if (mvm_share_check_path(mount->source, roots, err) < 0 ||
	    (mount->short_form && mvm_share_make_folder(mount->source, err) < 0))
		return -1;
	if (mvm_share_classify(mount->source, mvm_state_home(supervisor->state),
			       mvm_state_runtime_folder(supervisor->state), &kind, err) < 0)
		return -1;
	if (kind == MVM_SHARE_SOCKET)
		return sockets_mount(supervisor->sockets, mount->source, mount->target, err);
	number = mvm_shares_add(&shares->list, mount->source, kind, mount->read_only);
	mvm_strv_addf(&shares->mounts, "share=%zu%s%s:%s", number, kind == MVM_SHARE_FILE ? ",file" : "",
		      mount->read_only ? ",ro" : "", mount->target);
	if (!mount->watch)
		return 0;
	shares->list.watched = true;
	if (!shares->watches)
		shares->watches = watches_create(supervisor);
	watches_add(shares->watches, mount, roots);
	return 0;
}

/* Those that came with the container, from its own folder. */
static void add_files(const struct mvm_container *container, struct shares *shares)
{
	for (size_t i = 0; i < container->config.files.count; i++) {
		char *path MVM_CLEAN_FREE = mvm_format("%s/files/%zu", container->folder, i);
		size_t number = mvm_shares_add(&shares->list, path, MVM_SHARE_FILE, true);

		mvm_strv_addf(&shares->mounts, "share=%zu,file,ro:%s", number, container->config.files.items[i]);
	}
}

static void add_tmpfs(const struct mvm_mount *mount, struct shares *shares)
{
	struct mvm_buf text = {0};

	mvm_buf_addf(&text, "%s:%s", mount->target, mount->read_only ? "ro" : "rw");
	if (mount->tmpfs_size)
		mvm_buf_addf(&text, ",size=%llu", (unsigned long long)mount->tmpfs_size);
	if (mount->tmpfs_mode >= 0)
		mvm_buf_addf(&text, ",mode=%llo", (unsigned long long)mount->tmpfs_mode);
	mvm_strv_take(&shares->mounts, mvm_buf_steal(&text));
}

/* How many files of shares the guest may know before it lets some go. A framework that serves them itself keeps a
 * descriptor for each, too, in a process whose limit is not ours to see, and has run whole hosts out of them. */
static unsigned long files_limit(const struct supervisor *supervisor)
{
#ifdef __linux__
	if (!supervisor->backend->own_devices)
		return mvm_share_server_files();
#endif
	return OWN_DEVICE_FILES;
}

static int collect(struct supervisor *supervisor, struct shares *shares, struct mvm_error **err)
{
	const struct mvm_container_config *config = &supervisor->container->config;
	struct mvm_mounts mounts MVM_CLEAN_MOUNTS = {0};
	struct mvm_share_roots roots MVM_CLEAN_SHARE_ROOTS = {0}, made MVM_CLEAN_SHARE_ROOTS = {0};

	if (mvm_mounts_resolve(&config->binds, &config->mounts, &config->volumes, &mounts, err) < 0)
		return -1;
	find_roots(&mounts, &roots);
	for (size_t i = 0; i < mounts.count; i++) {
		const struct mvm_mount *mount = &mounts.items[i];

		if (mount->type == MVM_MOUNT_TMPFS)
			add_tmpfs(mount, shares);
		else if (mount->type == MVM_MOUNT_VOLUME)
			mvm_strv_take(&shares->mounts, volumes_mount(supervisor->volumes, mount, &shares->list));
		else if (mount->type == MVM_MOUNT_BIND && add_bind(supervisor, mount, &roots, shares, err) < 0)
			return -1;
	}
	find_roots(&mounts, &made);
	sockets_guard(supervisor->sockets, &made);
	add_files(supervisor->container, shares);
	for (size_t i = 0; i < config->tmpfs.count; i++)
		mvm_strv_add(&shares->mounts, config->tmpfs.items[i]);
	if (shares->mounts.count)
		qsort(shares->mounts.items, shares->mounts.count, sizeof(char *), by_depth);
	if (shares->list.count)
		mvm_strv_addf(&shares->mounts, "limit=%lu", files_limit(supervisor));
	return 0;
}

static int add_rosetta(const struct supervisor *supervisor, const char *architecture, struct shares *shares,
		       struct mvm_error **err)
{
	if (!supervisor->backend->rosetta)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED,
				"the container's %s programs need Rosetta, which is macOS's; make the container anew",
				architecture);
	shares->rosetta = true;
	mvm_strv_take(&shares->translators, mvm_translator_rosetta_rule(architecture));
	return 0;
}

/* "arm64=/usr/bin/qemu-aarch64-static", "amd64=rosetta" */
static int add_translators(const struct supervisor *supervisor, struct shares *shares, struct mvm_error **err)
{
	const struct mvm_container_config *config = &supervisor->container->config;
	const struct mvm_strv *translators = &config->translators;
	enum mvm_arch arch = mvm_kernel_arch(config->kernel);

	for (size_t i = 0; i < translators->count; i++) {
		const char *text = translators->items[i], *path = text + strcspn(text, "=") + 1;
		char *architecture MVM_CLEAN_FREE = mvm_strndup(text, strcspn(text, "="));
		struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
		char *inside MVM_CLEAN_FREE = NULL;

		if (!strcmp(path, MVM_TRANSLATOR_ROSETTA)) {
			if (add_rosetta(supervisor, architecture, shares, err) < 0)
				return -1;
			continue;
		}
		if (mvm_translator_check(arch, path, &cause) < 0)
			return mvm_fail(err, mvm_error_code(cause),
					"%s; put it there again, or make the container anew", mvm_error_message(cause));
		inside = mvm_format(MVM_SHARE_ROOT "/%zu/file",
				    mvm_shares_add(&shares->list, path, MVM_SHARE_FILE, true));
		mvm_strv_take(&shares->translators, mvm_translator_rule(architecture, inside));
	}
	return 0;
}

/* A single file, for a machine that shares folders only: a folder that has a link to it, and nothing else. The link is
 * the same file as long as nobody puts another one in its place, just as docker's mount of a file. */
static int make_folder_for(const struct supervisor *supervisor, const char *source, size_t number, char **out,
			   struct mvm_error **err)
{
	char *folder MVM_CLEAN_FREE = mvm_format("%s/files/%zu", supervisor->container->folder, number);
	char *link MVM_CLEAN_FREE = mvm_format("%s/file", folder);

	if (mvm_make_folders(folder, err) < 0)
		return -1;
	unlink(link);
	if (linkat(AT_FDCWD, source, AT_FDCWD, link, AT_SYMLINK_FOLLOW) < 0)
		return mvm_fail_errno(
			err, errno,
			"cannot share the file %s by itself: a link to it in %s cannot be made; share its "
			"folder",
			source, folder);
	*out = folder;
	folder = NULL;
	return 0;
}

static int list_own(const struct supervisor *supervisor, struct shares *shares, struct mvm_error **err)
{
	shares->own = mvm_realloc(NULL, shares->list.count + 1, sizeof(*shares->own));
	memset(shares->own, 0, (shares->list.count + 1) * sizeof(*shares->own));
	for (size_t i = 0; i < shares->list.count; i++) {
		const struct mvm_share *share = &shares->list.items[i];
		char *path = NULL;

		if (share->kind == MVM_SHARE_FILE) {
			if (make_folder_for(supervisor, share->source, i, &path, err) < 0)
				return -1;
		} else {
			path = mvm_strdup(share->source);
		}
		shares->own[i] = (struct mvm_machine_share){.path = path, .read_only = share->read_only};
	}
	return 0;
}

#ifdef __linux__
/* Every access of the guest hangs from now on, and no machine can be given another server. */
static void died(void *arg, const char *reason)
{
	char *text MVM_CLEAN_FREE = mvm_format("the server of the shared folders has died: %s", reason);

	machine_device_lost(arg, text);
}

static int serve(struct supervisor *supervisor, struct shares *shares, struct mvm_error **err)
{
	static const struct mvm_share_server_events events = {.died = died};

	mvm_log(MVM_LOG_INFO, "phase shares");
	return mvm_share_server_start(supervisor->loop, &shares->list, mvm_state_runtime_folder(supervisor->state),
				      supervisor->container->folder, &events, supervisor, &shares->server,
				      &shares->device, err);
}
#endif

static int show(struct supervisor *supervisor, struct shares *shares, struct mvm_error **err)
{
	if (!shares->list.count)
		return 0;
#ifdef __linux__
	if (!supervisor->backend->own_devices)
		return serve(supervisor, shares, err);
#endif
	return list_own(supervisor, shares, err);
}

int shares_open(struct supervisor *supervisor, struct shares **out, struct mvm_error **err)
{
	const struct mvm_container_config *config = &supervisor->container->config;
	struct shares *shares = mvm_alloc(sizeof(*shares));

	shares->device = -1;
	if (config->login.user) {
		shares->list.uid = (uint32_t)config->login.uid;
		shares->list.gid = (uint32_t)config->login.gid;
	}
	*out = shares;
	if (!supervisor->helper &&
	    (collect(supervisor, shares, err) < 0 || add_translators(supervisor, shares, err) < 0))
		return -1;
	return show(supervisor, shares, err);
}

bool shares_serves(const struct shares *shares, pid_t pid)
{
#ifdef __linux__
	return shares && shares->server && mvm_share_server_is(shares->server, pid);
#else
	return false;
#endif
}

void shares_close(struct shares *shares)
{
	if (!shares)
		return;
	watches_destroy(shares->watches);
#ifdef __linux__
	mvm_share_server_destroy(shares->server);
#endif
	mvm_close(&shares->device);
	for (size_t i = 0; shares->own && i < shares->list.count; i++)
		free((char *)shares->own[i].path);
	free(shares->own);
	mvm_shares_finish(&shares->list);
	mvm_strv_finish(&shares->mounts);
	mvm_strv_finish(&shares->translators);
	free(shares);
}

void shares_watch(struct shares *shares, bool on)
{
	if (shares && shares->watches)
		watches_run(shares->watches, on);
}

void shares_describe(const struct shares *shares, struct mvm_machine_spec *spec)
{
	spec->fs_fd = shares->device;
	spec->shares = shares->own;
	spec->share_count = shares->own ? shares->list.count : 0;
	spec->fs_tag = spec->share_count || shares->device >= 0 ? MVM_SHARE_TAG : NULL;
	if (!shares->rosetta)
		return;
	spec->rosetta_tag = MVM_ROSETTA_TAG;
	spec->memory += ROSETTA_MEMORY;
}

char *const *shares_mounts(const struct shares *shares)
{
	return shares->mounts.items;
}

char *const *shares_translators(const struct shares *shares)
{
	return shares->translators.items;
}
