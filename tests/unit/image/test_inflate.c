#include "../unit.h"

#include <zlib.h>
#include <zstd.h>

#include "image/inflate.h"

/* Bytes in pieces of at most `step`, then the end or an error. */
struct pieces {
	const struct mvm_buf *from;
	size_t at;
	size_t step;
	bool fail;
};

static ssize_t read_piece(void *arg, void *data, size_t length, struct mvm_error **err)
{
	struct pieces *pieces = arg;
	size_t left = pieces->from->length - pieces->at;

	if (left == 0 && pieces->fail)
		return mvm_fail(err, MVM_ERR_NETWORK, "the line is dead");
	if (length > pieces->step)
		length = pieces->step;
	if (length > left)
		length = left;
	if (length)
		memcpy(data, pieces->from->data + pieces->at, length);
	pieces->at += length;
	return (ssize_t)length;
}

static void add_gzip(struct mvm_buf *out, const void *data, size_t length)
{
	z_stream stream = {0};
	char *room = mvm_buf_reserve(out, length + 1024);

	assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	stream.next_in = (unsigned char *)data;
	stream.avail_in = (unsigned)length;
	stream.next_out = (unsigned char *)room;
	stream.avail_out = (unsigned)(length + 1024);
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	out->length += stream.total_out;
	deflateEnd(&stream);
}

static void add_zstd(struct mvm_buf *out, const void *data, size_t length)
{
	size_t bound = ZSTD_compressBound(length);
	size_t size = ZSTD_compress(mvm_buf_reserve(out, bound), bound, data, length, 3);

	assert_false(ZSTD_isError(size));
	out->length += size;
}

/* Reads all of it, `step` bytes in and `room` bytes out at a time. */
static int inflate_all(const struct mvm_buf *packed, size_t step, size_t room, bool fail, struct mvm_buf *out,
		       struct mvm_error **err)
{
	struct pieces pieces = {.from = packed, .step = step, .fail = fail};
	struct mvm_inflate *inflate = mvm_inflate_create((struct mvm_source){.read = read_piece, .arg = &pieces});
	ssize_t got;

	do {
		got = mvm_inflate_read(inflate, mvm_buf_reserve(out, room), room, err);
		if (got > 0)
			out->length += (size_t)got;
	} while (got == (ssize_t)room);
	mvm_inflate_destroy(inflate);
	return got < 0 ? -1 : 0;
}

static void expect(struct mvm_buf *packed, const struct mvm_buf *plain)
{
	static const size_t steps[] = {1, 13, 100000000}, rooms[] = {1000, 262144};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	for (size_t i = 0; i < MVM_COUNT(steps); i++) {
		for (size_t j = 0; j < MVM_COUNT(rooms); j++) {
			struct mvm_buf out MVM_CLEAN_BUF = {0};

			assert_ok(inflate_all(packed, steps[i], rooms[j], false, &out, &err));
			assert_int_equal(out.length, plain->length);
			if (plain->length)
				assert_memory_equal(out.data, plain->data, plain->length);
		}
	}
	mvm_buf_finish(packed);
}

static void refuse(const struct mvm_buf *packed, enum mvm_error_code code, const char *text)
{
	static const size_t steps[] = {1, 100000000};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	for (size_t i = 0; i < MVM_COUNT(steps); i++) {
		struct mvm_buf out MVM_CLEAN_BUF = {0};

		assert_error(inflate_all(packed, steps[i], 4096, false, &out, &err), code, text);
	}
}

/* Text that packs, and bytes that do not: some 2 KiB for each of `scale`. */
static void sample(struct mvm_buf *plain, int scale)
{
	uint32_t seed = 1;

	for (int i = 0; i < 30 * scale; i++)
		mvm_buf_addf(plain, "line %d of something that repeats itself\n", i);
	for (int i = 0; i < 500 * scale; i++) {
		seed = seed * 1664525 + 1013904223;
		mvm_buf_add(plain, (char *)&seed + 2, 2);
	}
}

static void test_gzip(void **state)
{
	struct mvm_buf plain MVM_CLEAN_BUF = {0}, packed = {0};

	sample(&plain, 100);
	add_gzip(&packed, plain.data, plain.length);
	expect(&packed, &plain);
}

/* As pigz, bgzip and estargz write them: many members, empty ones too, and padding. */
static void test_gzip_members(void **state)
{
	struct mvm_buf plain MVM_CLEAN_BUF = {0}, packed = {0};

	sample(&plain, 5);
	for (size_t at = 0; at < plain.length; at += 1000) {
		add_gzip(&packed, plain.data + at, plain.length - at < 1000 ? plain.length - at : 1000);
		add_gzip(&packed, "", 0);
	}
	mvm_buf_add(&packed, (char[700]){0}, 700);
	expect(&packed, &plain);
}

/* Optional fields of the member's header (RFC 1952, 2.3). */
static void test_gzip_header_fields(void **state)
{
	struct mvm_buf plain MVM_CLEAN_BUF = {0}, packed = {0}, body MVM_CLEAN_BUF = {0};

	mvm_buf_addf(&plain, "content");
	add_gzip(&body, plain.data, plain.length);
	mvm_buf_add(&packed, "\x1f\x8b\x08\x1c\0\0\0\0\0\x03", 10);
	mvm_buf_add(&packed, "\x05\0extra", 7);
	mvm_buf_add(&packed, "name\0comment", 13);
	mvm_buf_add(&packed, body.data + 10, body.length - 10);
	expect(&packed, &plain);
}

static void test_gzip_broken(void **state)
{
	struct mvm_buf plain MVM_CLEAN_BUF = {0}, packed MVM_CLEAN_BUF = {0};

	sample(&plain, 5);
	add_gzip(&packed, plain.data, plain.length);

	packed.data[packed.length - 6] ^= 1; /* the check sum */
	refuse(&packed, MVM_ERR_INVALID, "malformed gzip data");
	packed.data[packed.length - 6] ^= 1;

	packed.data[packed.length - 1] ^= 1; /* the length */
	refuse(&packed, MVM_ERR_INVALID, "malformed gzip data");
	packed.data[packed.length - 1] ^= 1;

	mvm_buf_add(&packed, "\0\0garbage", 9);
	refuse(&packed, MVM_ERR_INVALID, "garbage after the compressed data");
	packed.length -= 9;
	mvm_buf_add(&packed, "garbage", 7);
	refuse(&packed, MVM_ERR_INVALID, "garbage after the compressed data");
	packed.length -= 7;

	for (size_t cut = 1; cut < 40; cut++) {
		packed.length--;
		refuse(&packed, MVM_ERR_INVALID, "cut short");
	}
	for (packed.length = 40; packed.length > 2; packed.length--)
		refuse(&packed, MVM_ERR_INVALID, "cut short");
}

static void test_zstd(void **state)
{
	struct mvm_buf plain MVM_CLEAN_BUF = {0}, packed = {0};

	sample(&plain, 100);
	mvm_buf_add(&packed, "\x51\x2a\x4d\x18\x03\0\0\0abc", 11); /* a skippable frame */
	for (size_t at = 0; at < plain.length; at += 50000)
		add_zstd(&packed, plain.data + at, plain.length - at < 50000 ? plain.length - at : 50000);
	mvm_buf_add(&packed, "\x5f\x2a\x4d\x18\0\0\0\0", 8);
	mvm_buf_add(&packed, (char[3]){0}, 3);
	expect(&packed, &plain);
}

static void test_zstd_broken(void **state)
{
	struct mvm_buf plain MVM_CLEAN_BUF = {0}, packed MVM_CLEAN_BUF = {0};

	sample(&plain, 5);
	add_zstd(&packed, plain.data, plain.length);
	mvm_buf_add(&packed, "garbage", 7);
	refuse(&packed, MVM_ERR_INVALID, "garbage after the compressed data");
	packed.data[packed.length - 7] = '\x28';
	refuse(&packed, MVM_ERR_INVALID, "malformed zstd data");
	packed.length -= 8;
	refuse(&packed, MVM_ERR_INVALID, "cut short");
}

static void test_plain(void **state)
{
	struct mvm_buf plain MVM_CLEAN_BUF = {0}, packed = {0};

	expect(&packed, &plain); /* nothing at all */
	mvm_buf_addf(&packed, "ab");
	mvm_buf_addf(&plain, "ab");
	expect(&packed, &plain);
	plain.length = 0;
	sample(&plain, 100);
	mvm_buf_add(&packed, plain.data, plain.length);
	expect(&packed, &plain);
}

static void test_unknown_compressions(void **state)
{
	struct mvm_buf packed MVM_CLEAN_BUF = {0};

	mvm_buf_addf(&packed, "BZh91AY&SY");
	refuse(&packed, MVM_ERR_UNSUPPORTED, "bzip2 or xz");
	packed.length = 0;
	mvm_buf_add(&packed,
		    "\xfd"
		    "7zXZ\0\0\4",
		    8);
	refuse(&packed, MVM_ERR_UNSUPPORTED, "bzip2 or xz");
}

static void test_source_fails(void **state)
{
	struct mvm_buf plain MVM_CLEAN_BUF = {0}, packed MVM_CLEAN_BUF = {0}, out MVM_CLEAN_BUF = {0};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	sample(&plain, 5);
	add_gzip(&packed, plain.data, plain.length);
	assert_error(inflate_all(&packed, 1000, 4096, true, &out, &err), MVM_ERR_NETWORK, "the line is dead");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gzip),
		cmocka_unit_test(test_gzip_members),
		cmocka_unit_test(test_gzip_header_fields),
		cmocka_unit_test(test_gzip_broken),
		cmocka_unit_test(test_zstd),
		cmocka_unit_test(test_zstd_broken),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_unknown_compressions),
		cmocka_unit_test(test_source_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
