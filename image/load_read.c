/*
 * The first half of a load: the tar as it arrives, its files into the store.
 */
#include <string.h>

#include "archive_internal.h"
#include "budget.h"
#include "digest.h"
#include "inflate.h"
#include "manifest.h"
#include "runtime/base/error.h"
#include "tar.h"

enum {
	CHUNK = 256 * 1024,
	MAX_PATH = 4095,
	MAX_FILES = 65536,
	MAX_NAME_BYTES = 16 << 20, /* of all names together */
	MAX_LINKS = 40,
	MAGIC = 4,
};

#define BLOBS "blobs/sha256/"

/* The file that is being read. */
struct reader {
	struct archive *archive;
	struct mvm_budget budget;
	char *name; /* clean; NULL between entries */
	struct mvm_buf *text;
	struct mvm_ingest *ingest; /* NULL where the store has the blob, or nobody wants the file */
	struct mvm_descriptor blob;
	bool wanted;
	uint64_t size, seen;
	unsigned char magic[MAGIC];
};

static int climbs_out(const char *name, struct mvm_error **err)
{
	return mvm_fail(err, MVM_ERR_INVALID, "%.200s: a name or link that climbs out of the archive with \"..\"",
			name);
}

char *archive_path(const char *folder, size_t length, const char *text)
{
	struct mvm_buf clean MVM_CLEAN_BUF = {0};

	mvm_buf_add(&clean, folder, *text == '/' ? 0 : length);
	while (*text) {
		size_t part = strcspn(text, "/");

		if (part == 2 && !strncmp(text, "..", 2)) {
			if (!clean.length)
				return NULL;
			while (clean.length && clean.data[--clean.length] != '/')
				;
		} else if (part && !(part == 1 && *text == '.')) {
			mvm_buf_add(&clean, "/", clean.length ? 1 : 0);
			mvm_buf_add(&clean, text, part);
		}
		text += part + (text[part] == '/');
	}
	clean.data = clean.data ? clean.data : mvm_alloc(1);
	clean.data[clean.length] = '\0';
	return mvm_buf_steal(&clean);
}

static int add_file(struct reader *reader, char *name, char *target, struct mvm_error **err)
{
	struct archive *archive = reader->archive;
	struct archive_file *file;

	archive->name_bytes += strlen(name) + (target ? strlen(target) : 0);
	archive->files = mvm_realloc(archive->files, archive->file_count + 1, sizeof(*archive->files));
	file = &archive->files[archive->file_count];
	*file = (struct archive_file){.name = name, .target = target, .number = archive->file_count};
	archive->file_count++;
	if (archive->file_count > MAX_FILES || archive->name_bytes > MAX_NAME_BYTES)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "more than %d files, or names of more than %d bytes",
				MAX_FILES, MAX_NAME_BYTES);
	return 0;
}

/* A symlink is read from its own folder, a hard link from the root. */
static int add_link(struct reader *reader, const struct mvm_tar_entry *entry, const char *name, struct mvm_error **err)
{
	const char *slash = entry->type == MVM_TAR_SYMLINK ? strrchr(name, '/') : NULL;
	char *target = archive_path(name, slash ? (size_t)(slash - name) : 0, entry->target);

	if (!target)
		return climbs_out(entry->name, err);
	return add_file(reader, mvm_strdup(name), target, err);
}

static struct mvm_buf *text_for(struct archive *archive, const char *name)
{
	if (!strcmp(name, "manifest.json"))
		return &archive->manifest_json;
	if (!strcmp(name, "index.json"))
		return &archive->index_json;
	return !strcmp(name, "oci-layout") ? &archive->oci_layout : NULL;
}

/* What only readers older than manifest.json want. */
static bool is_legacy(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? !strcmp(slash, "/VERSION") || !strcmp(slash, "/json") : !strcmp(name, "repositories");
}

static int begin_text(struct reader *reader, struct mvm_buf *text, struct mvm_error **err)
{
	if (reader->size > MVM_MANIFEST_MAX)
		return mvm_fail(err, MVM_ERR_INVALID, "%s: larger than %d bytes", reader->name, MVM_MANIFEST_MAX);
	reader->text = text;
	text->length = 0;
	mvm_buf_add(text, "", 0);
	mvm_buf_reserve(text, 1);
	text->data[0] = '\0';
	return 0;
}

/* A blob that has been in the store for long may have decayed, and here it is whole. */
static int begin_named_blob(struct reader *reader, struct mvm_error **err)
{
	const struct archive *archive = reader->archive;
	const volatile sig_atomic_t *interrupted = archive->options->interrupted;
	int result = mvm_ingest_begin(archive->store, &reader->blob, true, interrupted, &reader->ingest, err);

	if (result == MVM_INGEST_PRESENT) {
		result = mvm_store_check_blob(archive->store, &reader->blob, err);
		if (result == 1)
			result = mvm_ingest_begin(archive->store, &reader->blob, true, interrupted, &reader->ingest,
						  err);
	}
	if (result < 0)
		return mvm_error_wrap(err, "%s", reader->name);
	/* What a pull has left of it comes again. */
	if (reader->ingest)
		mvm_ingest_restart(reader->ingest);
	return 0;
}

static int begin_file(struct reader *reader, struct mvm_error **err)
{
	struct mvm_buf *text = text_for(reader->archive, reader->name);
	struct mvm_store *store = reader->archive->store;
	char *digest MVM_CLEAN_FREE = NULL;

	if (text)
		return begin_text(reader, text, err);
	if (is_legacy(reader->name))
		return 0;
	if (reader->size > reader->budget.max_size)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED,
				"%s: %llu bytes, more than an image may take (\"images\": {\"maxUnpackedSize\"} in the "
				"configuration file)",
				reader->name, (unsigned long long)reader->size);
	reader->wanted = true;
	reader->blob = (struct mvm_descriptor){.size = reader->size};
	digest = mvm_format("sha256:%s",
			    reader->name + (strncmp(reader->name, BLOBS, strlen(BLOBS)) ? 0 : strlen(BLOBS)));
	if (!strncmp(reader->name, BLOBS, strlen(BLOBS)) && mvm_digest_parse(digest, &reader->blob.digest, NULL) == 0)
		return begin_named_blob(reader, err);
	return mvm_ingest_begin_unknown(store, &reader->ingest, err);
}

static int on_entry(void *arg, const struct mvm_tar_entry *entry, struct mvm_error **err)
{
	struct reader *reader = arg;
	char *name MVM_CLEAN_FREE = NULL;

	reader->text = NULL;
	reader->wanted = false;
	if (strlen(entry->name) > MAX_PATH || strlen(entry->target) > MAX_PATH)
		return mvm_fail(err, MVM_ERR_INVALID, "%.100s...: a name of more than %d bytes", entry->name, MAX_PATH);
	name = archive_path("", 0, entry->name);
	if (!name)
		return climbs_out(entry->name, err);
	if (entry->type == MVM_TAR_SYMLINK || entry->type == MVM_TAR_HARDLINK)
		return add_link(reader, entry, name, err);
	if (entry->type != MVM_TAR_FILE)
		return 0;
	free(reader->name);
	reader->name = name;
	name = NULL;
	reader->size = entry->size;
	reader->seen = 0;
	memset(reader->magic, 0, sizeof(reader->magic));
	return begin_file(reader, err);
}

static void keep_magic(struct reader *reader, const unsigned char *data, size_t length)
{
	for (size_t i = 0; i < length && reader->seen + i < MAGIC; i++)
		reader->magic[reader->seen + i] = data[i];
}

static int has_holes(const struct reader *reader, struct mvm_error **err)
{
	return mvm_fail(err, MVM_ERR_UNSUPPORTED, "%s is a sparse file; an image archive has none", reader->name);
}

static int on_data(void *arg, uint64_t offset, const void *data, size_t length, struct mvm_error **err)
{
	struct reader *reader = arg;

	if (offset != reader->seen)
		return has_holes(reader, err);
	keep_magic(reader, data, length);
	reader->seen += length;
	if (reader->text)
		mvm_buf_add(reader->text, data, length);
	if (reader->ingest && mvm_ingest_write(reader->ingest, data, length, err) < 0)
		return mvm_error_wrap(err, "%s", reader->name);
	return 0;
}

static int commit(struct reader *reader, struct mvm_error **err)
{
	int result = mvm_ingest_commit(reader->ingest, err);

	if (result == 0)
		reader->blob.digest = reader->ingest->descriptor.digest;
	mvm_ingest_destroy(reader->ingest);
	reader->ingest = NULL;
	return result < 0 ? mvm_error_wrap(err, "%s", reader->name) : 0;
}

static int on_end(void *arg, struct mvm_error **err)
{
	struct reader *reader = arg;
	struct archive *archive = reader->archive;

	if (!reader->name)
		return 0;
	if (reader->seen != reader->size)
		return has_holes(reader, err);
	if (reader->ingest && commit(reader, err) < 0)
		return -1;
	if (reader->wanted) {
		char *name = reader->name;

		reader->name = NULL;
		if (add_file(reader, name, NULL, err) < 0)
			return -1;
		reader->blob.media_type = (char *)archive_layer_type(reader->magic, sizeof(reader->magic));
		archive->files[archive->file_count - 1].blob = reader->blob;
	}
	free(reader->name);
	reader->name = NULL;
	return 0;
}

static const struct mvm_tar_ops ops = {.entry = on_entry, .data = on_data, .end = on_end};

static int by_name(const void *a, const void *b)
{
	const struct archive_file *left = a, *right = b;
	int order = strcmp(left->name, right->name);

	if (order)
		return order;
	return left->number < right->number ? -1 : left->number > right->number;
}

static void free_file(struct archive_file *file)
{
	free(file->name);
	free(file->target);
}

/* By name, and of several the last one, which is what unpacking them would leave. */
static void sort_files(struct archive *archive)
{
	size_t kept = 0;

	if (archive->file_count)
		qsort(archive->files, archive->file_count, sizeof(*archive->files), by_name);
	for (size_t i = 0; i < archive->file_count; i++) {
		if (i + 1 < archive->file_count && !strcmp(archive->files[i].name, archive->files[i + 1].name))
			free_file(&archive->files[i]);
		else
			archive->files[kept++] = archive->files[i];
	}
	archive->file_count = kept;
}

struct input {
	int fd;
	const struct mvm_archive_options *options;
};

static ssize_t read_input(void *arg, void *data, size_t length, struct mvm_error **err)
{
	struct input *input = arg;

	return archive_read_fd(input->fd, data, length, input->options, err);
}

/* To its very end, also what follows the tar: whoever writes into the pipe shall not fail. */
static int read_tar(struct mvm_tar *tar, struct mvm_inflate *inflate, struct mvm_error **err)
{
	char *chunk MVM_CLEAN_FREE = mvm_alloc(CHUNK);
	uint64_t total = 0;
	ssize_t got;

	while ((got = mvm_inflate_read(inflate, chunk, CHUNK, err)) > 0) {
		total += (uint64_t)got;
		if (mvm_tar_feed(tar, chunk, (size_t)got, err) < 0)
			return -1;
	}
	if (got < 0)
		return -1;
	if (!total)
		return mvm_fail(err, MVM_ERR_INVALID, "it is empty");
	return mvm_tar_finish(tar, err);
}

int archive_read(struct archive *archive, int fd, struct mvm_error **err)
{
	struct input input = {.fd = fd, .options = archive->options};
	struct reader reader = {.archive = archive};
	struct mvm_inflate *inflate;
	struct mvm_tar *tar;
	int result;

	if (mvm_budget_init(&reader.budget, archive->options->config, err) < 0)
		return -1;
	inflate = mvm_inflate_create((struct mvm_source){.read = read_input, .arg = &input});
	tar = mvm_tar_create(&ops, &reader);
	result = read_tar(tar, inflate, err);
	mvm_tar_destroy(tar);
	mvm_inflate_destroy(inflate);
	mvm_ingest_destroy(reader.ingest);
	free(reader.name);
	sort_files(archive);
	return result;
}

static const struct archive_file *find_file(const struct archive *archive, const char *name)
{
	size_t low = 0, high = archive->file_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(archive->files[middle].name, name);

		if (!order)
			return &archive->files[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

int archive_find(const struct archive *archive, const char *name, const char *what, const struct mvm_descriptor **blob,
		 struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = archive_path("", 0, name);
	const struct archive_file *file = path ? find_file(archive, path) : NULL;

	if (!path)
		return climbs_out(name, err);
	for (int links = 0; file && file->target; links++) {
		if (links == MAX_LINKS)
			return mvm_fail(err, MVM_ERR_INVALID, "%s: more than %d links in a row", name, MAX_LINKS);
		file = find_file(archive, file->target);
	}
	if (!file)
		return mvm_fail(err, MVM_ERR_NOT_FOUND, "the %s %.200s is not in the archive", what, name);
	*blob = &file->blob;
	return 0;
}

void archive_finish(struct archive *archive)
{
	for (size_t i = 0; i < archive->file_count; i++)
		free_file(&archive->files[i]);
	free(archive->files);
	for (size_t i = 0; i < archive->image_count; i++) {
		mvm_image_destroy(archive->images[i].image);
		mvm_strv_finish(&archive->images[i].names);
	}
	free(archive->images);
	mvm_buf_finish(&archive->manifest_json);
	mvm_buf_finish(&archive->index_json);
	mvm_buf_finish(&archive->oci_layout);
}
