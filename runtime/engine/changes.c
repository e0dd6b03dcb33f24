#include "changes.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/error.h"

static void add(struct mvm_changes *changes, char kind, const char *path, size_t length)
{
	if ((changes->count & (changes->count - 1)) == 0)
		changes->items =
			mvm_realloc(changes->items, changes->count ? changes->count * 2 : 1, sizeof(*changes->items));
	changes->items[changes->count++] = (struct mvm_change){.kind = kind, .path = mvm_strndup(path, length)};
}

static int malformed(struct mvm_error **err)
{
	return mvm_fail(err, MVM_ERR_INVALID, "the VM does not send a list of changes");
}

static int charge(struct changes_reader *reader, size_t length, struct mvm_error **err)
{
	reader->bytes += length + sizeof(struct mvm_change);
	if (reader->bytes > CHANGES_BYTES_MAX)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "there are too many changes to be listed");
	return 0;
}

/* "A/path" */
static int take(struct changes_reader *reader, const char *text, struct mvm_error **err)
{
	size_t length = strlen(text);

	if (length < 3 || !strchr("ACD", text[0]) || text[1] != '/' || length > CHANGES_PATH_MAX)
		return malformed(err);
	if (charge(reader, length, err) < 0)
		return -1;
	add(reader->changes, text[0], text + 1, length - 1);
	return 0;
}

int changes_feed(struct changes_reader *reader, const char *data, size_t length, struct mvm_error **err)
{
	while (length) {
		const char *end = memchr(data, '\0', length);
		size_t piece = end ? (size_t)(end - data) + 1 : length;

		if (reader->rest.length + piece > CHANGES_PATH_MAX + 2)
			return malformed(err);
		mvm_buf_add(&reader->rest, data, piece);
		if (end && take(reader, reader->rest.data, err) < 0)
			return -1;
		if (end)
			reader->rest.length = 0;
		data += piece;
		length -= piece;
	}
	return 0;
}

static int by_path(const void *a, const void *b)
{
	const struct mvm_change *one = a, *two = b;

	return strcmp(one->path, two->path);
}

static void sort(struct mvm_changes *changes)
{
	size_t kept = 0;

	if (changes->count)
		qsort(changes->items, changes->count, sizeof(*changes->items), by_path);
	/* What was there already is told with the more telling letter. */
	for (size_t i = 0; i < changes->count; i++) {
		if (kept == 0 || strcmp(changes->items[kept - 1].path, changes->items[i].path) != 0) {
			changes->items[kept++] = changes->items[i];
			continue;
		}
		if (changes->items[kept - 1].kind == 'C')
			changes->items[kept - 1].kind = changes->items[i].kind;
		free(changes->items[i].path);
	}
	changes->count = kept;
}

/* Each folder around a change, but the root, once for each run of changes in it. */
static int add_folders(struct changes_reader *reader, struct mvm_error **err)
{
	struct mvm_changes *changes = reader->changes;
	size_t count = changes->count;
	const char *before = "/";

	for (size_t i = 0; i < count; i++) {
		const char *path = changes->items[i].path;
		size_t same = 0;

		while (path[same] && path[same] == before[same])
			same++;
		for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
			if ((size_t)(slash - path) < same)
				continue;
			if (charge(reader, (size_t)(slash - path), err) < 0)
				return -1;
			add(changes, 'C', path, (size_t)(slash - path));
		}
		before = path;
	}
	return 0;
}

int changes_complete(struct changes_reader *reader, struct mvm_error **err)
{
	if (reader->rest.length)
		return malformed(err);
	sort(reader->changes);
	if (add_folders(reader, err) < 0)
		return -1;
	sort(reader->changes);
	return 0;
}

void changes_reader_finish(struct changes_reader *reader)
{
	mvm_buf_finish(&reader->rest);
}

void mvm_changes_finish(struct mvm_changes *changes)
{
	for (size_t i = 0; i < changes->count; i++)
		free(changes->items[i].path);
	free(changes->items);
	*changes = (struct mvm_changes){0};
}
