#include "../unit.h"

#include <stdbool.h>

#include "image/tar.h"
#include "tar_maker.h"

/* What the parser said, as text. */
struct seen {
	struct mvm_buf text;
	struct mvm_buf content;
	uint64_t content_from;
	const char *stop_at; /* an entry that the consumer refuses */
};

static int on_entry(void *arg, const struct mvm_tar_entry *entry, struct mvm_error **err)
{
	static const char *const types[] = {"file", "link", "symlink", "char", "block", "folder", "fifo"};
	struct seen *seen = arg;

	if (seen->stop_at && strcmp(entry->name, seen->stop_at) == 0)
		return mvm_fail(err, MVM_ERR_CONFLICT, "not this one");
	mvm_buf_addf(&seen->text, "%s %s %o %u:%u %lld.%09u %llu", types[entry->type], entry->name, entry->mode,
		     entry->uid, entry->gid, (long long)entry->mtime, entry->mtime_nsec,
		     (unsigned long long)entry->size);
	if (*entry->target)
		mvm_buf_addf(&seen->text, " -> %s", entry->target);
	if (entry->type == MVM_TAR_CHAR || entry->type == MVM_TAR_BLOCK)
		mvm_buf_addf(&seen->text, " %u,%u", entry->major, entry->minor);
	for (size_t i = 0; i < entry->xattr_count; i++)
		mvm_buf_addf(&seen->text, " %s=%s", entry->xattrs[i].name, entry->xattrs[i].value);
	seen->content.length = 0;
	return 0;
}

static int on_data(void *arg, uint64_t offset, const void *data, size_t length, struct mvm_error **err)
{
	struct seen *seen = arg;

	if (seen->content.length == 0 || seen->content_from + seen->content.length != offset) {
		if (seen->content.length)
			mvm_buf_addf(&seen->text, " @%llu:%s", (unsigned long long)seen->content_from,
				     seen->content.data);
		seen->content.length = 0;
		seen->content_from = offset;
	}
	mvm_buf_add(&seen->content, data, length);
	return 0;
}

static int on_end(void *arg, struct mvm_error **err)
{
	struct seen *seen = arg;

	if (seen->content.length)
		mvm_buf_addf(&seen->text, " @%llu:%s", (unsigned long long)seen->content_from, seen->content.data);
	mvm_buf_addf(&seen->text, "\n");
	return 0;
}

static const struct mvm_tar_ops ops = {.entry = on_entry, .data = on_data, .end = on_end};

static int parse(const struct mvm_buf *archive, size_t step, struct seen *seen, struct mvm_error **err)
{
	struct mvm_tar *tar = mvm_tar_create(&ops, seen);
	int status = 0;

	for (size_t at = 0; status == 0 && at < archive->length; at += step)
		status = mvm_tar_feed(tar, archive->data + at,
				      archive->length - at < step ? archive->length - at : step, err);
	if (status == 0)
		status = mvm_tar_finish(tar, err);
	mvm_tar_destroy(tar);
	return status;
}

static void finish(struct seen *seen)
{
	mvm_buf_finish(&seen->text);
	mvm_buf_finish(&seen->content);
}

/* The same whether it comes byte by byte or at once. Frees the archive. */
static void expect(struct mvm_buf *archive, const char *text)
{
	static const size_t steps[] = {1, 7, 512, 1000000};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	for (size_t i = 0; i < MVM_COUNT(steps); i++) {
		struct seen seen = {0};

		assert_ok(parse(archive, steps[i], &seen, &err));
		assert_string_equal(seen.text.data ? seen.text.data : "", text);
		finish(&seen);
	}
	mvm_buf_finish(archive);
}

static void refuse(struct mvm_buf *archive, const char *text)
{
	static const size_t steps[] = {1, 1000000};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	for (size_t i = 0; i < MVM_COUNT(steps); i++) {
		struct seen seen = {0};

		assert_error(parse(archive, steps[i], &seen, &err), MVM_ERR_INVALID, text);
		finish(&seen);
	}
	mvm_buf_finish(archive);
}

static void test_types(void **state)
{
	struct mvm_buf tar = {0};
	struct tar_header device = tar_header_of('3', "dev", 0);

	snprintf(device.major, sizeof(device.major), "%07o", 4000);
	snprintf(device.minor, sizeof(device.minor), "%07o", 70000);
	tar_add(&tar, '5', "folder/", "");
	tar_add(&tar, '0', "file", "hello");
	tar_add(&tar, '7', "contiguous", "");
	tar_add_link(&tar, '1', "hard", "file");
	tar_add_link(&tar, '2', "soft", "file");
	tar_put(&tar, device, "", 0);
	tar_add(&tar, '6', "pipe", "");
	tar_end(&tar);
	expect(&tar, "folder folder/ 755 0:0 1000000000.000000000 0\n"
		     "file file 644 0:0 1000000000.000000000 5 @0:hello\n"
		     "file contiguous 644 0:0 1000000000.000000000 0\n"
		     "link hard 644 0:0 1000000000.000000000 0 -> file\n"
		     "symlink soft 644 0:0 1000000000.000000000 0 -> file\n"
		     "char dev 644 0:0 1000000000.000000000 0 4000,70000\n"
		     "fifo pipe 644 0:0 1000000000.000000000 0\n");
}

/* A size that means nothing: no content follows links and folders. */
static void test_size_of_links_ignored(void **state)
{
	struct mvm_buf tar = {0};
	struct tar_header header = tar_header_of('1', "hard", 5);

	memcpy(header.linkname, "file", 4);
	tar_put(&tar, header, "", 0);
	tar_put(&tar, tar_header_of('5', "folder", 1000), "", 0);
	tar_add(&tar, '0', "after", "x");
	tar_end(&tar);
	expect(&tar, "link hard 644 0:0 1000000000.000000000 0 -> file\n"
		     "folder folder 755 0:0 1000000000.000000000 0\n"
		     "file after 644 0:0 1000000000.000000000 1 @0:x\n");
}

static void test_v7(void **state)
{
	struct mvm_buf tar = {0};
	struct tar_header folder = tar_header_of('\0', "old/", 0), file = tar_header_of('\0', "old/file", 1);

	memset(folder.magic, 0, sizeof(folder.magic));
	memset(file.magic, 0, sizeof(file.magic));
	tar_put(&tar, folder, "", 0);
	tar_put(&tar, file, "x", 1);
	expect(&tar, "folder old/ 644 0:0 1000000000.000000000 0\n"
		     "file old/file 644 0:0 1000000000.000000000 1 @0:x\n");
}

static void test_prefix(void **state)
{
	struct mvm_buf tar = {0};
	struct tar_header ustar = tar_header_of('0', "name", 0), gnu = ustar, full = ustar;

	memcpy(ustar.prefix, "some/folder", 11);
	memcpy(gnu.prefix, "12345670123", 11); /* a time */
	memcpy(gnu.magic, "ustar  ", 8);
	memset(full.name, 'n', sizeof(full.name)); /* no NUL at its end */
	tar_put(&tar, ustar, "", 0);
	tar_put(&tar, gnu, "", 0);
	tar_put(&tar, full, "", 0);
	expect(&tar,
	       "file some/folder/name 644 0:0 1000000000.000000000 0\n"
	       "file name 644 0:0 1000000000.000000000 0\n"
	       "file nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
	       "nnnn 644 0:0 1000000000.000000000 0\n");
}

static void test_gnu_long_names(void **state)
{
	struct mvm_buf tar = {0};
	char name[301], line[1024];

	memset(name, 'g', 300);
	name[300] = '\0';
	tar_put(&tar, tar_header_of('L', "././@LongLink", 301), name, 301);
	tar_put(&tar, tar_header_of('K', "././@LongLink", 301), name, 301);
	tar_add_link(&tar, '2', "cut", "cut");
	tar_add_link(&tar, '2', "next", "short");
	snprintf(line, sizeof(line),
		 "symlink %s 644 0:0 1000000000.000000000 0 -> %s\n"
		 "symlink next 644 0:0 1000000000.000000000 0 -> short\n",
		 name, name);
	expect(&tar, line);
}

static void test_base256(void **state)
{
	struct mvm_buf tar = {0};
	struct tar_header header = tar_header_of('0', "big", 0);

	memcpy(header.uid, "\x80\0\0\0\xff\xff\xff\xfe", 8);
	memcpy(header.gid, "\x80\0\0\0\0\x2d\xc6\xc0", 8);
	memcpy(header.mtime, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", 12);
	tar_put(&tar, header, "", 0);
	expect(&tar, "file big 644 4294967294:3000000 -2.000000000 0\n");
}

static void test_bad_numbers(void **state)
{
	static const char bad[][9] = {"12x45670", "\x80\1\0\0\0\0\0\0", "\xff\xff\xff\xff\xff\xff\xff\xff", "0000 001"};

	for (size_t i = 0; i < MVM_COUNT(bad); i++) {
		struct mvm_buf tar = {0};
		struct tar_header header = tar_header_of('0', "bad", 0);

		memcpy(header.uid, bad[i], 8);
		tar_put(&tar, header, "", 0);
		refuse(&tar, "bad: malformed header");
	}
}

static void test_pax(void **state)
{
	struct mvm_buf tar = {0};
	struct mvm_buf records = {0};

	pax_record(&records, "path", "na\xc3\xafve e\xcc\x81", 10);
	pax_record(&records, "uid", "4000000000", 10);
	pax_record(&records, "gid", "5", 1);
	pax_record(&records, "mtime", "-1.25", 5);
	pax_record(&records, "size", "3", 1);
	pax_record(&records, "SCHILY.xattr.user.a", "one", 3);
	pax_record(&records, "SCHILY.xattr.user.b", "gone", 4);
	pax_record(&records, "SCHILY.xattr.user.b", "", 0);
	pax_record(&records, "LIBARCHIVE.xattr.user.c%20d", "dHdv", 4);
	pax_record(&records, "comment", "x", 1);
	tar_put(&tar, tar_header_of('g', "global", 0), "", 0);
	tar_put(&tar, tar_header_of('x', "pax", records.length), records.data, records.length);
	tar_put(&tar, tar_header_of('0', "short", 0), "", 0);
	mvm_buf_add(&tar, "abc", 3);
	mvm_buf_add(&tar, (char[509]){0}, 509);
	tar_add(&tar, '0', "next", "");
	mvm_buf_finish(&records);
	expect(&tar, "file na\xc3\xafve e\xcc\x81 644 4000000000:5 -2.750000000 3 user.a=one user.c d=two @0:abc\n"
		     "file next 644 0:0 1000000000.000000000 0\n");
}

static void test_pax_times(void **state)
{
	static const char *const times[][2] = {
		{"0", "0.000000000"},
		{"-0.000000001", "-1.999999999"},
		{"1.0000000019", "1.000000001"},
		{"15032385535.5", "15032385535.500000000"},
	};

	for (size_t i = 0; i < MVM_COUNT(times); i++) {
		struct mvm_buf tar = {0};
		char line[128];

		tar_add_pax(&tar, "mtime", times[i][0]);
		tar_add(&tar, '0', "t", "");
		snprintf(line, sizeof(line), "file t 644 0:0 %s 0\n", times[i][1]);
		expect(&tar, line);
	}
}

static void test_malformed_pax(void **state)
{
	static const char *const bad[] = {
		"4 a=\n", /* one byte less than there is */
		"0 a=b\n", "x a=b\n", "5 ab\n", "99 path=x\n", "18446744073709551622 a=b\n", "7 a=b12", "6", " ",
	};

	for (size_t i = 0; i < MVM_COUNT(bad); i++) {
		struct mvm_buf tar = {0};

		tar_put(&tar, tar_header_of('x', "pax", strlen(bad[i])), bad[i], strlen(bad[i]));
		tar_add(&tar, '0', "f", "");
		refuse(&tar, "malformed extended header");
	}
}

static void test_bad_pax_values(void **state)
{
	static const struct {
		const char *key;
		const char *value;
		size_t length;
	} bad[] = {
		{"path", "a\0b", 3},
		{"uid", "-1", 2},
		{"uid", "1x", 2},
		{"gid", "4294967296", 10},
		{"size", "99999999999999999999", 20},
		{"mtime", "\t", 1},
		{"mtime", "1.x", 3},
		{"mtime", "99999999999999999999", 20},
		{"LIBARCHIVE.xattr.user.a", "!!!!", 4},
		{"GNU.sparse.map", "1,2,3", 5},
		{"GNU.sparse.numbytes", "1", 1},
		{"GNU.sparse.major", "x", 1},
	};

	for (size_t i = 0; i < MVM_COUNT(bad); i++) {
		struct mvm_buf tar = {0}, records = {0};
		char *text = mvm_format("bad value for %s", bad[i].key);

		pax_record(&records, bad[i].key, bad[i].value, bad[i].length);
		tar_put(&tar, tar_header_of('x', "pax", records.length), records.data, records.length);
		tar_add(&tar, '0', "f", "");
		refuse(&tar, text);
		mvm_buf_finish(&records);
		free(text);
	}
}

static void test_limits(void **state)
{
	struct mvm_buf tar = {0};
	struct tar_header header = tar_header_of('x', "pax", MVM_TAR_MAX_META + 1);

	tar_put(&tar, header, "", 0);
	refuse(&tar, "extended header of 1048577 bytes");
}

static void test_gnu_sparse(void **state)
{
	struct mvm_buf tar = {0};
	struct tar_header header = tar_header_of('S', "sparse", 7);
	char *raw = (char *)&header, extension[TAR_BLOCK] = {0};

	memcpy(header.magic, "ustar  ", 8);
	for (unsigned i = 0; i < 4; i++) {
		snprintf(raw + TAR_GNU_PIECES + i * 24, 12, "%011o", i * 1000);
		snprintf(raw + TAR_GNU_PIECES + i * 24 + 12, 12, "%011o", 1);
	}
	raw[TAR_GNU_EXTENDED] = 1;
	snprintf(raw + TAR_GNU_REAL_SIZE, 12, "%011o", 9000);
	snprintf(extension, 12, "%011o", 8000);
	snprintf(extension + 12, 12, "%011o", 3);
	tar_put(&tar, header, "", 0);
	mvm_buf_add(&tar, extension, sizeof(extension));
	mvm_buf_add(&tar, "abcdefg", 7);
	mvm_buf_add(&tar, (char[505]){0}, 505);
	tar_add(&tar, '0', "next", "");
	expect(&tar, "file sparse 644 0:0 1000000000.000000000 9000 @0:a @1000:b @2000:c @3000:d @8000:efg\n"
		     "file next 644 0:0 1000000000.000000000 0\n");
}

static void add_sparse_10(struct mvm_buf *tar, const char *real_size, const char *map, const char *data)
{
	struct mvm_buf records MVM_CLEAN_BUF = {0}, content MVM_CLEAN_BUF = {0};

	pax_record(&records, "GNU.sparse.major", "1", 1);
	pax_record(&records, "GNU.sparse.minor", "0", 1);
	pax_record(&records, "GNU.sparse.name", "real", 4);
	pax_record(&records, "GNU.sparse.realsize", real_size, strlen(real_size));
	mvm_buf_add(&content, map, strlen(map));
	mvm_buf_add(&content, (char[512]){0}, -strlen(map) % 512);
	mvm_buf_add(&content, data, strlen(data));
	tar_put(tar, tar_header_of('x', "pax", records.length), records.data, records.length);
	tar_put(tar, tar_header_of('0', "GNUSparseFile.0/real", content.length), content.data, content.length);
}

static void test_pax_sparse(void **state)
{
	struct mvm_buf tar = {0};

	add_sparse_10(&tar, "5000", "2\n10\n3\n4000\n2\n", "abcde");
	add_sparse_10(&tar, "77", "1\n77\n0\n", "");
	tar_add_pax(&tar, "GNU.sparse.size", "100");
	tar_add_pax(&tar, "GNU.sparse.map", "1,2,50,1");
	tar_add(&tar, '0', "older", "xyz");
	expect(&tar, "file real 644 0:0 1000000000.000000000 5000 @10:abc @4000:de\n"
		     "file real 644 0:0 1000000000.000000000 77\n"
		     "file older 644 0:0 1000000000.000000000 100 @1:xy @50:z\n");
}

static void test_bad_sparse(void **state)
{
	static const char *const bad[][3] = {
		{"5000", "2\n10\n3\n12\n2\n", "abcde"}, /* pieces overlap */
		{"11", "1\n10\n3\n", "abc"},		/* past the end */
		{"5000", "1\n10\n3\n", "ab"},		/* fewer bytes than the map says */
		{"5000", "1\n10\n3\n", "abcd"},		/* more */
		{"5000", "1\n10\nx\n", "abc"},
		{"5000", "999999999\n", ""},
		{"5000", "nonsense", ""},
		{"5000", "3\n0\n1\n", ""}, /* the map ends early */
		{"18446744073709551615", "1\n0\n1\n", "a"},
	};

	for (size_t i = 0; i < MVM_COUNT(bad); i++) {
		struct mvm_buf tar = {0};

		add_sparse_10(&tar, bad[i][0], bad[i][1], bad[i][2]);
		refuse(&tar, "");
	}
}

static void test_end_of_archive(void **state)
{
	struct mvm_buf tar = {0};

	tar_add(&tar, '0', "f", "");
	tar_end(&tar);
	mvm_buf_add(&tar, "anything at all", 15);
	expect(&tar, "file f 644 0:0 1000000000.000000000 0\n");

	expect(&tar, ""); /* no bytes: no entries */

	tar_add(&tar, '0', "f", "");
	mvm_buf_add(&tar, (char[512]){0}, 512);
	tar_add(&tar, '0', "hidden", "");
	refuse(&tar, "after the end-of-archive mark");
}

static void test_cut_short(void **state)
{
	struct mvm_buf whole = {0};

	tar_add(&whole, '0', "file", "some content");
	for (size_t length = 1; length < 1024; length += length == 511 ? 2 : 1) {
		struct mvm_buf tar = {0};

		mvm_buf_add(&tar, whole.data, length);
		if (length == 512)
			continue;
		refuse(&tar, "cut short");
	}
	mvm_buf_finish(&whole);
}

static void test_garbage(void **state)
{
	struct mvm_buf tar = {0};
	struct tar_header unknown = tar_header_of('Z', "odd", 0);

	for (int i = 0; i < 600; i++)
		mvm_buf_add(&tar, "\xa5", 1);
	refuse(&tar, "not a tar header");

	tar_put(&tar, unknown, "", 0);
	refuse(&tar, "odd: entry of unknown type 90");
}

static void test_consumer_refuses(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_buf tar MVM_CLEAN_BUF = {0};
	struct seen seen = {.stop_at = "b"};

	tar_add(&tar, '0', "a", "");
	tar_add(&tar, '0', "b", "");
	tar_add(&tar, '0', "c", "");
	assert_error(parse(&tar, 512, &seen, &err), MVM_ERR_CONFLICT, "not this one");
	assert_null(strstr(seen.text.data, " c "));
	finish(&seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_size_of_links_ignored),
		cmocka_unit_test(test_v7),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_gnu_long_names),
		cmocka_unit_test(test_base256),
		cmocka_unit_test(test_bad_numbers),
		cmocka_unit_test(test_pax),
		cmocka_unit_test(test_pax_times),
		cmocka_unit_test(test_malformed_pax),
		cmocka_unit_test(test_bad_pax_values),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_gnu_sparse),
		cmocka_unit_test(test_pax_sparse),
		cmocka_unit_test(test_bad_sparse),
		cmocka_unit_test(test_end_of_archive),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_consumer_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
