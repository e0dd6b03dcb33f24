/* Tar archives: the same entries and content whatever pieces the archive comes in, and no content beyond a file's size.
 */
#include "fuzz.h"

#include "image/tar.h"
#include "runtime/base/mem.h"

struct events {
	struct mvm_buf text;
	uint64_t size; /* of the present file */
	uint64_t at;
	bool open;
};

static int on_entry(void *arg, const struct mvm_tar_entry *entry, struct mvm_error **err)
{
	struct events *events = arg;

	fuzz_check(!events->open && entry->name && entry->target && entry->xattr_count <= MVM_TAR_MAX_XATTRS);
	fuzz_check((entry->mode & ~07777u) == 0 && entry->mtime_nsec < 1000000000);
	events->open = true;
	events->size = entry->type == MVM_TAR_FILE ? entry->size : 0;
	events->at = 0;
	mvm_buf_addf(&events->text, "[%d %s %s %o %u %u %u %u %lld %u %llu", entry->type, entry->name, entry->target,
		     entry->mode, entry->uid, entry->gid, entry->major, entry->minor, (long long)entry->mtime,
		     entry->mtime_nsec, (unsigned long long)entry->size);
	for (size_t i = 0; i < entry->xattr_count; i++) {
		mvm_buf_addf(&events->text, " %s=", entry->xattrs[i].name);
		mvm_buf_add(&events->text, entry->xattrs[i].value, entry->xattrs[i].length);
	}
	return 0;
}

static int on_data(void *arg, uint64_t offset, const void *data, size_t length, struct mvm_error **err)
{
	struct events *events = arg;

	fuzz_check(events->open && offset >= events->at && length && length <= events->size - offset);
	if (offset != events->at)
		mvm_buf_addf(&events->text, " @%llu:", (unsigned long long)offset);
	mvm_buf_add(&events->text, data, length);
	events->at = offset + length;
	return 0;
}

static int on_end(void *arg, struct mvm_error **err)
{
	struct events *events = arg;

	fuzz_check(events->open);
	events->open = false;
	mvm_buf_add(&events->text, "]", 1);
	return 0;
}

static int parse(const uint8_t *data, size_t size, size_t piece, struct events *events)
{
	static const struct mvm_tar_ops ops = {.entry = on_entry, .data = on_data, .end = on_end};
	struct mvm_tar *tar = mvm_tar_create(&ops, events);
	int status = 0;

	for (size_t at = 0; status == 0 && at < size; at += piece)
		status = mvm_tar_feed(tar, data + at, size - at < piece ? size - at : piece, NULL);
	if (status == 0)
		status = mvm_tar_finish(tar, NULL);
	mvm_tar_destroy(tar);
	return status;
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	struct events whole = {0}, pieces = {0};
	int status = parse(data, size, SIZE_MAX / 2, &whole), other = parse(data, size, 77, &pieces);

	fuzz_check(status == other);
	fuzz_check(status < 0 ||
		   (whole.text.length == pieces.text.length &&
		    (!whole.text.length || !memcmp(whole.text.data, pieces.text.data, whole.text.length))));
	mvm_buf_finish(&whole.text);
	mvm_buf_finish(&pieces.text);
	return status == 0;
}
