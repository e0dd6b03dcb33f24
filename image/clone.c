#include "clone.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "qcow2.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"

enum { SIZE_UNIT = 4096 };

/* The base is read-only and may be smaller. */
static int make_writable(const char *path, uint64_t size, struct mvm_error **err)
{
	if (chmod(path, 0600) < 0 || truncate(path, (off_t)size) < 0)
		return mvm_fail_errno(err, errno, "cannot make %s writable", path);
	return 0;
}

static int clone_raw(const char *base, const char *path, uint64_t size, struct mvm_error **err)
{
	int status = mvm_clone_file(base, path, err);

	return status ? status : make_writable(path, size, err);
}

static int choose_size(const char *base, uint64_t wanted, uint64_t *size, struct mvm_error **err)
{
	struct stat st;

	if (stat(base, &st) < 0)
		return mvm_fail_errno(err, errno, "cannot look at %s", base);
	if (!wanted)
		wanted = (uint64_t)st.st_size;
	if (wanted < (uint64_t)st.st_size)
		return mvm_fail(err, MVM_ERR_INVALID, "a disk of %llu bytes cannot hold the image's of %llu",
				(unsigned long long)wanted, (unsigned long long)st.st_size);
	if (wanted > INT64_MAX - SIZE_UNIT)
		return mvm_fail(err, MVM_ERR_INVALID, "a disk of %llu bytes is not possible",
				(unsigned long long)wanted);
	*size = (wanted + SIZE_UNIT - 1) / SIZE_UNIT * SIZE_UNIT;
	return 0;
}

static int check_free(const char *raw, const char *overlay, struct mvm_error **err)
{
	if (access(raw, F_OK) == 0 || access(overlay, F_OK) == 0)
		return mvm_fail(err, MVM_ERR_EXISTS, "%s is there already", access(raw, F_OK) == 0 ? raw : overlay);
	return 0;
}

static int make_overlay(const char *base, const char *path, uint64_t size, struct mvm_error **err)
{
	char *absolute MVM_CLEAN_FREE = realpath(base, NULL);

	if (!absolute)
		return mvm_fail_errno(err, errno, "cannot find %s", base);
	return mvm_qcow2_create(path, absolute, size, err);
}

/* Tries the ways in order; *qcow2 says which it was. */
static int make_clone(const char *base, const char *raw, const char *overlay, uint64_t size, unsigned flags,
		      bool *qcow2, struct mvm_error **err)
{
	int status = clone_raw(base, raw, size, err);

	*qcow2 = false;
	if (status == 1 && flags & MVM_DISK_CLONE_RAW)
		status = mvm_copy_sparse(base, raw, size, err);
	if (status < 0)
		unlink(raw);
	if (status != 1)
		return status;
	*qcow2 = true;
	status = make_overlay(base, overlay, size, err);
	if (status < 0)
		unlink(overlay);
	return status;
}

int mvm_disk_clone(const char *base, const char *folder, uint64_t size, unsigned flags, struct mvm_disk_clone *clone,
		   struct mvm_error **err)
{
	char *raw MVM_CLEAN_FREE = mvm_format("%s/root.ext4", folder);
	char *overlay MVM_CLEAN_FREE = mvm_format("%s/root.qcow2", folder);
	bool qcow2;

	if (choose_size(base, size, &size, err) < 0 || check_free(raw, overlay, err) < 0 ||
	    make_clone(base, raw, overlay, size, flags, &qcow2, err) < 0)
		return -1;
	*clone = (struct mvm_disk_clone){.path = mvm_strdup(qcow2 ? overlay : raw), .qcow2 = qcow2, .size = size};
	return 0;
}

void mvm_disk_clone_finish(struct mvm_disk_clone *clone)
{
	free(clone->path);
	*clone = (struct mvm_disk_clone){0};
}
