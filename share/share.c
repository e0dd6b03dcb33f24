#include "share.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ids.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"

static int check_folder(const char *source, const char *folder, const char *danger, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = realpath(source, NULL);
	char *ours MVM_CLEAN_FREE = realpath(folder, NULL);

	if (path && ours && mvm_is_within(path, ours))
		return mvm_fail(err, MVM_ERR_INVALID,
				"%s: mvm's own folder %s cannot be shared, a guest could %s; share something else",
				source, ours, danger);
	return 0;
}

/* A folder that holds one of these is shared as it is, like docker's: there the sockets are files that nobody of the
 * guest's kernel listens at. */
static int check_own(const char *source, const char *home, const char *runtime, struct mvm_error **err)
{
	char *sockets MVM_CLEAN_FREE = mvm_format("%s/..", runtime);

	if (check_folder(source, home, "change the disks of others", err) < 0)
		return -1;
	return check_folder(source, sockets, "have commands run by mvm", err);
}

static int kind_of(const char *source, mode_t mode, enum mvm_share_kind *kind, struct mvm_error **err)
{
	const char *what = S_ISFIFO(mode) ? "a FIFO" : "a device";

	if (S_ISDIR(mode))
		*kind = MVM_SHARE_FOLDER;
	else if (S_ISREG(mode))
		*kind = MVM_SHARE_FILE;
	else if (S_ISSOCK(mode))
		*kind = MVM_SHARE_SOCKET;
	else
		return mvm_fail(err, MVM_ERR_INVALID,
				"%s is %s, which works within one kernel only; share a folder, a file or a socket",
				source, what);
	return 0;
}

/* A guest's program may have made a folder its own, and closed it to the user. */
static int check_access(const char *source, const struct stat *status, struct mvm_error **err)
{
	struct mvm_share_id_map map;
	int failure;

	if (access(source, S_ISDIR(status->st_mode) ? R_OK | X_OK : R_OK) == 0)
		return 0;
	failure = errno;
	mvm_share_ids_find(&map);
	return failure == EACCES && mvm_share_ids_hold(&map, status->st_uid, status->st_gid)
		       ? 0
		       : mvm_fail_errno(err, failure, "cannot share %s", source);
}

int mvm_share_classify(const char *source, const char *home, const char *runtime, enum mvm_share_kind *kind,
		       struct mvm_error **err)
{
	enum mvm_share_kind found = MVM_SHARE_FOLDER;
	struct stat status;

	if (stat(source, &status) < 0 && errno == ENOENT)
		return mvm_fail(err, MVM_ERR_NOT_FOUND, "bind source path does not exist: %s", source);
	if (stat(source, &status) < 0)
		return mvm_fail_errno(err, errno, "cannot share %s", source);
	if (kind_of(source, status.st_mode, &found, err) < 0 || check_own(source, home, runtime, err) < 0 ||
	    check_access(source, &status, err) < 0)
		return -1;
	*kind = found;
	return 0;
}

int mvm_share_make_folder(const char *path, struct mvm_error **err)
{
	char *part MVM_CLEAN_FREE = mvm_strdup(path);
	mode_t before = umask(022);
	int failed = 0;
	struct stat status;

	for (char *at = part + 1; !failed && lstat(path, &status) < 0; at++) {
		char kept = *at;

		if (kept != '/' && kept)
			continue;
		*at = '\0';
		failed = mkdir(part, 0755) < 0 && errno != EEXIST ? errno : 0;
		*at = kept;
		if (!kept)
			break;
	}
	umask(before);
	return failed ? mvm_fail_errno(err, failed, "cannot make the folder %s", path) : 0;
}

size_t mvm_shares_add(struct mvm_shares *shares, const char *source, enum mvm_share_kind kind, bool read_only)
{
	for (size_t i = 0; i < shares->count; i++)
		if (shares->items[i].read_only == read_only && !strcmp(shares->items[i].source, source))
			return i;
	shares->items = mvm_realloc(shares->items, shares->count + 1, sizeof(*shares->items));
	shares->items[shares->count] =
		(struct mvm_share){.source = mvm_strdup(source), .kind = kind, .read_only = read_only};
	return shares->count++;
}

void mvm_shares_finish(struct mvm_shares *shares)
{
	for (size_t i = 0; i < shares->count; i++)
		free(shares->items[i].source);
	free(shares->items);
	*shares = (struct mvm_shares){0};
}
