/*
 * The archive as a state machine over 512-byte blocks. Theory of operation:
 *
 *   HEADER ──extended header, long name──► META ──► SKIP (padding) ──► HEADER
 *      │ ──GNU sparse──► EXTENSION ─┐
 *      │ ──pax sparse 1.0──► MAP ───┤
 *      └─────────────────────────► DATA ──► SKIP (padding) ──► HEADER
 *   two zero blocks: DONE, and whatever follows is ignored
 *
 * Content is handed on from the caller's buffer without copying; headers and what goes with them are collected first.
 */
#include "tar_internal.h"

#include <string.h>

#include "runtime/base/error.h"

enum state { HEADER, META, SKIP, EXTENSION, MAP, DATA, ZERO, DONE };

struct mvm_tar {
	const struct mvm_tar_ops *ops;
	void *arg;
	enum state state;

	char block[TAR_BLOCK]; /* being collected: HEADER, EXTENSION, MAP, ZERO */
	size_t block_used;

	struct mvm_buf text;	    /* the extended header, long name or sparse map being collected */
	char text_type;		    /* 'x', 'g', 'L' or 'K' */
	size_t lines, lines_wanted; /* of the sparse map */
	uint64_t left;		    /* bytes to come in META, SKIP and DATA */
	uint32_t padding;	    /* after them */

	struct tar_meta meta; /* for the next or present entry */
	struct tar_header header;
	char *name;
	char *target;
	struct mvm_tar_entry entry;
	bool sparse;
	size_t piece;	 /* the one being filled */
	uint64_t filled; /* bytes of it, or of the plain file */
};

struct mvm_tar *mvm_tar_create(const struct mvm_tar_ops *ops, void *arg)
{
	struct mvm_tar *tar = mvm_alloc(sizeof(*tar));

	_Static_assert(sizeof(struct tar_header) == TAR_BLOCK, "the header is one block");
	tar->ops = ops;
	tar->arg = arg;
	return tar;
}

void mvm_tar_destroy(struct mvm_tar *tar)
{
	if (!tar)
		return;
	mvm_buf_finish(&tar->text);
	tar_meta_finish(&tar->meta);
	free(tar->name);
	free(tar->target);
	free(tar);
}

static uint32_t padding_of(uint64_t size)
{
	return (uint32_t)(-size % TAR_BLOCK);
}

static void skip(struct mvm_tar *tar, uint64_t count)
{
	tar->left = count;
	tar->state = count ? SKIP : HEADER;
}

static int end_entry(struct mvm_tar *tar, struct mvm_error **err)
{
	tar_meta_finish(&tar->meta);
	skip(tar, tar->padding);
	return tar->ops->end(tar->arg, err);
}

/* All is known about the entry; what follows is content. */
static int announce(struct mvm_tar *tar, struct mvm_error **err)
{
	struct mvm_tar_entry *entry = &tar->entry;

	if (tar->sparse) {
		if (!tar->meta.has_real_size || entry->type != MVM_TAR_FILE)
			return mvm_fail(err, MVM_ERR_INVALID, "sparse entry %s is not a file or has no size",
					entry->name);
		if (tar_sparse_check(&tar->meta, tar->meta.real_size, tar->left, err) < 0)
			return mvm_error_wrap(err, "%s", entry->name);
		entry->size = tar->meta.real_size;
	}
	entry->xattrs = tar->meta.xattrs;
	entry->xattr_count = tar->meta.xattr_count;
	tar->piece = 0;
	tar->filled = 0;
	tar->state = DATA;
	if (tar->ops->entry(tar->arg, entry, err) < 0)
		return -1;
	return tar->left ? 0 : end_entry(tar, err);
}

static bool map_type(char type, enum mvm_tar_type *out)
{
	static const struct {
		char flag;
		enum mvm_tar_type type;
	} types[] = {
		{'0', MVM_TAR_FILE},	 {'\0', MVM_TAR_FILE},	 {'7', MVM_TAR_FILE}, {'S', MVM_TAR_FILE},
		{'1', MVM_TAR_HARDLINK}, {'2', MVM_TAR_SYMLINK}, {'3', MVM_TAR_CHAR}, {'4', MVM_TAR_BLOCK},
		{'5', MVM_TAR_FOLDER},	 {'D', MVM_TAR_FOLDER},	 {'6', MVM_TAR_FIFO},
	};

	for (size_t i = 0; i < MVM_COUNT(types); i++) {
		if (types[i].flag == type) {
			*out = types[i].type;
			return true;
		}
	}
	return false;
}

static bool number32(const char *field, size_t width, uint32_t *value)
{
	int64_t number;

	if (!tar_number(field, width, &number) || number < 0 || number > UINT32_MAX)
		return false;
	*value = (uint32_t)number;
	return true;
}

/* The numbers of the header, and what the extended header says instead. */
static bool fill_numbers(struct mvm_tar *tar)
{
	const struct tar_header *header = &tar->header;
	const struct tar_meta *meta = &tar->meta;
	struct mvm_tar_entry *entry = &tar->entry;
	bool device = entry->type == MVM_TAR_CHAR || entry->type == MVM_TAR_BLOCK;

	if (!number32(header->mode, sizeof(header->mode), &entry->mode))
		return false;
	entry->mode &= 07777;
	if (!meta->has_uid && !number32(header->uid, sizeof(header->uid), &entry->uid))
		return false;
	if (!meta->has_gid && !number32(header->gid, sizeof(header->gid), &entry->gid))
		return false;
	if (!meta->has_mtime && !tar_number(header->mtime, sizeof(header->mtime), &entry->mtime))
		return false;
	if (meta->has_uid)
		entry->uid = meta->uid;
	if (meta->has_gid)
		entry->gid = meta->gid;
	if (meta->has_mtime) {
		entry->mtime = meta->mtime;
		entry->mtime_nsec = meta->mtime_nsec;
	}
	return !device || (number32(header->major, sizeof(header->major), &entry->major) &&
			   number32(header->minor, sizeof(header->minor), &entry->minor));
}

static void fill_names(struct mvm_tar *tar)
{
	const struct tar_meta *meta = &tar->meta;

	free(tar->name);
	free(tar->target);
	if (meta->sparse_name || meta->path)
		tar->name = mvm_strdup(meta->sparse_name ? meta->sparse_name : meta->path);
	else
		tar->name = tar_header_name(&tar->header);
	if (meta->linkpath)
		tar->target = mvm_strdup(meta->linkpath);
	else
		tar->target =
			mvm_strndup(tar->header.linkname, strnlen(tar->header.linkname, sizeof(tar->header.linkname)));
	tar->entry.name = tar->name;
	tar->entry.target = tar->target;
}

static int begin_gnu_sparse(struct mvm_tar *tar, struct mvm_error **err)
{
	const char *raw = (const char *)&tar->header;
	int64_t size;

	if (!tar_number(raw + TAR_GNU_REAL_SIZE, 12, &size) || size < 0)
		return mvm_fail(err, MVM_ERR_INVALID, "malformed sparse file %s", tar->name);
	tar->meta.real_size = (uint64_t)size;
	tar->meta.has_real_size = true;
	tar->sparse = true;
	if (tar_sparse_gnu(&tar->meta, raw + TAR_GNU_PIECES, 4, err) < 0)
		return -1;
	if (!raw[TAR_GNU_EXTENDED])
		return announce(tar, err);
	tar->state = EXTENSION;
	return 0;
}

static int begin_entry(struct mvm_tar *tar, uint64_t size, struct mvm_error **err)
{
	const struct tar_meta *meta = &tar->meta;
	struct mvm_tar_entry *entry = &tar->entry;

	*entry = (struct mvm_tar_entry){0};
	fill_names(tar);
	if (!map_type(tar->header.type, &entry->type))
		return mvm_fail(err, MVM_ERR_INVALID, "%s: entry of unknown type %d", tar->name, tar->header.type);
	if (tar->header.type == '\0' && *tar->name && tar->name[strlen(tar->name) - 1] == '/')
		entry->type = MVM_TAR_FOLDER; /* v7 had no type for folders */
	if (!fill_numbers(tar))
		return mvm_fail(err, MVM_ERR_INVALID, "%s: malformed header", tar->name);
	if (entry->type == MVM_TAR_FILE) {
		tar->left = meta->has_size ? meta->size : size;
		entry->size = tar->left;
	} else {
		tar->left = 0;
	}
	tar->padding = padding_of(tar->left);
	tar->sparse = meta->piece_count || meta->sparse_map_in_data || meta->has_real_size;
	if (tar->header.type == 'S')
		return begin_gnu_sparse(tar, err);
	if (meta->sparse_map_in_data) {
		tar->text.length = 0;
		tar->lines = 0;
		tar->lines_wanted = 0;
		tar->state = MAP;
		return 0;
	}
	return announce(tar, err);
}

static int begin_text(struct mvm_tar *tar, char type, uint64_t size, struct mvm_error **err)
{
	if (size > MVM_TAR_MAX_META)
		return mvm_fail(err, MVM_ERR_INVALID, "extended header of %llu bytes", (unsigned long long)size);
	tar->text.length = 0;
	tar->text_type = type;
	tar->left = size;
	tar->padding = padding_of(size);
	tar->state = META;
	return 0;
}

static int on_header(struct mvm_tar *tar, struct mvm_error **err)
{
	char type = tar->header.type;
	int64_t size;

	if (tar_is_zero(&tar->header)) {
		tar->state = ZERO;
		return 0;
	}
	if (!tar_checksum_ok(&tar->header))
		return mvm_fail(err, MVM_ERR_INVALID, "not a tar header where one must be (check sum differs)");
	if (!tar_number(tar->header.size, sizeof(tar->header.size), &size) || size < 0)
		return mvm_fail(err, MVM_ERR_INVALID, "malformed size in a tar header");
	if (type == 'x' || type == 'X' || type == 'g' || type == 'L' || type == 'K')
		return begin_text(tar, type == 'X' ? 'x' : type, (uint64_t)size, err);
	if (type == 'V') { /* a volume's label */
		skip(tar, (uint64_t)size + padding_of((uint64_t)size));
		return 0;
	}
	return begin_entry(tar, (uint64_t)size, err);
}

static void take_text(char **to, const struct mvm_buf *text)
{
	free(*to);
	*to = mvm_strndup(text->length ? text->data : "", text->length);
}

static int on_text(struct mvm_tar *tar, struct mvm_error **err)
{
	const struct mvm_buf *text = &tar->text;

	skip(tar, tar->padding);
	switch (tar->text_type) {
	case 'L':
		take_text(&tar->meta.path, text);
		return 0;
	case 'K':
		take_text(&tar->meta.linkpath, text);
		return 0;
	case 'x':
		return tar_pax_parse(&tar->meta, text->data, text->length, err);
	default:
		return 0; /* global headers say nothing about a layer's entries */
	}
}

static int on_extension(struct mvm_tar *tar, struct mvm_error **err)
{
	if (tar_sparse_gnu(&tar->meta, tar->block, TAR_GNU_EXT_PIECES, err) < 0)
		return -1;
	if (!tar->block[TAR_GNU_EXT_PIECES * sizeof(struct tar_gnu_piece)])
		return announce(tar, err);
	return 0;
}

static int on_map(struct mvm_tar *tar, struct mvm_error **err)
{
	if (tar->left < TAR_BLOCK)
		return mvm_fail(err, MVM_ERR_INVALID, "%s: sparse map is cut short", tar->name);
	tar->left -= TAR_BLOCK;
	mvm_buf_add(&tar->text, tar->block, TAR_BLOCK);
	for (size_t i = 0; i < TAR_BLOCK; i++)
		tar->lines += tar->block[i] == '\n';
	if (!tar->lines_wanted && tar_sparse_map_lines(tar->text.data, tar->text.length, &tar->lines_wanted, err) < 0)
		return -1;
	if (tar->lines < tar->lines_wanted)
		return tar->text.length < (size_t)MVM_TAR_MAX_PIECES * 48
			       ? 0
			       : mvm_fail(err, MVM_ERR_INVALID, "%s: malformed sparse map", tar->name);
	if (tar_sparse_map(&tar->meta, tar->text.data, tar->text.length, err) < 0)
		return -1;
	return announce(tar, err);
}

static int on_block(struct mvm_tar *tar, struct mvm_error **err)
{
	switch (tar->state) {
	case HEADER:
		memcpy(&tar->header, tar->block, TAR_BLOCK);
		return on_header(tar, err);
	case EXTENSION:
		return on_extension(tar, err);
	case MAP:
		return on_map(tar, err);
	default:
		if (!tar_is_zero((const void *)tar->block))
			return mvm_fail(err, MVM_ERR_INVALID, "entries after the end-of-archive mark");
		tar->state = DONE;
		return 0;
	}
}

/* Hands on up to `length` bytes of content, as far as one piece goes; returns how many, or -1. */
static ssize_t emit(struct mvm_tar *tar, const char *data, size_t length, struct mvm_error **err)
{
	uint64_t offset = tar->filled;

	if (tar->sparse) {
		/* The check of the map has made sure that there is a piece for every byte. */
		while (tar->filled == tar->meta.pieces[tar->piece].length) {
			tar->piece++;
			tar->filled = 0;
		}
		const struct tar_piece *piece = &tar->meta.pieces[tar->piece];

		if (length > piece->length - tar->filled)
			length = (size_t)(piece->length - tar->filled);
		offset = piece->offset + tar->filled;
	}
	tar->filled += length;
	if (tar->ops->data(tar->arg, offset, data, length, err) < 0)
		return -1;
	return (ssize_t)length;
}

/* Takes bytes that are counted by `left`; returns how many, or -1. */
static ssize_t feed_counted(struct mvm_tar *tar, const char *data, size_t length, struct mvm_error **err)
{
	ssize_t used;

	if (length > tar->left)
		length = (size_t)tar->left;
	used = (ssize_t)length;
	if (tar->state == META)
		mvm_buf_add(&tar->text, data, length);
	else if (tar->state == DATA && (used = emit(tar, data, length, err)) < 0)
		return -1;
	tar->left -= (uint64_t)used;
	if (tar->left)
		return used;
	if (tar->state == SKIP)
		tar->state = HEADER;
	else if ((tar->state == META ? on_text(tar, err) : end_entry(tar, err)) < 0)
		return -1;
	return used;
}

static ssize_t feed_block(struct mvm_tar *tar, const char *data, size_t length, struct mvm_error **err)
{
	size_t room = TAR_BLOCK - tar->block_used;

	if (length > room)
		length = room;
	memcpy(tar->block + tar->block_used, data, length);
	tar->block_used += length;
	if (tar->block_used < TAR_BLOCK)
		return (ssize_t)length;
	tar->block_used = 0;
	return on_block(tar, err) < 0 ? -1 : (ssize_t)length;
}

int mvm_tar_feed(struct mvm_tar *tar, const void *data, size_t length, struct mvm_error **err)
{
	const char *at = data;

	while (length && tar->state != DONE) {
		bool counted = tar->state == META || tar->state == SKIP || tar->state == DATA;
		ssize_t used = counted ? feed_counted(tar, at, length, err) : feed_block(tar, at, length, err);

		if (used < 0)
			return -1;
		at += used;
		length -= (size_t)used;
	}
	return 0;
}

int mvm_tar_finish(struct mvm_tar *tar, struct mvm_error **err)
{
	bool whole = tar->state == DONE || (tar->state == HEADER && tar->block_used == 0) || tar->state == ZERO;

	if (whole)
		return 0;
	if (tar->state == DATA)
		return mvm_fail(err, MVM_ERR_INVALID, "the archive is cut short in %s", tar->name);
	return mvm_fail(err, MVM_ERR_INVALID, "the archive is cut short");
}
