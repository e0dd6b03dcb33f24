#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/backend/qemu/host.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"

static char folder[64];
static char *file;

static int make_cache(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/mvm-test-host-XXXXXX");
	assert_non_null(mkdtemp(folder));
	setenv("XDG_CACHE_HOME", folder, 1);
	file = mvm_format("%s/mvm/host.json", folder);
	return 0;
}

static int drop_cache(void **state)
{
	(void)state;
	free(file);
	return mvm_remove_tree(folder, NULL);
}

static void expect_nothing_known(void)
{
	struct host_facts facts = {.kvm_unusable = true, .tsc_khz = 5};

	host_facts_load(&facts);
	assert_false(facts.kvm_tried || facts.kvm_unusable || facts.tsc_varies);
	assert_int_equal(facts.told, KVM_USABLE);
	assert_int_equal(facts.tsc_khz, 0);
}

static void test_facts_are_kept(void **state)
{
	struct host_facts facts = {.kvm_unusable = true, .told = KVM_DENIED, .tsc_khz = 2793440};

	(void)state;
	expect_nothing_known();
	host_facts_save(&facts);
	facts = (struct host_facts){0};
	host_facts_load(&facts);
	assert_true(facts.kvm_unusable);
	assert_false(facts.kvm_tried);
	assert_int_equal(facts.told, KVM_DENIED);
	assert_int_equal(facts.tsc_khz, 2793440);
}

static void test_facts_of_another_boot(void **state)
{
	static const char other[] = "{\"bootId\": \"00000000-0000-0000-0000-000000000000\", \"kvmUnusable\": true}";

	(void)state;
	host_facts_save(&(struct host_facts){0});
	assert_int_equal(mvm_replace_file(file, other, strlen(other), 0600, NULL), 0);
	expect_nothing_known();
}

static void test_broken_file(void **state)
{
	static const char *const broken[] = {"", "{", "[]", "{\"bootId\": 5}",
					     "{\"bootId\": \"x\", \"tscKHz\": \"y\"}"};

	(void)state;
	host_facts_save(&(struct host_facts){0});
	for (size_t i = 0; i < MVM_COUNT(broken); i++) {
		assert_int_equal(mvm_replace_file(file, broken[i], strlen(broken[i]), 0600, NULL), 0);
		expect_nothing_known();
	}
}

static void test_device(void **state)
{
	struct host_facts facts = {0};
	char *device MVM_CLEAN_FREE = mvm_format("%s/kvm", folder);

	(void)state;
	assert_int_equal(host_open_kvm(device), KVM_MISSING);
	assert_int_equal(host_try_kvm(device, &facts), KVM_MISSING);
	/* Opens, but is no KVM. */
	assert_int_equal(mvm_replace_file(device, "", 0, 0600, NULL), 0);
	assert_int_equal(host_open_kvm(device), KVM_USABLE);
	assert_int_equal(host_try_kvm(device, &facts), KVM_BUSY);
	assert_false(facts.kvm_tried || facts.kvm_unusable);
	/* What is known is not tried. */
	facts.kvm_tried = true;
	assert_int_equal(host_try_kvm(device, &facts), KVM_USABLE);
	facts.kvm_unusable = true;
	assert_int_equal(host_try_kvm(device, &facts), KVM_UNUSABLE);
	if (geteuid() != 0) {
		assert_int_equal(chmod(device, 0), 0);
		assert_int_equal(host_open_kvm(device), KVM_DENIED);
	}
}

static void test_notices(void **state)
{
	(void)state;
	assert_non_null(strstr(host_kvm_notice(KVM_DENIED), "group kvm"));
	assert_non_null(strstr(host_kvm_notice(KVM_UNUSABLE), "MVM_ACCEL=kvm"));
	for (int i = KVM_MISSING; i <= KVM_UNUSABLE; i++) {
		assert_non_null(strstr(host_kvm_notice((enum kvm_state)i), "emulated"));
		assert_null(strchr(host_kvm_notice((enum kvm_state)i), '\n'));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_facts_are_kept, make_cache, drop_cache),
		cmocka_unit_test_setup_teardown(test_facts_of_another_boot, make_cache, drop_cache),
		cmocka_unit_test_setup_teardown(test_broken_file, make_cache, drop_cache),
		cmocka_unit_test_setup_teardown(test_device, make_cache, drop_cache),
		cmocka_unit_test(test_notices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
