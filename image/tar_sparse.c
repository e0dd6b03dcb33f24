/*
 * Maps of sparse files: which ranges of a file the archive has bytes for (GNU tar manual, "Sparse Formats").
 */
#include "tar_internal.h"

#include <string.h>

#include "runtime/base/error.h"

int tar_sparse_add(struct tar_meta *meta, uint64_t offset, uint64_t length, struct mvm_error **err)
{
	size_t count = meta->piece_count;

	if (count == MVM_TAR_MAX_PIECES)
		return mvm_fail(err, MVM_ERR_INVALID, "sparse file of more than %d pieces", (int)MVM_TAR_MAX_PIECES);
	if ((count & (count - 1)) == 0) /* full at each power of two */
		meta->pieces = mvm_realloc(meta->pieces, count ? count * 2 : 1, sizeof(*meta->pieces));
	meta->pieces[meta->piece_count++] = (struct tar_piece){.offset = offset, .length = length};
	return 0;
}

int tar_sparse_check(const struct tar_meta *meta, uint64_t real_size, uint64_t stored, struct mvm_error **err)
{
	uint64_t position = 0, sum = 0;

	for (size_t i = 0; i < meta->piece_count; i++) {
		const struct tar_piece *piece = &meta->pieces[i];

		if (piece->offset < position || piece->offset > real_size || piece->length > real_size - piece->offset)
			return mvm_fail(err, MVM_ERR_INVALID, "sparse map out of order or past the end of the file");
		position = piece->offset + piece->length;
		sum += piece->length; /* cannot wrap: pieces do not overlap */
	}
	if (sum != stored)
		return mvm_fail(err, MVM_ERR_INVALID, "sparse map does not match the size of the content");
	return 0;
}

int tar_sparse_gnu(struct tar_meta *meta, const char *pieces, size_t count, struct mvm_error **err)
{
	for (size_t i = 0; i < count; i++) {
		const struct tar_gnu_piece *piece = (const void *)(pieces + i * sizeof(*piece));
		int64_t offset, length;

		if (piece->length[0] == '\0' && piece->offset[0] == '\0')
			return 0;
		if (!tar_number(piece->offset, sizeof(piece->offset), &offset) ||
		    !tar_number(piece->length, sizeof(piece->length), &length) || offset < 0 || length < 0)
			return mvm_fail(err, MVM_ERR_INVALID, "malformed sparse map");
		if (tar_sparse_add(meta, (uint64_t)offset, (uint64_t)length, err) < 0)
			return -1;
	}
	return 0;
}

/* A decimal number and its newline at *at. */
static bool next_number(const char **at, const char *end, uint64_t *value)
{
	const char *newline = memchr(*at, '\n', (size_t)(end - *at));

	if (!newline || !tar_decimal(*at, newline, value))
		return false;
	*at = newline + 1;
	return true;
}

int tar_sparse_map_lines(const char *data, size_t length, size_t *lines, struct mvm_error **err)
{
	uint64_t count;

	if (!next_number(&data, data + length, &count))
		return mvm_fail(err, MVM_ERR_INVALID, "malformed sparse map");
	if (count > MVM_TAR_MAX_PIECES)
		return mvm_fail(err, MVM_ERR_INVALID, "sparse file of more than %d pieces", (int)MVM_TAR_MAX_PIECES);
	*lines = (size_t)count * 2 + 1;
	return 0;
}

int tar_sparse_map(struct tar_meta *meta, const char *data, size_t length, struct mvm_error **err)
{
	const char *end = data + length;
	uint64_t count, offset, size;

	if (!next_number(&data, end, &count))
		return mvm_fail(err, MVM_ERR_INVALID, "malformed sparse map");
	while (count--) {
		if (!next_number(&data, end, &offset) || !next_number(&data, end, &size))
			return mvm_fail(err, MVM_ERR_INVALID, "malformed sparse map");
		if (tar_sparse_add(meta, offset, size, err) < 0)
			return -1;
	}
	return 0;
}
