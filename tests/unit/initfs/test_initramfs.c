/* The initramfs, read back by libarchive's own reader. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <archive.h>
#include <archive_entry.h>
#include <string.h>
#include <sys/stat.h>

#include "initfs/initramfs.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"

static const char agent[] = "\177ELF\2\1\1 an agent with a length that is no multiple of four";

static void build(struct mvm_buf *out)
{
	struct mvm_error *err = NULL;

	assert_int_equal(mvm_initramfs_build(agent, sizeof(agent), out, &err), 0);
	assert_null(err);
}

static struct archive *open_archive(const struct mvm_buf *buf)
{
	struct archive *archive = archive_read_new();

	assert_int_equal(archive_read_support_format_cpio(archive), ARCHIVE_OK);
	assert_int_equal(archive_read_open_memory(archive, buf->data, buf->length), ARCHIVE_OK);
	return archive;
}

/* The caller frees the archive; the entry is the archive's. */
static struct archive_entry *find(struct archive *archive, const char *path)
{
	struct archive_entry *entry;

	while (archive_read_next_header(archive, &entry) == ARCHIVE_OK)
		if (strcmp(archive_entry_pathname(entry), path) == 0)
			return entry;
	fail_msg("%s is not in the archive", path);
	return NULL;
}

static void is_newc_and_ends_with_its_trailer(void **state)
{
	struct mvm_buf buf MVM_CLEAN_BUF = {0};
	static const char trailer[] = "TRAILER!!!";

	build(&buf);
	assert_memory_equal(buf.data, "070701", 6);
	assert_int_equal(buf.length % 4, 0);
	assert_true(buf.length > 16);
	assert_non_null(memmem(buf.data + buf.length - 16, 16, trailer, sizeof(trailer)));
}

static void init_is_the_agent(void **state)
{
	struct mvm_buf buf MVM_CLEAN_BUF = {0};
	char content[sizeof(agent) + 1];
	struct archive *archive;
	struct archive_entry *entry;

	build(&buf);
	archive = open_archive(&buf);
	entry = find(archive, "init");
	assert_int_equal(archive_entry_mode(entry), S_IFREG | 0755);
	assert_int_equal(archive_entry_uid(entry), 0);
	assert_int_equal(archive_entry_mtime(entry), 0);
	assert_int_equal(archive_entry_size(entry), sizeof(agent));
	assert_int_equal(archive_read_data(archive, content, sizeof(content)), sizeof(agent));
	assert_memory_equal(content, agent, sizeof(agent));
	archive_read_free(archive);
}

static void console_is_a_device(void **state)
{
	struct mvm_buf buf MVM_CLEAN_BUF = {0};
	struct archive *archive;
	struct archive_entry *entry;

	build(&buf);
	archive = open_archive(&buf);
	entry = find(archive, "dev/console");
	assert_int_equal(archive_entry_filetype(entry), AE_IFCHR);
	assert_int_equal(archive_entry_rdevmajor(entry), 5);
	assert_int_equal(archive_entry_rdevminor(entry), 1);
	archive_read_free(archive);
}

/* The kernel unpacks in order and makes no parents. */
static void folders_come_before_what_is_in_them(void **state)
{
	static const char *const expected[] = {"dev", "dev/console", "dev/null", "init"};
	struct mvm_buf buf MVM_CLEAN_BUF = {0};
	struct archive *archive;
	struct archive_entry *entry;

	build(&buf);
	archive = open_archive(&buf);
	for (size_t i = 0; i < MVM_COUNT(expected); i++) {
		assert_int_equal(archive_read_next_header(archive, &entry), ARCHIVE_OK);
		assert_string_equal(archive_entry_pathname(entry), expected[i]);
		assert_int_equal(archive_entry_ino(entry), i + 1);
	}
	assert_int_equal(archive_read_next_header(archive, &entry), ARCHIVE_EOF);
	archive_read_free(archive);
}

static void same_agent_same_bytes(void **state)
{
	struct mvm_buf first MVM_CLEAN_BUF = {0};
	struct mvm_buf second MVM_CLEAN_BUF = {0};

	build(&first);
	build(&second);
	assert_int_equal(first.length, second.length);
	assert_memory_equal(first.data, second.data, first.length);
}

static void refuses_what_cannot_be_init(void **state)
{
	struct mvm_buf buf MVM_CLEAN_BUF = {0};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	assert_true(mvm_initramfs_build("#!/bin/sh\n", 10, &buf, &err) < 0);
	assert_int_equal(mvm_error_code(err), MVM_ERR_INVALID);
	mvm_error_clear(&err);
	assert_true(mvm_initramfs_build("\177EL", 3, &buf, &err) < 0);
	mvm_error_clear(&err);
	assert_true(mvm_initramfs_build(agent, (size_t)MVM_INITRAMFS_AGENT_MAX + 1, &buf, &err) < 0);
	assert_int_equal(mvm_error_code(err), MVM_ERR_INVALID);
	assert_int_equal(buf.length, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_newc_and_ends_with_its_trailer),
		cmocka_unit_test(init_is_the_agent),
		cmocka_unit_test(console_is_a_device),
		cmocka_unit_test(folders_come_before_what_is_in_them),
		cmocka_unit_test(same_agent_same_bytes),
		cmocka_unit_test(refuses_what_cannot_be_init),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
