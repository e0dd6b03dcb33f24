#include <errno.h>
#include <string.h>

#include "copy.h"
#include "guest-agent/proto/stream.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"

enum { BUFFER = 512 * 1024, XATTR_MAX = 64 * 1024 };

struct copy_stream {
	int fd;
	bool broken;
	size_t used;
	uint8_t buffer[BUFFER];
};

_Static_assert((int)BUFFER >= (int)MVM_STREAM_ENTRY_MAX, "an entry fits");

struct copy_stream *copy_stream_create(int fd)
{
	struct copy_stream *stream = mvm_alloc(sizeof(*stream));

	stream->fd = fd;
	return stream;
}

void copy_stream_destroy(struct copy_stream *stream)
{
	free(stream);
}

bool copy_stream_is_broken(const struct copy_stream *stream)
{
	return stream->broken;
}

static int flush(struct copy_stream *stream, struct mvm_error **err)
{
	ssize_t result = mvm_write_full(stream->fd, stream->buffer, stream->used);

	stream->used = 0;
	if (result >= 0)
		return 0;
	stream->broken = true;
	return mvm_fail_errno(err, errno, "cannot write to the VM");
}

static int make_room(struct copy_stream *stream, size_t room, struct mvm_error **err)
{
	return room > BUFFER - stream->used ? flush(stream, err) : 0;
}

static void take_xattrs(const struct mvm_tar_entry *entry, struct mvm_stream_xattr *xattrs, size_t *count)
{
	*count = entry->xattr_count < MVM_STREAM_XATTRS_MAX ? entry->xattr_count : MVM_STREAM_XATTRS_MAX;
	for (size_t i = 0; i < *count; i++)
		xattrs[i] = (struct mvm_stream_xattr){
			.name = entry->xattrs[i].name,
			.value = entry->xattrs[i].value,
			.length = entry->xattrs[i].length,
		};
}

static int put_entry(void *arg, const struct mvm_tar_entry *from, struct mvm_error **err)
{
	static const char types[] = {
		[MVM_TAR_FILE] = MVM_STREAM_FILE,	[MVM_TAR_HARDLINK] = MVM_STREAM_HARDLINK,
		[MVM_TAR_SYMLINK] = MVM_STREAM_SYMLINK, [MVM_TAR_CHAR] = MVM_STREAM_CHAR,
		[MVM_TAR_BLOCK] = MVM_STREAM_BLOCK,	[MVM_TAR_FOLDER] = MVM_STREAM_FOLDER,
		[MVM_TAR_FIFO] = MVM_STREAM_FIFO,
	};
	struct copy_stream *stream = arg;
	struct mvm_stream_xattr xattrs[MVM_STREAM_XATTRS_MAX];
	struct mvm_stream_entry entry = {
		.type = (enum mvm_stream_type)types[from->type],
		.name = from->name,
		.target = from->target,
		.mode = from->mode,
		.uid = from->uid,
		.gid = from->gid,
		.major = from->major,
		.minor = from->minor,
		.mtime = from->mtime,
		.mtime_nsec = from->mtime_nsec,
		.size = from->size,
		.xattrs = xattrs,
	};
	size_t length;

	take_xattrs(from, xattrs, &entry.xattr_count);
	if (make_room(stream, MVM_STREAM_ENTRY_MAX, err) < 0)
		return -1;
	if (mvm_stream_put_entry(&entry, stream->buffer + stream->used, BUFFER - stream->used, &length) < 0)
		return mvm_fail(err, MVM_ERR_INVALID, "%s: its name, target or attributes are too long", from->name);
	stream->used += length;
	return 0;
}

static int put_data(void *arg, uint64_t offset, const void *data, size_t length, struct mvm_error **err)
{
	struct copy_stream *stream = arg;
	const char *at = data;

	while (length) {
		size_t part;

		if (make_room(stream, MVM_STREAM_DATA_HEADER + 1, err) < 0)
			return -1;
		part = BUFFER - stream->used - MVM_STREAM_DATA_HEADER;
		if (part > length)
			part = length;
		mvm_stream_put_data(stream->buffer + stream->used, offset, part);
		memcpy(stream->buffer + stream->used + MVM_STREAM_DATA_HEADER, at, part);
		stream->used += MVM_STREAM_DATA_HEADER + part;
		at += part;
		offset += part;
		length -= part;
	}
	return 0;
}

static int put_nothing(void *arg, struct mvm_error **err)
{
	return 0;
}

const struct mvm_tar_ops copy_stream_ops = {.entry = put_entry, .data = put_data, .end = put_nothing};

int copy_stream_end(struct copy_stream *stream, struct mvm_error **err)
{
	if (make_room(stream, MVM_WIRE_HEADER_SIZE, err) < 0)
		return -1;
	mvm_stream_put_end(stream->buffer + stream->used);
	stream->used += MVM_WIRE_HEADER_SIZE;
	return flush(stream, err);
}
