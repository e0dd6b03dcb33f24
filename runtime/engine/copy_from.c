/*
 * From a container: the guest sends a tar archive, which is handed on as it is, or unpacked in a local folder. What it
 * holds is the guest's, and untrusted.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "copy.h"
#include "copy_disk.h"
#include "copy_paths.h"
#include "internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"

enum { READ_SIZE = 256 * 1024 };

struct from {
	const struct mvm_copy *copy;
	struct copy_info source;
	struct mvm_client *client;
	json_int_t id;
	int fd;

	/* Into a local folder. */
	char *target;
	struct copy_tally tally;
	struct copy_unpack *unpack;
	struct copy_plan plan;
	bool begun;
};

/* Docker's words. Whether it can be written is seen when it is. */
static int check_target(const char *path, struct mvm_error **err)
{
	char *folder MVM_CLEAN_FREE = NULL, *name MVM_CLEAN_FREE = NULL, *clean MVM_CLEAN_FREE = copy_clean(path);
	struct stat info;

	copy_split(clean, &folder, &name);
	if (stat(folder, &info) < 0 && errno == ENOENT)
		return mvm_fail(err, MVM_ERR_INVALID, "invalid output path: directory \"%s\" does not exist", folder);
	if (stat(path, &info) == 0 && (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)))
		return mvm_fail(err, MVM_ERR_INVALID,
				"invalid output path: \"%s\" must be a directory or a regular file: got a device",
				path);
	return 0;
}

/* What the source is, and what it is called. */
static int find_source(struct from *from, struct mvm_client *client, struct mvm_error **err)
{
	const char *path = from->copy->path;
	struct copy_status status COPY_CLEAN_STATUS = {0};
	struct mvm_error *local MVM_CLEAN_ERROR = NULL;
	int result;

	copy_info_finish(&from->source);
	from->source.exists = true;
	if (from->copy->follow_link) {
		result = copy_disk_stat(client, path, &status, &local);
		if (result < 0 && mvm_error_code(local) == MVM_ERR_INTERRUPTED)
			return mvm_error_move(err, &local);
		if (result == 0 && status.link_target) {
			copy_rebase_name(path, status.link_target, &from->source.path, &from->source.rebase_name);
			return 0;
		}
	}
	from->source.path = mvm_strdup(path);
	return 0;
}

static int ask(void *arg, struct mvm_client *client, struct mvm_error **err)
{
	struct from *from = arg;
	char *path MVM_CLEAN_FREE = NULL, *base MVM_CLEAN_FREE = NULL;
	const char *name;
	json_t *fields;

	if (find_source(from, client, err) < 0)
		return -1;
	path = copy_absolute(from->source.path);
	base = copy_base(path);
	/* An archive for others tells the name of what the link leads to, as docker's. */
	name = from->copy->local && from->source.rebase_name ? from->source.rebase_name : base;
	fields = json_pack("{so, so, sb}", "path", mvm_json_octets(path), "name", mvm_json_octets(name), "mounted", 1);
	if (mvm_client_stream(client, "archive", fields, &from->fd, &from->id, err) == 0)
		return 0;
	return copy_disk_not_found(from->source.path, from->copy->container, err);
}

/* Only now is it known whether it is a folder. */
static int begin(struct from *from, const struct mvm_tar_entry *entry, struct mvm_error **err)
{
	struct copy_info target COPY_CLEAN_INFO = {0};

	from->begun = true;
	from->source.is_dir = entry->type == MVM_TAR_FOLDER;
	if (copy_local_target(from->target, &target, err) < 0 ||
	    copy_plan(&from->source, &target, &from->plan, err) < 0 ||
	    copy_unpack_create(from->plan.folder, from->copy->archive, &from->unpack, err) < 0)
		return -1;
	from->tally.next = (struct copy_sink){&copy_unpack_ops, from->unpack};
	return 0;
}

static int take_entry(void *arg, const struct mvm_tar_entry *entry, struct mvm_error **err)
{
	struct from *from = arg;
	struct mvm_tar_entry renamed = *entry;
	char *name MVM_CLEAN_FREE = NULL, *target MVM_CLEAN_FREE = NULL;

	if (!from->begun && begin(from, entry, err) < 0)
		return -1;
	if (from->plan.to) {
		renamed.name = name = copy_rebase(entry->name, from->plan.from, from->plan.to);
		if (entry->type == MVM_TAR_HARDLINK)
			renamed.target = target = copy_rebase(entry->target, from->plan.from, from->plan.to);
	}
	return copy_tally_ops.entry(&from->tally, &renamed, err);
}

static int take_data(void *arg, uint64_t offset, const void *data, size_t length, struct mvm_error **err)
{
	struct from *from = arg;

	return copy_tally_ops.data(&from->tally, offset, data, length, err);
}

static int take_end(void *arg, struct mvm_error **err)
{
	struct from *from = arg;

	return copy_tally_ops.end(&from->tally, err);
}

static int read_archive(struct from *from, struct mvm_tar *tar, struct mvm_error **err)
{
	char *buffer MVM_CLEAN_FREE = mvm_alloc(READ_SIZE);
	ssize_t n;

	while ((n = read(from->fd, buffer, READ_SIZE)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return mvm_fail_errno(err, errno, "cannot read from the VM");
		if (mvm_tar_feed(tar, buffer, (size_t)n, err) < 0)
			return -1;
	}
	/* A guest that has failed says why; a part of an archive says nothing. */
	return copy_disk_finish(from->client, from->id, err) < 0 ? -1 : mvm_tar_finish(tar, err);
}

static int unpack(struct from *from, struct mvm_error **err)
{
	static const struct mvm_tar_ops ops = {.entry = take_entry, .data = take_data, .end = take_end};
	struct mvm_tar *tar = mvm_tar_create(&ops, from);
	int result = read_archive(from, tar, err);

	mvm_tar_destroy(tar);
	if (result < 0)
		return -1;
	if (!from->begun)
		return mvm_fail(err, MVM_ERR_INVALID, "%s:%s is a socket, which cannot be copied",
				from->copy->container, from->copy->path);
	return copy_unpack_end(from->unpack, err);
}

static int hand_on(struct from *from, struct mvm_error **err)
{
	if (engine_copy_all(from->fd, from->copy->fd, from->copy->fd_name, err) < 0)
		return -1;
	return copy_disk_finish(from->client, from->id, err);
}

static int copy_from(struct mvm_engine *engine, struct from *from, struct mvm_error **err)
{
	const struct mvm_copy *copy = from->copy;

	if (copy_disk_check_path(copy->path, err) < 0)
		return -1;
	if (copy->local &&
	    (copy_local_path(copy->local, &from->target, err) < 0 || check_target(from->target, err) < 0))
		return -1;
	if (engine_ask_disk(engine, copy->container, ENGINE_READER, ask, from, &from->client, err) < 0)
		return -1;
	if ((copy->local ? unpack(from, err) : hand_on(from, err)) < 0)
		return -1;
	engine_note_container(engine, copy->container, "archive-path");
	return 0;
}

static void note(struct from *from, struct mvm_copied *copied)
{
	bool file = !from->source.is_dir;

	*copied = (struct mvm_copied){.transferred = from->tally.transferred + COPY_TAR_END};
	/* Docker knows the size of a file from what the guest says of it, and of a folder none. */
	copied->content = file ? from->tally.content : copied->transferred;
	copied->target = from->target;
	from->target = NULL;
}

int mvm_engine_copy_from(struct mvm_engine *engine, const struct mvm_copy *copy, struct mvm_copied *copied,
			 struct mvm_error **err)
{
	struct from from = {.copy = copy, .fd = -1, .tally = {.copy = copy}};
	int result = copy_from(engine, &from, err);

	mvm_close(&from.fd);
	if (result == 0)
		note(&from, copied);
	else
		copy_disk_give_up(from.client);
	mvm_client_destroy(from.client);
	copy_unpack_destroy(from.unpack);
	copy_plan_finish(&from.plan);
	copy_info_finish(&from.source);
	free(from.target);
	return result;
}
