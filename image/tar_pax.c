/*
 * Extended headers (POSIX.1-2001, "pax Extended Header"): records "<length> <key>=<value>\n".
 */
#include "tar_internal.h"

#include <string.h>

#include "runtime/base/error.h"

struct value {
	const char *data;
	size_t length;
};

bool tar_decimal(const char *text, const char *end, uint64_t *value)
{
	uint64_t number = 0;

	if (text == end)
		return false;
	for (; text < end; text++) {
		if (*text < '0' || *text > '9')
			return false;
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*text - '0'), &number))
			return false;
	}
	*value = number;
	return true;
}

static bool set_text(char **text, struct value value)
{
	if (memchr(value.data, '\0', value.length))
		return false;
	free(*text);
	/* An empty value takes back what an earlier record said. */
	*text = value.length ? mvm_strndup(value.data, value.length) : NULL;
	return true;
}

static bool set_size(bool *has, uint64_t *number, struct value value)
{
	*has = value.length > 0;
	return !*has || (tar_decimal(value.data, value.data + value.length, number) && *number <= INT64_MAX);
}

static bool set_id(bool *has, uint32_t *id, struct value value)
{
	uint64_t number = 0;

	if (!set_size(has, &number, value) || number > UINT32_MAX)
		return false;
	*id = (uint32_t)number;
	return true;
}

/* "-1.25" is a quarter of a second before -1. */
static bool set_time(struct tar_meta *meta, struct value value)
{
	const char *at = value.data, *end = value.data + value.length, *dot;
	bool negative;
	uint64_t seconds;
	uint32_t nsec = 0, unit = 100000000;

	meta->has_mtime = value.length > 0;
	if (!meta->has_mtime)
		return true;
	negative = *at == '-';
	at += negative;
	dot = memchr(at, '.', (size_t)(end - at));
	if (!tar_decimal(at, dot ? dot : end, &seconds) || seconds > INT64_MAX / 2)
		return false;
	for (at = dot ? dot + 1 : end; at < end; at++, unit /= 10) {
		if (*at < '0' || *at > '9')
			return false;
		nsec += (uint32_t)(*at - '0') * unit;
	}
	meta->mtime = negative ? -(int64_t)seconds : (int64_t)seconds;
	meta->mtime_nsec = nsec;
	if (negative && nsec) {
		meta->mtime--;
		meta->mtime_nsec = 1000000000 - nsec;
	}
	return true;
}

static void drop_xattr(struct tar_meta *meta, const char *name)
{
	for (size_t i = 0; i < meta->xattr_count; i++) {
		if (strcmp(meta->xattrs[i].name, name) != 0)
			continue;
		free(meta->xattrs[i].name);
		free(meta->xattrs[i].value);
		meta->xattrs[i] = meta->xattrs[--meta->xattr_count];
		return;
	}
}

/* Takes over both; a later record of the same name wins. An empty value takes back an earlier one, as everywhere in
 * pax headers: attributes that are really empty cannot be told from it, and Go's reader drops them too. */
static bool take_xattr(struct tar_meta *meta, char *name, char *value, size_t length)
{
	drop_xattr(meta, name);
	if (!length || meta->xattr_count == MVM_TAR_MAX_XATTRS) {
		free(name);
		free(value);
		return !length;
	}
	meta->xattrs = mvm_realloc(meta->xattrs, meta->xattr_count + 1, sizeof(*meta->xattrs));
	meta->xattrs[meta->xattr_count++] = (struct mvm_tar_xattr){.name = name, .value = value, .length = length};
	return true;
}

static char *copy_bytes(const char *data, size_t length)
{
	char *copy = mvm_alloc(length + 1);

	memcpy(copy, data, length);
	return copy;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* LIBARCHIVE.xattr names are percent-encoded. */
static char *percent_decode(const char *text)
{
	char *out = mvm_alloc(strlen(text) + 1), *to = out;

	for (; *text; text++) {
		if (text[0] == '%' && hex_digit(text[1]) >= 0 && hex_digit(text[2]) >= 0) {
			*to++ = (char)(hex_digit(text[1]) << 4 | hex_digit(text[2]));
			text += 2;
		} else {
			*to++ = *text;
		}
	}
	return out;
}

static int base64_digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* LIBARCHIVE.xattr values are base64, usually without padding. NULL where malformed. */
static char *base64_decode(struct value value, size_t *length)
{
	char *out = mvm_alloc(value.length / 4 * 3 + 4), *to = out;
	uint32_t bits = 0;
	unsigned have = 0;

	while (value.length && value.data[value.length - 1] == '=')
		value.length--;
	for (size_t i = 0; i < value.length; i++) {
		int digit = base64_digit(value.data[i]);

		if (digit < 0) {
			free(out);
			return NULL;
		}
		bits = bits << 6 | (uint32_t)digit;
		have += 6;
		if (have >= 8) {
			have -= 8;
			*to++ = (char)(bits >> have);
		}
	}
	*length = (size_t)(to - out);
	return out;
}

static bool set_libarchive_xattr(struct tar_meta *meta, const char *name, struct value value)
{
	size_t length;
	char *bytes = base64_decode(value, &length);

	return bytes && take_xattr(meta, percent_decode(name), bytes, length);
}

/* GNU.sparse.map: "offset,length,offset,length" (version 0.1). */
static bool set_sparse_map(struct tar_meta *meta, struct value value, struct mvm_error **err)
{
	const char *at = value.data, *end = value.data + value.length;
	uint64_t numbers[2];
	size_t have = 0;

	while (at < end) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		const char *stop = comma ? comma : end;

		if (!tar_decimal(at, stop, &numbers[have++]))
			return false;
		if (have == 2 && tar_sparse_add(meta, numbers[0], numbers[1], err) < 0)
			return false;
		have %= 2;
		at = comma ? comma + 1 : end;
	}
	return have == 0;
}

static bool set_sparse_piece(struct tar_meta *meta, bool length, struct value value, struct mvm_error **err)
{
	uint64_t number;

	if (length != meta->piece_open || !tar_decimal(value.data, value.data + value.length, &number))
		return false;
	meta->piece_open = !length;
	if (!length)
		return tar_sparse_add(meta, number, 0, err) == 0;
	meta->pieces[meta->piece_count - 1].length = number;
	return true;
}

static bool set_version(unsigned *version, struct value value)
{
	uint64_t number;

	if (!tar_decimal(value.data, value.data + value.length, &number) || number > 9)
		return false;
	*version = (unsigned)number;
	return true;
}

static bool set_sparse(struct tar_meta *meta, const char *key, struct value value, struct mvm_error **err)
{
	if (strcmp(key, "name") == 0)
		return set_text(&meta->sparse_name, value);
	if (strcmp(key, "size") == 0 || strcmp(key, "realsize") == 0)
		return set_size(&meta->has_real_size, &meta->real_size, value);
	if (strcmp(key, "map") == 0)
		return set_sparse_map(meta, value, err);
	if (strcmp(key, "offset") == 0 || strcmp(key, "numbytes") == 0)
		return set_sparse_piece(meta, key[0] == 'n', value, err);
	if (strcmp(key, "major") == 0)
		return set_version(&meta->sparse_major, value);
	if (strcmp(key, "minor") == 0)
		return set_version(&meta->sparse_minor, value);
	return true; /* numblocks follows from the map */
}

/* What is not known is not for us: POSIX asks to ignore it. */
static bool set_record(struct tar_meta *meta, const char *key, struct value value, struct mvm_error **err)
{
	if (strcmp(key, "path") == 0)
		return set_text(&meta->path, value);
	if (strcmp(key, "linkpath") == 0)
		return set_text(&meta->linkpath, value);
	if (strcmp(key, "size") == 0)
		return set_size(&meta->has_size, &meta->size, value);
	if (strcmp(key, "uid") == 0)
		return set_id(&meta->has_uid, &meta->uid, value);
	if (strcmp(key, "gid") == 0)
		return set_id(&meta->has_gid, &meta->gid, value);
	if (strcmp(key, "mtime") == 0)
		return set_time(meta, value);
	if (strncmp(key, "SCHILY.xattr.", 13) == 0 && key[13])
		return take_xattr(meta, mvm_strdup(key + 13), copy_bytes(value.data, value.length), value.length);
	if (strncmp(key, "LIBARCHIVE.xattr.", 17) == 0 && key[17])
		return set_libarchive_xattr(meta, key + 17, value);
	if (strncmp(key, "GNU.sparse.", 11) == 0)
		return set_sparse(meta, key + 11, value, err);
	return true;
}

/* One record at *at; moves it on. */
static int parse_record(struct tar_meta *meta, const char **at, const char *end, struct mvm_error **err)
{
	const char *space = memchr(*at, ' ', (size_t)(end - *at)), *equals, *stop;
	char *key MVM_CLEAN_FREE = NULL;
	struct value value;
	uint64_t length;

	if (!space || !tar_decimal(*at, space, &length) || length > (uint64_t)(end - *at) ||
	    length <= (uint64_t)(space - *at) + 2)
		return mvm_fail(err, MVM_ERR_INVALID, "malformed extended header");
	stop = *at + length;
	equals = memchr(space + 1, '=', (size_t)(stop - space - 1));
	if (stop[-1] != '\n' || !equals || memchr(space, '\0', (size_t)(equals - space)))
		return mvm_fail(err, MVM_ERR_INVALID, "malformed extended header");
	key = mvm_strndup(space + 1, (size_t)(equals - space - 1));
	value = (struct value){.data = equals + 1, .length = (size_t)(stop - 1 - (equals + 1))};
	*at = stop;
	if (set_record(meta, key, value, err))
		return 0;
	if (err && *err)
		return -1;
	return mvm_fail(err, MVM_ERR_INVALID, "extended header has a bad value for %s", key);
}

int tar_pax_parse(struct tar_meta *meta, const char *data, size_t length, struct mvm_error **err)
{
	const char *end = data + length;

	while (data < end) {
		if (parse_record(meta, &data, end, err) < 0)
			return -1;
	}
	if (meta->piece_open)
		return mvm_fail(err, MVM_ERR_INVALID, "extended header has a malformed sparse map");
	meta->sparse_map_in_data = meta->sparse_major == 1 && meta->sparse_minor == 0;
	if (meta->sparse_major > 1 || (meta->sparse_major == 1 && meta->sparse_minor > 0))
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "sparse file of version %u.%u", meta->sparse_major,
				meta->sparse_minor);
	return 0;
}

void tar_meta_finish(struct tar_meta *meta)
{
	for (size_t i = 0; i < meta->xattr_count; i++) {
		free(meta->xattrs[i].name);
		free(meta->xattrs[i].value);
	}
	free(meta->xattrs);
	free(meta->path);
	free(meta->linkpath);
	free(meta->sparse_name);
	free(meta->pieces);
	*meta = (struct tar_meta){0};
}
