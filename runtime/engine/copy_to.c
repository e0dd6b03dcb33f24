/*
 * Into a container: entries from a tree of local files, or from a tar archive of any kind, go to the guest, which makes
 * them in a folder of the disk.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "copy.h"
#include "copy_disk.h"
#include "copy_paths.h"
#include "image/inflate.h"
#include "internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"

enum { READ_SIZE = 256 * 1024 };

struct to {
	const struct mvm_copy *copy;
	const struct mvm_container *container;
	struct copy_info source, target;
	struct copy_plan plan;
	struct mvm_client *client;
	json_int_t id;
	int fd;
	struct copy_tally tally;
};

static bool is_device(uint32_t mode)
{
	return (mode & COPY_TYPE) == COPY_CHAR || (mode & COPY_TYPE) == COPY_BLOCK;
}

/* What is not there may be made. */
static int look_at_target(struct to *to, struct mvm_client *client, const char *path, struct copy_status *status,
			  struct mvm_error **err)
{
	struct mvm_error *local MVM_CLEAN_ERROR = NULL;

	if (copy_disk_stat(client, path, status, &local) == 0) {
		to->target.exists = true;
		return 0;
	}
	to->target.exists = false;
	if (mvm_error_code(local) == MVM_ERR_NOT_FOUND || mvm_error_code(local) == MVM_ERR_INVALID)
		return 0;
	return mvm_error_move(err, &local);
}

static int find_target(struct to *to, struct mvm_client *client, struct mvm_error **err)
{
	const struct mvm_copy *copy = to->copy;
	struct copy_status status COPY_CLEAN_STATUS = {0}, linked COPY_CLEAN_STATUS = {0};
	const struct copy_status *found = &status;

	copy_info_finish(&to->target);
	to->target.path = mvm_strdup(copy->path);
	if (look_at_target(to, client, copy->path, &status, err) < 0)
		return -1;
	if (to->target.exists && status.link_target) {
		free(to->target.path);
		to->target.path = mvm_strdup(status.link_target);
		found = &linked;
		if (look_at_target(to, client, to->target.path, &linked, err) < 0)
			return -1;
	}
	to->target.is_dir = to->target.exists && (found->mode & COPY_TYPE) == COPY_FOLDER;
	if (to->target.exists && is_device(found->mode))
		return mvm_fail(err, MVM_ERR_INVALID,
				"destination \"%s:%s\" must be a directory or a regular file: got a device",
				copy->container, copy->path);
	return 0;
}

static int plan(struct to *to, struct mvm_error **err)
{
	copy_plan_finish(&to->plan);
	if (to->copy->local)
		return copy_plan(&to->source, &to->target, &to->plan, err);
	if (!to->target.is_dir)
		return mvm_fail(err, MVM_ERR_INVALID, "destination \"%s:%s\" must be a directory", to->copy->container,
				to->copy->path);
	to->plan.folder = mvm_strdup(to->target.path);
	return 0;
}

static int ask(void *arg, struct mvm_client *client, struct mvm_error **err)
{
	struct to *to = arg;
	const struct mvm_container_config *config = &to->container->config;
	char *folder MVM_CLEAN_FREE = NULL;
	json_t *fields;

	if (find_target(to, client, err) < 0 || plan(to, err) < 0)
		return -1;
	if (config->read_only)
		return mvm_fail(err, MVM_ERR_INVALID, "container rootfs is marked read-only");
	folder = copy_absolute(to->plan.folder);
	fields = json_pack("{so, so}", "path", mvm_json_octets(folder), "user",
			   mvm_json_octets(to->copy->archive && config->user ? config->user : ""));
	if (mvm_client_stream(client, "unpack", fields, &to->fd, &to->id, err) == 0)
		return 0;
	return copy_disk_not_found(to->plan.folder, to->copy->container, err);
}

static int send_tree(struct to *to, const struct copy_sink *sink, struct mvm_error **err)
{
	char *folder MVM_CLEAN_FREE = NULL, *name MVM_CLEAN_FREE = NULL;
	const char *top = to->plan.to ? to->plan.to : to->source.rebase_name;

	copy_split(to->source.path, &folder, &name);
	if (!top)
		top = strcmp(name, "/") ? name : ".";
	return copy_walk(to->source.path, top, sink, err);
}

static ssize_t read_input(void *arg, void *data, size_t length, struct mvm_error **err)
{
	const struct mvm_copy *copy = arg;
	ssize_t n;

	do
		n = read(copy->fd, data, length);
	while (n < 0 && errno == EINTR);
	return n < 0 ? mvm_fail_errno(err, errno, "cannot read %s", copy->fd_name) : n;
}

static int feed(struct mvm_tar *tar, struct mvm_inflate *inflate, struct mvm_error **err)
{
	char *buffer MVM_CLEAN_FREE = mvm_alloc(READ_SIZE);
	ssize_t n;

	while ((n = mvm_inflate_read(inflate, buffer, READ_SIZE, err)) > 0)
		if (mvm_tar_feed(tar, buffer, (size_t)n, err) < 0)
			return -1;
	return n < 0 ? -1 : mvm_tar_finish(tar, err);
}

static int send_archive(struct to *to, const struct copy_sink *sink, struct mvm_error **err)
{
	struct mvm_source source = {.read = read_input, .arg = (void *)to->copy};
	struct mvm_tar *tar = mvm_tar_create(sink->ops, sink->arg);
	struct mvm_inflate *inflate = mvm_inflate_create(source);
	int result = feed(tar, inflate, err);

	mvm_inflate_destroy(inflate);
	mvm_tar_destroy(tar);
	return result;
}

static int send_all(struct to *to, struct copy_stream *stream, struct mvm_error **err)
{
	const struct copy_sink sink = {&copy_tally_ops, &to->tally};

	to->tally.next = (struct copy_sink){&copy_stream_ops, stream};
	if ((to->copy->local ? send_tree(to, &sink, err) : send_archive(to, &sink, err)) < 0)
		return -1;
	return copy_stream_end(stream, err);
}

/* The guest says more of why it reads no further than that it does not. */
static int transfer(struct to *to, struct mvm_error **err)
{
	struct copy_stream *stream = copy_stream_create(to->fd);
	struct mvm_error *local MVM_CLEAN_ERROR = NULL;
	int result = send_all(to, stream, &local);
	bool broken = copy_stream_is_broken(stream);

	copy_stream_destroy(stream);
	if (result < 0 && !(broken && mvm_client_wait(to->client, to->id, err) < 0))
		return mvm_error_move(err, &local);
	return result < 0 ? -1 : copy_disk_finish(to->client, to->id, err);
}

static int copy_to(struct mvm_engine *engine, struct to *to, struct mvm_error **err)
{
	const struct mvm_copy *copy = to->copy;
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	char *local MVM_CLEAN_FREE = NULL;

	if (copy_disk_check_path(copy->path, err) < 0)
		return -1;
	if (copy->local && (copy_local_path(copy->local, &local, err) < 0 ||
			    copy_local_source(local, copy->follow_link, &to->source, err) < 0))
		return -1;
	if (mvm_state_find(mvm_engine_state(engine), copy->container, &container, err) < 0)
		return -1;
	to->container = container;
	if (engine_ask_disk(engine, container->config.id, ENGINE_WRITER, ask, to, &to->client, err) < 0)
		return -1;
	if (transfer(to, err) < 0)
		return -1;
	engine_note_container(engine, copy->container, "extract-to-dir");
	return 0;
}

static void note(const struct to *to, struct mvm_copied *copied)
{
	*copied = (struct mvm_copied){.transferred = to->tally.transferred + COPY_TAR_END};
	copied->content = to->copy->local ? to->tally.content : copied->transferred;
	copied->target = mvm_format("%s:%s", to->copy->container, to->target.path);
}

int mvm_engine_copy_to(struct mvm_engine *engine, const struct mvm_copy *copy, struct mvm_copied *copied,
		       struct mvm_error **err)
{
	struct to to = {.copy = copy, .fd = -1, .tally = {.copy = copy}};
	int result = copy_to(engine, &to, err);

	mvm_close(&to.fd);
	if (result == 0)
		note(&to, copied);
	else
		copy_disk_give_up(to.client);
	mvm_client_destroy(to.client);
	copy_plan_finish(&to.plan);
	copy_info_finish(&to.source);
	copy_info_finish(&to.target);
	return result;
}
