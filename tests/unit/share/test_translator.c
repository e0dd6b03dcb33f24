/* Translators: which there are, what can be one, and what the kernel is told of it. */
#include "tests/unit/elf.h"

#include <sys/stat.h>

#include "runtime/base/config.h"
#include "share/translator.h"

#if defined(__x86_64__)
#define OTHER "arm64"
#else
#define OTHER "amd64"
#endif

static struct mvm_config *configure(const char *folder, const char *text)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/config.json", folder);
	struct mvm_config *config = NULL;
	struct mvm_error *err = NULL;

	assert_ok(mvm_replace_file(path, text, strlen(text), 0600, &err));
	setenv("MVM_CONFIG", path, 1);
	assert_ok(mvm_config_load(&config, &err));
	return config;
}

static void the_machines_own_need_none(void **state)
{
	const char *const *list = mvm_translator_architectures(MVM_ARCH_OWN);
	bool usual = false;

	assert_false(mvm_translator_native(MVM_ARCH_OWN, OTHER));
	assert_string_equal(mvm_translator_usual(MVM_ARCH_OWN), OTHER);
	for (; *list; list++) {
		assert_false(mvm_translator_native(MVM_ARCH_OWN, *list));
		usual |= !strcmp(*list, OTHER);
	}
	assert_true(usual);
}

static void only_a_static_program_for_the_machine_will_do(void **state)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/program", (char *)*state);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	assert_error(mvm_translator_check(MVM_ARCH_OWN, "/nowhere/qemu", &err), MVM_ERR_NOT_FOUND,
		     "translator /nowhere/qemu: No such");
	elf_write(path, ELF_OURS, 1);
	assert_ok(mvm_translator_check(MVM_ARCH_OWN, path, &err));
	elf_write(path, ELF_OURS, 3);
	assert_error(mvm_translator_check(MVM_ARCH_OWN, path, &err), MVM_ERR_INVALID, "no static program");
	elf_write(path, ELF_OTHER, 1);
	assert_error(mvm_translator_check(MVM_ARCH_OWN, path, &err), MVM_ERR_INVALID, "no static program");
	assert_int_equal(chmod(path, 0644), 0);
	assert_error(mvm_translator_check(MVM_ARCH_OWN, path, &err), MVM_ERR_INVALID, "not executable");
	assert_ok(mvm_replace_file(path, "#!/bin/sh\n", 10, 0755, &err));
	assert_error(mvm_translator_check(MVM_ARCH_OWN, path, &err), MVM_ERR_INVALID, "no static program");
	assert_error(mvm_translator_check(MVM_ARCH_OWN, *state, &err), MVM_ERR_INVALID, "no static program");
}

static void another_machine_needs_other_programs(void **state)
{
	enum mvm_arch other = MVM_ARCH_OWN == MVM_ARCH_AMD64 ? MVM_ARCH_ARM64 : MVM_ARCH_AMD64;
	char *path MVM_CLEAN_FREE = mvm_format("%s/other", (char *)*state);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *found = NULL;

	assert_true(mvm_translator_native(other, OTHER));
	assert_false(mvm_translator_native(other, mvm_arch_name(MVM_ARCH_OWN)));
	assert_string_equal(mvm_translator_usual(other), mvm_arch_name(MVM_ARCH_OWN));
	elf_write(path, ELF_OTHER, 1);
	assert_ok(mvm_translator_check(other, path, &err));
	elf_write(path, ELF_OURS, 1);
	assert_error(mvm_translator_check(other, path, &err), MVM_ERR_INVALID, "no static program");
	/* The host's own packages are for the host's processor. */
	assert_error(mvm_translator_find(NULL, other, mvm_arch_name(MVM_ARCH_OWN), &found, &err), MVM_ERR_NOT_FOUND,
		     "under \"translators\" in the configuration file");
}

static void the_configurations_is_taken_before_any_other(void **state)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/own", (char *)*state);
	char *text MVM_CLEAN_FREE = mvm_format("{\"translators\": {\"%s\": \"%s\"}}", OTHER, path);
	struct mvm_config *config MVM_CLEAN_CONFIG = configure(*state, text);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *found MVM_CLEAN_FREE = NULL;

	assert_error(mvm_translator_find(config, MVM_ARCH_OWN, OTHER, &found, &err), MVM_ERR_INVALID,
		     "\"translators\": translator ");
	assert_null(found);
	elf_write(path, ELF_OURS, 1);
	assert_ok(mvm_translator_find(config, MVM_ARCH_OWN, OTHER, &found, &err));
	assert_string_equal(found, path);
}

static void what_is_wrong_is_said(void **state)
{
	struct mvm_config *number MVM_CLEAN_CONFIG = configure(*state, "{\"translators\": {\"" OTHER "\": 1}}");
	struct mvm_config *list MVM_CLEAN_CONFIG = configure(*state, "{\"translators\": []}");
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *found = NULL;

	assert_error(mvm_translator_find(number, MVM_ARCH_OWN, OTHER, &found, &err), MVM_ERR_INVALID,
		     "\"" OTHER "\" is not a string");
	assert_error(mvm_translator_find(list, MVM_ARCH_OWN, OTHER, &found, &err), MVM_ERR_INVALID,
		     "\"translators\" is not an object");
	assert_error(mvm_translator_find(NULL, MVM_ARCH_OWN, "pdp11", &found, &err), MVM_ERR_UNSUPPORTED,
		     "there is no translator for pdp11 programs");
	if (mvm_translator_find(NULL, MVM_ARCH_OWN, OTHER, &found, &err) < 0)
		assert_non_null(strstr(mvm_error_message(err), "apt install qemu-user-static"));
	free(found);
}

/* As Debian registers them, but for the flags. */
static void rules_are_debians(void **state)
{
	static const struct {
		const char *architecture, *rule;
	} cases[] = {
		{"arm64", ":arm64:M::\\x7f\\x45\\x4c\\x46\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
			  "\\x02\\x00\\xb7\\x00:\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff"
			  "\\xff\\xff\\xfe\\xff\\xff\\xff:/shares/3/file:OCPF"},
		{"arm", ":arm:M::\\x7f\\x45\\x4c\\x46\\x01\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
			"\\x02\\x00\\x28\\x00:\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff"
			"\\xff\\xff\\xfe\\xff\\xff\\xff:/shares/3/file:OCPF"},
		{"s390x", ":s390x:M::\\x7f\\x45\\x4c\\x46\\x02\\x02\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
			  "\\x00\\x02\\x00\\x16:\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff"
			  "\\xff\\xff\\xff\\xfe\\xff\\xff:/shares/3/file:OCPF"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		char *rule MVM_CLEAN_FREE = mvm_translator_rule(cases[i].architecture, "/shares/3/file");

		assert_string_equal(rule, cases[i].rule);
	}
}

/* As Apple's instructions have update-binfmts register it: credentials, no argv[0], fixed. */
static void rosettas_rule_is_apples(void **state)
{
	char *rule MVM_CLEAN_FREE = mvm_translator_rosetta_rule("amd64");

	assert_string_equal(rule,
			    ":amd64:M::\\x7f\\x45\\x4c\\x46\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
			    "\\x00\\x02\\x00\\x3e\\x00:\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff"
			    "\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff:/rosetta/rosetta:OCF");
}

static void what_the_configuration_names_is_known(void **state)
{
	struct mvm_config *named MVM_CLEAN_CONFIG = configure(*state, "{\"translators\": {\"" OTHER "\": \"/x\"}}");
	struct mvm_config *other MVM_CLEAN_CONFIG = configure(*state, "{\"translators\": {\"s390x\": \"/x\"}}");
	struct mvm_config *wrong MVM_CLEAN_CONFIG = configure(*state, "{\"translators\": []}");

	assert_true(mvm_translator_is_named(named, OTHER));
	assert_false(mvm_translator_is_named(other, OTHER));
	assert_false(mvm_translator_is_named(NULL, OTHER));
	assert_true(mvm_translator_is_named(wrong, OTHER));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_machines_own_need_none),
		cmocka_unit_test(only_a_static_program_for_the_machine_will_do),
		cmocka_unit_test(another_machine_needs_other_programs),
		cmocka_unit_test(the_configurations_is_taken_before_any_other),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(rules_are_debians),
		cmocka_unit_test(rosettas_rule_is_apples),
		cmocka_unit_test(what_the_configuration_names_is_known),
	};

	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
