/* Disks that the ext4 writer has made, listed: read back by the same functions as the guest uses. */
#include "../unit.h"

#include <sys/stat.h>

#include "guest-agent/proto/listing.h"
#include "image/ext4.h"
#include "image/ext4_list.h"
#include "runtime/base/io.h"

#define SIZE (256ULL << 20)

static int take(void *arg, const void *data, size_t length, struct mvm_error **err)
{
	mvm_buf_add(arg, data, length);
	return 0;
}

static int refuse(void *arg, const void *data, size_t length, struct mvm_error **err)
{
	return mvm_fail(err, MVM_ERR_INTERRUPTED, "no more");
}

struct disk {
	char *path;
	struct mvm_ext4 *fs;
};

static void begin(struct disk *disk, const char *folder)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_ext4_options options = {.size = SIZE, .uuid = {1, 2, 3}};

	disk->path = mvm_format("%s/disk", folder);
	assert_ok(mvm_ext4_create(disk->path, &options, &disk->fs, &err));
	mvm_ext4_begin_layer(disk->fs);
}

static struct mvm_ext4_node *make(struct disk *disk, struct mvm_ext4_node *in, const char *name,
				  const struct mvm_ext4_attr *attr)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_ext4_node *node = NULL;

	assert_ok(mvm_ext4_make(disk->fs, in ? in : mvm_ext4_root(disk->fs), name, strlen(name), attr, &node, &err));
	return node;
}

static void set_xattr(struct disk *disk, struct mvm_ext4_node *node, const char *name, const char *value)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	assert_ok(mvm_ext4_set_xattr(disk->fs, node, name, value, strlen(value), &err));
}

static void finish(struct disk *disk)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	assert_ok(mvm_ext4_finish(disk->fs, &err));
	mvm_ext4_destroy(disk->fs);
}

/* Reading. */

struct reading {
	const uint8_t *at, *end;
	struct mvm_buf lines;
};

static void add_line(struct reading *reading, const char *path, const struct mvm_listing_entry *entry)
{
	/* As the writer has it: whatever changes in the guest gets another time. */
	assert_true(entry->ctime == entry->mtime && entry->ctime_nsec == entry->mtime_nsec);
	assert_true(!entry->inode == !!(entry->flags & MVM_LISTING_MADE));
	mvm_buf_addf(&reading->lines, "%s%.*s%s %o %u:%u %lld.%u %llx%s%s\n", path, entry->length, entry->name,
		     S_ISDIR(entry->mode) ? "/" : "", entry->mode & 07777, entry->uid, entry->gid,
		     (long long)entry->mtime, entry->mtime_nsec, (unsigned long long)entry->size,
		     entry->xattrs ? " x" : "", entry->flags & MVM_LISTING_MADE ? " made" : "");
}

static void read_folder(struct reading *reading, const char *path)
{
	uint32_t count, length;
	const uint8_t *at, *end;
	struct mvm_listing_entry entry;

	assert_true(reading->end - reading->at >= MVM_LISTING_FOLDER);
	assert_int_equal(mvm_listing_decode_folder(reading->at, &count, &length), 0);
	at = reading->at + MVM_LISTING_FOLDER;
	end = at + length;
	assert_true(end <= reading->end);
	reading->at = end;
	for (const uint8_t *next = at; next < end; count--) {
		size_t taken = mvm_listing_decode(next, (size_t)(end - next), false, &entry);

		assert_true(taken > 0);
		add_line(reading, path, &entry);
		next += taken;
	}
	assert_int_equal(count, 0);
	while (at < end) {
		at += mvm_listing_decode(at, (size_t)(end - at), false, &entry);
		if (S_ISDIR(entry.mode)) {
			char *below MVM_CLEAN_FREE = mvm_format("%s%.*s/", path, entry.length, entry.name);

			read_folder(reading, below);
		}
	}
}

/* One line an entry, in the order of the listing. The caller frees it. */
static char *list(const struct disk *disk, const char *const *made)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_buf bytes MVM_CLEAN_BUF = {0};
	const struct mvm_ext4_sink sink = {.write = take, .arg = &bytes};
	struct reading reading = {0};
	struct mvm_listing_entry root;
	size_t taken;

	assert_ok(mvm_ext4_list(disk->path, made, &sink, &err));
	reading.at = (const uint8_t *)bytes.data;
	reading.end = reading.at + bytes.length;
	taken = mvm_listing_decode(reading.at, bytes.length, true, &root);
	assert_true(taken > 0);
	add_line(&reading, "", &root);
	reading.at += taken;
	read_folder(&reading, "/");
	assert_ptr_equal(reading.at, reading.end);
	return mvm_buf_steal(&reading.lines);
}

static const char *const nothing[] = {NULL};

static void every_kind_and_all_that_is_known_of_it(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_ext4_attr folder = {.mode = S_IFDIR | 01755, .uid = 70000, .gid = 5, .mtime = 7, .mtime_nsec = 9};
	struct mvm_ext4_attr file = {.mode = S_IFREG | 04644, .mtime = -5},
			     late = {.mode = S_IFREG, .mtime = 1LL << 33};
	struct mvm_ext4_attr link = {.mode = S_IFLNK | 0777, .target = "where/to"};
	struct mvm_ext4_attr device = {.mode = S_IFCHR | 0600, .major = 1, .minor = 3};
	struct mvm_ext4_attr large = {.mode = S_IFBLK | 0600, .major = 4095, .minor = 0xfffff};
	struct mvm_ext4_attr fifo = {.mode = S_IFIFO | 0600};
	struct mvm_ext4_node *below;
	struct disk disk;
	char *got MVM_CLEAN_FREE = NULL;

	begin(&disk, *state);
	below = make(&disk, NULL, "folder", &folder);
	assert_ok(mvm_ext4_set_size(disk.fs, make(&disk, below, "b", &file), 5ULL << 32, &err));
	make(&disk, below, "B", &late);
	make(&disk, NULL, "link", &link);
	make(&disk, NULL, "null", &device);
	make(&disk, NULL, "large", &large);
	make(&disk, NULL, "fifo", &fifo);
	assert_ok(mvm_ext4_link(disk.fs, mvm_ext4_root(disk.fs), "\xff", 1, mvm_ext4_lookup(disk.fs, below, "b", 1),
				&err));
	finish(&disk);
	got = list(&disk, nothing);
	assert_string_equal(got, "/ 755 0:0 0.0 0\n"
				 "/fifo 600 0:0 0.0 0\n"
				 "/folder/ 1755 70000:5 7.9 0\n"
				 "/large 600 0:0 0.0 fff000fffff\n"
				 "/link 777 0:0 0.0 8\n"
				 "/null 600 0:0 0.0 100000003\n"
				 "/\xff 4644 0:0 -5.0 500000000\n"
				 "/folder/B 0 0:0 8589934592.0 0\n"
				 "/folder/b 4644 0:0 -5.0 500000000\n");
	free(disk.path);
}

static void attributes_count_where_a_change_of_them_would_not_be_seen(void **state)
{
	struct mvm_ext4_attr folder = {.mode = S_IFDIR | 0755}, file = {.mode = S_IFREG | 0644};
	struct mvm_ext4_node *node;
	char large[300], *got MVM_CLEAN_FREE = NULL;
	struct disk disk;

	memset(large, 'l', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	begin(&disk, *state);
	set_xattr(&disk, make(&disk, NULL, "folder", &folder), "user.a", "in the inode");
	node = make(&disk, NULL, "block", &folder);
	set_xattr(&disk, node, "user.a", large);
	set_xattr(&disk, node, "trusted.b", large);
	set_xattr(&disk, make(&disk, NULL, "plain", &file), "user.a", "of no account");
	node = make(&disk, NULL, "able", &file);
	set_xattr(&disk, node, "security.capability", "01234567890123456789");
	set_xattr(&disk, node, "user.a", large);
	finish(&disk);
	got = list(&disk, nothing);
	assert_string_equal(got, "/ 755 0:0 0.0 0\n"
				 "/able 644 0:0 0.0 0 x\n"
				 "/block/ 755 0:0 0.0 0 x\n"
				 "/folder/ 755 0:0 0.0 0 x\n"
				 "/plain 644 0:0 0.0 0\n");
	free(disk.path);
}

static void what_the_runtime_makes_is_told_where_it_is_missing(void **state)
{
	static const char *const made[] = {"dev/", "etc/", "etc/hostname", "etc/hosts", "proc/", NULL};
	struct mvm_ext4_attr folder = {.mode = S_IFDIR | 0755}, file = {.mode = S_IFREG | 0644};
	struct disk disk;
	char *got MVM_CLEAN_FREE = NULL, *empty MVM_CLEAN_FREE = NULL;

	begin(&disk, *state);
	make(&disk, make(&disk, NULL, "etc", &folder), "hosts", &file);
	make(&disk, NULL, "proc", &folder);
	make(&disk, NULL, "etcetera", &folder);
	finish(&disk);
	got = list(&disk, made);
	assert_string_equal(got, "/ 755 0:0 0.0 0\n"
				 "/dev/ 755 0:0 0.0 0 made\n"
				 "/etc/ 755 0:0 0.0 0\n"
				 "/etcetera/ 755 0:0 0.0 0\n"
				 "/proc/ 755 0:0 0.0 0\n"
				 "/etc/hostname 644 0:0 0.0 0 made\n"
				 "/etc/hosts 644 0:0 0.0 0\n");
	unlink(disk.path);
	free(disk.path);
	begin(&disk, *state);
	finish(&disk);
	empty = list(&disk, made);
	assert_string_equal(empty, "/ 755 0:0 0.0 0\n"
				   "/dev/ 755 0:0 0.0 0 made\n"
				   "/etc/ 755 0:0 0.0 0 made\n"
				   "/proc/ 755 0:0 0.0 0 made\n"
				   "/etc/hostname 644 0:0 0.0 0 made\n"
				   "/etc/hosts 644 0:0 0.0 0 made\n");
	free(disk.path);
}

static void what_cannot_be_read_or_written_is_an_error(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	const struct mvm_ext4_sink sink = {.write = refuse};
	char *garbage MVM_CLEAN_FREE = mvm_format("%s/garbage", (char *)*state);
	struct disk disk;

	begin(&disk, *state);
	finish(&disk);
	assert_error(mvm_ext4_list(disk.path, nothing, &sink, &err), MVM_ERR_INTERRUPTED, "no more");
	assert_error(mvm_ext4_list("/nowhere/disk", nothing, &sink, &err), MVM_ERR_NOT_FOUND, "/nowhere/disk");
	assert_ok(mvm_replace_file(garbage, "no disk", 7, 0600, &err));
	assert_error(mvm_ext4_list(garbage, nothing, &sink, &err), MVM_ERR_CORRUPT, garbage);
	free(disk.path);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(every_kind_and_all_that_is_known_of_it),
		CASE(attributes_count_where_a_change_of_them_would_not_be_seen),
		CASE(what_the_runtime_makes_is_told_where_it_is_missing),
		CASE(what_cannot_be_read_or_written_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
