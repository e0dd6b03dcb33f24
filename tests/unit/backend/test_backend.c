#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/backend/backend.h"
#include "runtime/base/error.h"

static int clear_environment(void **state)
{
	(void)state;
	unsetenv("MVM_BACKEND");
	unsetenv("MVM_ACCEL");
	return 0;
}

static void test_accel(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	enum mvm_accel accel = MVM_ACCEL_KVM;

	(void)state;
	assert_int_equal(mvm_accel_parse(NULL, &accel, NULL), 0);
	assert_int_equal(accel, MVM_ACCEL_AUTO);
	setenv("MVM_ACCEL", "tcg", 1);
	assert_int_equal(mvm_accel_parse(NULL, &accel, NULL), 0);
	assert_int_equal(accel, MVM_ACCEL_TCG);
	assert_int_equal(mvm_accel_parse("kvm", &accel, NULL), 0);
	assert_int_equal(accel, MVM_ACCEL_KVM);
	assert_string_equal(mvm_accel_name(accel), "kvm");
	assert_int_equal(mvm_accel_parse("hax", &accel, &err), -1);
	assert_int_equal(mvm_error_code(err), MVM_ERR_USAGE);
	assert_int_equal(accel, MVM_ACCEL_KVM);
}

static void test_backend(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	const struct mvm_backend_ops *ops = NULL;

	(void)state;
	assert_int_equal(mvm_backend_find("xen", &ops, &err), -1);
	assert_int_equal(mvm_error_code(err), MVM_ERR_USAGE);
	assert_null(ops);
#ifdef __linux__
	assert_int_equal(mvm_backend_find(NULL, &ops, NULL), 0);
	assert_ptr_equal(ops, &mvm_backend_qemu);
	mvm_error_clear(&err);
	setenv("MVM_BACKEND", "vz", 1);
	assert_int_equal(mvm_backend_find(NULL, &ops, &err), -1);
	assert_int_equal(mvm_error_code(err), MVM_ERR_UNSUPPORTED);
	assert_int_equal(mvm_backend_find("qemu", &ops, NULL), 0);
	assert_string_equal(ops->name, "qemu");
#endif
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_accel, clear_environment),
		cmocka_unit_test_setup(test_backend, clear_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
