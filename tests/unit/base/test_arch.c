/* Which machine a kernel is for. */
#include "tests/unit/unit.h"

#include "runtime/base/arch.h"

static void names_are_gos_and_linuxs(void **state)
{
	enum mvm_arch arch = MVM_ARCH_AMD64;

	(void)state;
	assert_true(mvm_arch_parse("arm64", &arch));
	assert_int_equal(arch, MVM_ARCH_ARM64);
	assert_true(mvm_arch_parse("x86_64", &arch));
	assert_int_equal(arch, MVM_ARCH_AMD64);
	assert_true(mvm_arch_parse("aarch64", &arch));
	assert_int_equal(arch, MVM_ARCH_ARM64);
	assert_false(mvm_arch_parse("./arm64", &arch));
	assert_false(mvm_arch_parse("", &arch));
	assert_string_equal(mvm_arch_name(MVM_ARCH_AMD64), "amd64");
	assert_string_equal(mvm_arch_name(MVM_ARCH_ARM64), "arm64");
}

static void write_kernel(const char *path, const unsigned char *bytes, size_t size)
{
	struct mvm_error *err = NULL;

	assert_ok(mvm_replace_file(path, (const char *)bytes, size, 0644, &err));
}

static void a_kernel_is_told_by_its_first_bytes(void **state)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/kernel", (char *)*state);
	unsigned char image[64] = {'M', 'Z', [56] = 'A', 'R', 'M', 0x64}, elf[64] = {0x7f, 'E', 'L', 'F', 2, [18] = 62};

	write_kernel(path, image, sizeof(image));
	assert_int_equal(mvm_kernel_arch(path), MVM_ARCH_ARM64);
	write_kernel(path, elf, sizeof(elf));
	assert_int_equal(mvm_kernel_arch(path), MVM_ARCH_AMD64);
	image[59] = 'x';
	write_kernel(path, image, sizeof(image));
	assert_int_equal(mvm_kernel_arch(path), MVM_ARCH_OWN);
	image[59] = 0x64;
	write_kernel(path, image, sizeof(image) - 1);
	assert_int_equal(mvm_kernel_arch(path), MVM_ARCH_OWN);
	assert_int_equal(mvm_kernel_arch("/nowhere"), MVM_ARCH_OWN);
	assert_int_equal(mvm_kernel_arch(NULL), MVM_ARCH_OWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_gos_and_linuxs),
		cmocka_unit_test(a_kernel_is_told_by_its_first_bytes),
	};

	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
