#include "../unit.h"

#include <string.h>

#include "image/tar_write.h"
#include "runtime/base/mem.h"

/* What the parser reads of what the writer wrote must be what the writer was given. */
struct expected {
	const struct mvm_tar_entry *entry;
	const char *name; /* as it comes back */
	const char *content;
	struct mvm_buf read;
	size_t entries;
};

static int on_entry(void *arg, const struct mvm_tar_entry *is, struct mvm_error **err)
{
	struct expected *expected = arg;
	const struct mvm_tar_entry *entry = expected->entry;

	expected->entries++;
	assert_int_equal(is->type, entry->type);
	assert_string_equal(is->name, expected->name);
	assert_string_equal(is->target, entry->target);
	assert_int_equal(is->mode, entry->mode);
	assert_int_equal(is->uid, entry->uid);
	assert_int_equal(is->gid, entry->gid);
	assert_int_equal(is->major, entry->major);
	assert_int_equal(is->minor, entry->minor);
	assert_true(is->mtime == entry->mtime);
	assert_int_equal(is->mtime_nsec, entry->mtime_nsec);
	assert_true(is->size == entry->size);
	assert_int_equal(is->xattr_count, entry->xattr_count);
	for (size_t i = 0; i < is->xattr_count; i++) {
		assert_string_equal(is->xattrs[i].name, entry->xattrs[i].name);
		assert_int_equal(is->xattrs[i].length, entry->xattrs[i].length);
		assert_memory_equal(is->xattrs[i].value, entry->xattrs[i].value, is->xattrs[i].length);
	}
	return 0;
}

static int on_data(void *arg, uint64_t offset, const void *data, size_t length, struct mvm_error **err)
{
	mvm_buf_add(&((struct expected *)arg)->read, data, length);
	return 0;
}

static int on_end(void *arg, struct mvm_error **err)
{
	return 0;
}

static const struct mvm_tar_ops ops = {.entry = on_entry, .data = on_data, .end = on_end};

static void round_trip(const struct mvm_tar_entry *entry, const char *name, const char *content)
{
	struct expected expected = {.entry = entry, .name = name};
	struct mvm_buf archive MVM_CLEAN_BUF = {0};
	struct mvm_tar *tar = mvm_tar_create(&ops, &expected);
	struct mvm_error *err = NULL;

	assert_ok(mvm_tar_write_entry(&archive, entry, &err));
	mvm_buf_add(&archive, content, strlen(content));
	mvm_tar_write_padding(&archive, strlen(content));
	mvm_tar_write_end(&archive);
	assert_int_equal(archive.length % 512, 0);
	assert_ok(mvm_tar_feed(tar, archive.data, archive.length, &err));
	assert_ok(mvm_tar_finish(tar, &err));
	mvm_tar_destroy(tar);
	assert_int_equal(expected.entries, 1);
	assert_int_equal(expected.read.length, strlen(content));
	if (*content)
		assert_memory_equal(expected.read.data, content, strlen(content));
	mvm_buf_finish(&expected.read);
}

static void test_plain(void **state)
{
	struct mvm_tar_entry entry = {
		.name = "a/b", .target = "", .mode = 04755, .uid = 1, .gid = 2, .mtime = 3, .size = 5};

	round_trip(&entry, "a/b", "hello");
	entry = (struct mvm_tar_entry){.type = MVM_TAR_FOLDER, .name = "a", .target = "", .mode = 0755};
	round_trip(&entry, "a/", "");
	entry.name = "a/";
	round_trip(&entry, "a/", "");
	entry = (struct mvm_tar_entry){.type = MVM_TAR_SYMLINK, .name = "l", .target = "../x"};
	round_trip(&entry, "l", "");
	entry.type = MVM_TAR_HARDLINK;
	round_trip(&entry, "l", "");
	entry = (struct mvm_tar_entry){
		.type = MVM_TAR_CHAR, .name = "d", .target = "", .major = 4095, .minor = 1048575};
	round_trip(&entry, "d", "");
	entry = (struct mvm_tar_entry){.type = MVM_TAR_FIFO, .name = "f", .target = ""};
	round_trip(&entry, "f", "");
}

/* What ustar has no room for. */
static void test_extended(void **state)
{
	static const int64_t times[] = {-1, -2000000000, 8589934591, 8589934592, 253402300799};
	char long_name[4096], exact[101];
	struct mvm_tar_entry entry = {.name = long_name, .target = "", .uid = 2097152, .gid = UINT32_MAX};

	memset(long_name, 'n', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	round_trip(&entry, long_name, "");
	memset(exact, 'e', 100);
	exact[100] = '\0';
	entry = (struct mvm_tar_entry){.type = MVM_TAR_SYMLINK, .name = exact, .target = long_name};
	round_trip(&entry, exact, "");
	entry.target = exact;
	round_trip(&entry, exact, "");
	for (size_t i = 0; i < MVM_COUNT(times); i++)
		for (uint32_t nsec = 0; nsec < 1000000000; nsec += 333333333) {
			entry = (struct mvm_tar_entry){
				.name = "\xff\xfe", .target = "", .mtime = times[i], .mtime_nsec = nsec};
			round_trip(&entry, "\xff\xfe", "");
		}
}

static void test_large_file(void **state)
{
	struct mvm_error *err = NULL;
	struct mvm_tar_entry entry = {.name = "big", .target = "", .size = 1ULL << 33};
	struct expected expected = {.entry = &entry, .name = "big"};
	struct mvm_buf archive MVM_CLEAN_BUF = {0};
	struct mvm_tar *tar = mvm_tar_create(&ops, &expected);

	assert_ok(mvm_tar_write_entry(&archive, &entry, &err));
	assert_ok(mvm_tar_feed(tar, archive.data, archive.length, &err));
	assert_int_equal(expected.entries, 1);
	mvm_tar_destroy(tar);
}

static void test_attributes(void **state)
{
	struct mvm_error *err = NULL;
	char user[] = "user.a", capability[] = "security.capability", odd[] = "user.a=b", binary[] = "x\0\n=y",
	     value[1000];
	struct mvm_tar_xattr xattrs[] = {{user, binary, 5}, {capability, value, 1}};
	struct mvm_tar_entry entry = {.name = "f", .target = "", .xattrs = xattrs, .xattr_count = 2};
	struct mvm_buf archive MVM_CLEAN_BUF = {0};

	round_trip(&entry, "f", "");
	/* Around where the length of a record gets one more digit, which it counts itself. */
	memset(value, 'v', sizeof(value));
	entry.xattr_count = 1;
	xattrs[0].value = value;
	for (size_t length = 60; length < sizeof(value); length++) {
		xattrs[0].length = length;
		round_trip(&entry, "f", "");
	}
	xattrs[0].name = odd;
	assert_error(mvm_tar_write_entry(&archive, &entry, &err), MVM_ERR_UNSUPPORTED, "f: the attribute \"user.a=b\"");
	assert_int_equal(archive.length, 0);
}

static void test_device_without_number(void **state)
{
	struct mvm_error *err = NULL;
	struct mvm_tar_entry entry = {.type = MVM_TAR_BLOCK, .name = "dev/x", .target = "", .minor = 1 << 22};
	struct mvm_buf archive MVM_CLEAN_BUF = {0};

	assert_error(mvm_tar_write_entry(&archive, &entry, &err), MVM_ERR_UNSUPPORTED, "4194304");
	assert_int_equal(archive.length, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_extended),
		cmocka_unit_test(test_large_file),
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_device_without_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
