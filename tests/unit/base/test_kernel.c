/* What a kernel's file says of itself. */
#include "tests/unit/unit.h"

#include "runtime/base/kernel.h"

#define BANNER "Linux version "

static char *write_file(const char *folder, const char *name, const void *data, size_t length)
{
	char *path = mvm_format("%s/%s", folder, name);
	struct mvm_error *err = NULL;

	assert_ok(mvm_replace_file(path, data, length, 0644, &err));
	return path;
}

static void three_formats(void **state)
{
	unsigned char image[MVM_KERNEL_HEADER] = {[56] = 'A', 'R', 'M', 0x64},
		      elf[MVM_KERNEL_HEADER] = {0x7f, 'E', 'L', 'F', 2, [18] = 62},
		      bz[MVM_KERNEL_HEADER] = {[0x1fe] = 0x55, 0xaa, [0x202] = 'H', 'd', 'r', 'S'};
	struct mvm_kernel_facts facts;

	(void)state;
	assert_true(mvm_kernel_told_by(image, sizeof(image), &facts));
	assert_int_equal(facts.format, MVM_KERNEL_IMAGE);
	assert_int_equal(facts.arch, MVM_ARCH_ARM64);
	assert_true(mvm_kernel_told_by(elf, sizeof(elf), &facts));
	assert_int_equal(facts.format, MVM_KERNEL_VMLINUX);
	assert_int_equal(facts.arch, MVM_ARCH_AMD64);
	assert_true(mvm_kernel_told_by(bz, sizeof(bz), &facts));
	assert_int_equal(facts.format, MVM_KERNEL_BZIMAGE);
	assert_int_equal(facts.arch, MVM_ARCH_AMD64);
}

static void what_is_none(void **state)
{
	unsigned char other_elf[MVM_KERNEL_HEADER] = {0x7f, 'E', 'L', 'F', 2, [18] = 40},
		      elf32[MVM_KERNEL_HEADER] = {0x7f, 'E', 'L', 'F', 1, [18] = 62},
		      boot_sector[MVM_KERNEL_HEADER] = {[0x1fe] = 0x55, 0xaa},
		      bz[MVM_KERNEL_HEADER] = {[0x1fe] = 0x55, 0xaa, [0x202] = 'H', 'd', 'r', 'S'};
	struct mvm_kernel_facts facts;
	struct mvm_error *err = NULL;
	char *path MVM_CLEAN_FREE = write_file(*state, "none", "#!/bin/sh\n", 10);
	char *empty MVM_CLEAN_FREE = write_file(*state, "empty", "", 0);

	assert_false(mvm_kernel_told_by(other_elf, sizeof(other_elf), &facts));
	assert_false(mvm_kernel_told_by(elf32, sizeof(elf32), &facts));
	assert_false(mvm_kernel_told_by(boot_sector, sizeof(boot_sector), &facts));
	assert_false(mvm_kernel_told_by(bz, sizeof(bz) - 1, &facts));
	assert_error(mvm_kernel_examine(path, "it", &facts, &err), MVM_ERR_INVALID, "it is no kernel");
	assert_error(mvm_kernel_examine(empty, "it", &facts, &err), MVM_ERR_INVALID, "it is no kernel");
	assert_error(mvm_kernel_examine("/nowhere", "it", &facts, &err), MVM_ERR_NOT_FOUND,
		     "cannot read the kernel it");
	assert_error(mvm_kernel_examine("/", "it", &facts, &err), MVM_ERR_IO, "cannot read the kernel it");
}

/* An arm64 Image of a size with the text at a place. */
static void examine(const char *folder, size_t size, const char *text, size_t at, struct mvm_kernel_facts *facts)
{
	char *data MVM_CLEAN_FREE = mvm_alloc(size), *path MVM_CLEAN_FREE = NULL;
	struct mvm_error *err = NULL;

	memcpy(data + 56, "ARM\x64", 4);
	memcpy(data + at, text, strlen(text));
	path = write_file(folder, "kernel", data, size);
	assert_ok(mvm_kernel_examine(path, path, facts, &err));
}

static void the_version_stands_in_the_banner(void **state)
{
	enum { MIB = 1 << 20 };
	struct mvm_kernel_facts facts;

	examine(*state, 4096, BANNER "6.1.192 (mvm@mvm)", 1000, &facts);
	assert_string_equal(facts.version, "6.1.192");
	/* What printf makes it of, and then itself. */
	examine(*state, 4096, BANNER "%s (%s)\n" BANNER "6.6.0-rc1+ x", 1000, &facts);
	assert_string_equal(facts.version, "6.6.0-rc1+");
	examine(*state, 4096, "nothing", 1000, &facts);
	assert_string_equal(facts.version, "");
	/* Across every place where one piece ends. */
	for (size_t at = MIB - 100; at < MIB + 100; at += 3) {
		examine(*state, 2 * MIB, BANNER "5.10.0-with-a-long-name-of-its-own ", at, &facts);
		assert_string_equal(facts.version, "5.10.0-with-a-long-name-of-its-own");
	}
	/* Cut off by the end of the file, it may be another. */
	examine(*state, 1000 + strlen(BANNER "6.1"), BANNER "6.1", 1000, &facts);
	assert_string_equal(facts.version, "");
}

static void a_bzimage_says_where_its_version_is(void **state)
{
	unsigned char bz[2048] = {[0x1fe] = 0x55, 0xaa, [0x202] = 'H', 'd', 'r', 'S', [0x20e] = 0x80, 0x01};
	char *path MVM_CLEAN_FREE = NULL;
	struct mvm_kernel_facts facts;
	struct mvm_error *err = NULL;

	memcpy(bz + 0x380, "6.1.0-37-amd64 (x@y)", 20);
	path = write_file(*state, "bz", bz, sizeof(bz));
	assert_ok(mvm_kernel_examine(path, path, &facts, &err));
	assert_string_equal(facts.version, "6.1.0-37-amd64");
	bz[0x20f] = 0xff;
	free(path);
	path = write_file(*state, "bz", bz, sizeof(bz));
	assert_ok(mvm_kernel_examine(path, path, &facts, &err));
	assert_string_equal(facts.version, "");
}

static void versions_are_shown(void **state)
{
	char longest[MVM_KERNEL_VERSION_MAX + 2];

	(void)state;
	assert_true(mvm_kernel_version_valid("6.1.192"));
	assert_false(mvm_kernel_version_valid(""));
	assert_false(mvm_kernel_version_valid("v6"));
	assert_false(mvm_kernel_version_valid("6.1\x1b[2J"));
	memset(longest, '6', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_false(mvm_kernel_version_valid(longest));
	assert_true(mvm_kernel_version_valid(longest + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_formats),
		cmocka_unit_test(what_is_none),
		cmocka_unit_test(the_version_stands_in_the_banner),
		cmocka_unit_test(a_bzimage_says_where_its_version_is),
		cmocka_unit_test(versions_are_shown),
	};

	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
