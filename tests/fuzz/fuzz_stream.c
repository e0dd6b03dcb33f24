/* The stream of UNPACK: the same entries and content whatever pieces it comes in, and no content beyond a file's size;
 * clean names stay where they belong. */
#include "fuzz.h"

#include "guest-agent/proto/stream.h"
#include "runtime/base/mem.h"

struct events {
	struct mvm_buf text;
	uint64_t size, at; /* of the present file */
	bool open;
};

static void check_name(const char *name)
{
	char clean[MVM_STREAM_TEXT_MAX + 1], again[MVM_STREAM_TEXT_MAX + 1];

	if (mvm_stream_clean_name(name, clean) < 0)
		return;
	fuzz_check(*clean != '/' && !strstr(clean, "//"));
	fuzz_check(strcmp(clean, "..") != 0 && strncmp(clean, "../", 3) != 0 && !strstr(clean, "/../"));
	fuzz_check(mvm_stream_clean_name(clean, again) == 0 && !strcmp(clean, again));
}

static int on_entry(void *arg, const struct mvm_stream_entry *entry)
{
	struct events *events = arg;

	fuzz_check(!events->open && entry->name && entry->xattr_count <= MVM_STREAM_XATTRS_MAX);
	fuzz_check((entry->mode & ~07777u) == 0 && entry->mtime_nsec < 1000000000);
	fuzz_check(entry->type == MVM_STREAM_FILE || entry->size == 0);
	check_name(entry->name);
	events->open = true;
	events->size = entry->size;
	events->at = 0;
	mvm_buf_addf(&events->text, "[%d %s %s %o %u %u %u %u %lld %u %llu", entry->type, entry->name,
		     entry->target ? entry->target : "", entry->mode, entry->uid, entry->gid, entry->major,
		     entry->minor, (long long)entry->mtime, entry->mtime_nsec, (unsigned long long)entry->size);
	for (size_t i = 0; i < entry->xattr_count; i++) {
		mvm_buf_addf(&events->text, " %s=", entry->xattrs[i].name);
		mvm_buf_add(&events->text, entry->xattrs[i].value, entry->xattrs[i].length);
	}
	return 0;
}

static int on_data(void *arg, uint64_t offset, const void *data, size_t length)
{
	struct events *events = arg;

	fuzz_check(events->open && offset >= events->at && offset <= events->size && length &&
		   length <= events->size - offset);
	if (offset != events->at)
		mvm_buf_addf(&events->text, " @%llu:", (unsigned long long)offset);
	mvm_buf_add(&events->text, data, length);
	events->at = offset + length;
	return 0;
}

static int on_end(void *arg)
{
	struct events *events = arg;

	fuzz_check(events->open);
	events->open = false;
	mvm_buf_add(&events->text, "]", 1);
	return 0;
}

static bool read_all(const uint8_t *data, size_t size, size_t piece, struct events *events)
{
	static const struct mvm_stream_ops ops = {.entry = on_entry, .data = on_data, .end = on_end};
	static struct mvm_stream_reader reader;
	int rc = 0;

	mvm_stream_reader_init(&reader, &ops, events);
	for (size_t at = 0; rc == 0 && at < size; at += piece)
		rc = mvm_stream_feed(&reader, data + at, size - at < piece ? size - at : piece);
	fuzz_check(rc == 0 || reader.reason);
	return rc == 0 && mvm_stream_ended(&reader);
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	struct events whole = {0}, pieces = {0};
	bool taken = read_all(data, size, SIZE_MAX / 2, &whole), other = read_all(data, size, 13, &pieces);

	fuzz_check(taken == other);
	fuzz_check(!taken || (whole.text.length == pieces.text.length &&
			      (!whole.text.length || !memcmp(whole.text.data, pieces.text.data, whole.text.length))));
	mvm_buf_finish(&whole.text);
	mvm_buf_finish(&pieces.text);
	return taken;
}
