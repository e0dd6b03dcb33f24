/* Capabilities, security options, limits, kernel parameters and tmpfs as docker takes and refuses them. */
#include "world.h"

#include "runtime/state/confinement.h"

static struct mvm_strv split(const char *text)
{
	char *copy MVM_CLEAN_FREE = mvm_strdup(text), *rest = copy, *word;
	struct mvm_strv words = {0};

	while ((word = strsep(&rest, " ")))
		if (*word)
			mvm_strv_add(&words, word);
	return words;
}

static uint64_t capabilities(const char *add, const char *drop)
{
	struct mvm_strv given_add MVM_CLEAN_STRV = split(add), given_drop MVM_CLEAN_STRV = split(drop);
	struct mvm_strv adds MVM_CLEAN_STRV = {0}, drops MVM_CLEAN_STRV = {0};

	assert_int_equal(mvm_capabilities_normalize(&given_add, "CapAdd", &adds, NULL), 0);
	assert_int_equal(mvm_capabilities_normalize(&given_drop, "CapDrop", &drops, NULL), 0);
	return mvm_capabilities_of(false, &adds, &drops);
}

/* Bits by capabilities(7): chown 0, setuid 7, net_admin 12, net_raw 13, sys_admin 21. */
static void capability_sets(void **state)
{
	static const uint64_t usual = 0xa80425fb;
	const struct mvm_strv none = {0};

	assert_int_equal(capabilities("", ""), usual);
	assert_int_equal(capabilities("net_admin", ""), usual | 1 << 12);
	assert_int_equal(capabilities("CAP_NET_ADMIN cap_net_admin NET_admin", ""), usual | 1 << 12);
	assert_int_equal(capabilities("", "chown"), usual & ~(uint64_t)1);
	assert_int_equal(capabilities("", "ALL"), 0);
	assert_int_equal(capabilities("setuid", "all"), 1 << 7);
	assert_int_equal(capabilities("ALL", ""), UINT64_MAX);
	assert_int_equal(capabilities("ALL", "sys_admin"), ~(UINT64_C(1) << 21));
	assert_int_equal(capabilities("ALL", "ALL"), UINT64_MAX);
	/* What is added and dropped stays. */
	assert_int_equal(capabilities("net_raw", "net_raw"), usual);
	assert_int_equal(mvm_capabilities_of(true, &none, &none), UINT64_MAX);
}

static void capability_names(void **state)
{
	struct mvm_strv given MVM_CLEAN_STRV = split("sys_admin CAP_CHOWN chown"), names MVM_CLEAN_STRV = {0};
	struct mvm_strv bad MVM_CLEAN_STRV = split("chown chowns");
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	assert_int_equal(mvm_capabilities_normalize(&given, "CapAdd", &names, NULL), 0);
	assert_int_equal(names.count, 2);
	assert_string_equal(names.items[0], "CAP_CHOWN");
	assert_string_equal(names.items[1], "CAP_SYS_ADMIN");
	assert_int_equal(mvm_capabilities_normalize(&bad, "CapDrop", &names, &err), -1);
	assert_string_equal(mvm_error_message(err), "invalid CapDrop: unknown capability: \"CAP_CHOWNS\"");
	assert_int_equal(mvm_error_code(err), MVM_ERR_USAGE);
}

static void security_options(void **state)
{
	static const struct {
		const char *text;
		bool no_new_privileges, unmasked;
		const char *error; /* its beginning */
	} cases[] = {
		{"", false, false, NULL},
		{"no-new-privileges", true, false, NULL},
		{"no-new-privileges=true", true, false, NULL},
		{"no-new-privileges:true", true, false, NULL},
		{"no-new-privileges no-new-privileges=false", false, false, NULL},
		{"systempaths=unconfined", false, true, NULL},
		{"seccomp=unconfined apparmor=unconfined label=disable label:disable", false, false, NULL},
		{"nonsense", false, false, "invalid --security-opt: \"nonsense\""},
		{"label=", false, false, "invalid --security-opt: \"label=\""},
		{"no-new-privileges=maybe", false, false, "invalid --security-opt 2: \"no-new-privileges=maybe\""},
		{"other=thing", false, false, "invalid --security-opt 2: \"other=thing\""},
		{"systempaths=confined", false, false, "invalid --security-opt 2: \"systempaths=confined\""},
		{"seccomp=/a/profile.json", false, false, "--security-opt seccomp=/a/profile.json is not supported"},
		{"label=type:x", false, false, "--security-opt label=type:x is not supported"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct mvm_strv options MVM_CLEAN_STRV = split(cases[i].text);
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;
		struct mvm_security security;
		int result = mvm_security_parse(&options, &security, &err);

		assert_int_equal(result, cases[i].error ? -1 : 0);
		if (cases[i].error) {
			assert_memory_equal(mvm_error_message(err), cases[i].error, strlen(cases[i].error));
			continue;
		}
		assert_int_equal(security.no_new_privileges, cases[i].no_new_privileges);
		assert_int_equal(security.unmasked, cases[i].unmasked);
	}
}

static void ulimits(void **state)
{
	static const struct {
		const char *text;
		unsigned resource;
		int64_t soft, hard;
	} good[] = {
		{"nofile=1024", 7, 1024, 1024}, {"nofile=512:1024", 7, 512, 1024},
		{"core=-1", 4, -1, -1},		{"nproc=5:-1", 6, 5, -1},
		{"cpu=0:0", 0, 0, 0},		{"rttime=7", 15, 7, 7},
	};
	static const char *const bad[][2] = {
		{"", "invalid ulimit argument: "},
		{"nofile", "invalid ulimit argument: nofile"},
		{"nofile=", "invalid ulimit argument: nofile="},
		{"files=1", "invalid ulimit type: files"},
		{"as=1", "invalid ulimit type: as"},
		{"nofile=x", "strconv.ParseInt: parsing \"x\": invalid syntax"},
		{"nofile=1:", "strconv.ParseInt: parsing \"\": invalid syntax"},
		{"nofile=1:2:3", "too many limit value arguments - 1:2:3, can only have up to two, `soft[:hard]`"},
		{"nofile=1024:1", "ulimit soft limit must be less than or equal to hard limit: 1024 > 1"},
		{"nofile=-1:1",
		 "ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: 1"},
	};

	for (size_t i = 0; i < MVM_COUNT(good); i++) {
		struct mvm_ulimit limit;

		assert_int_equal(mvm_ulimit_parse(good[i].text, &limit, NULL), 0);
		assert_int_equal(limit.resource, good[i].resource);
		assert_int_equal(limit.soft, good[i].soft);
		assert_int_equal(limit.hard, good[i].hard);
	}
	for (size_t i = 0; i < MVM_COUNT(bad); i++) {
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;
		struct mvm_ulimit limit;

		assert_int_equal(mvm_ulimit_parse(bad[i][0], &limit, &err), -1);
		assert_string_equal(mvm_error_message(err), bad[i][1]);
	}
}

static void sysctls(void **state)
{
	static const char *const good[] = {"net.ipv4.ip_forward=1", "kernel.shmmax=1", "fs.mqueue.msg_max=5",
					   "kernel.sem=1 2 3 4"};
	static const char *const bad[] = {"kernel.hostname=x", "net.ipv4.ip_forward", "vm.swappiness=1", "",
					  "kernel.shmmaxx=1",  "net./../../x=1"};

	for (size_t i = 0; i < MVM_COUNT(good); i++)
		assert_int_equal(mvm_sysctl_check(good[i], NULL), 0);
	for (size_t i = 0; i < MVM_COUNT(bad); i++) {
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;
		char *expected MVM_CLEAN_FREE = mvm_format("sysctl '%s' is not allowed", bad[i]);

		assert_int_equal(mvm_sysctl_check(bad[i], &err), -1);
		assert_string_equal(mvm_error_message(err), expected);
	}
}

static void tmpfs(void **state)
{
	static const char *const good[] = {
		"/run", "/run:", "/run:rw,noexec,size=64m,mode=1777,uid=5", "/a/b:exec", "/a/../b", "/.a", "/...:ro"};
	static const char *const bad[][2] = {
		{"", "invalid mount path: '' mount path must be absolute"},
		{"run:rw", "invalid mount path: 'run' mount path must be absolute"},
		{"/", "invalid specification: destination can't be '/'"},
		{"/./:ro", "invalid specification: destination can't be '/'"},
		{"/a/../", "invalid specification: destination can't be '/'"},
		{"/../a/b/../..:ro", "invalid specification: destination can't be '/'"},
		{"/run:rw,what", "invalid tmpfs option \"what\""},
		{"/run:size", "invalid tmpfs option \"size\""},
		{"/run:huge=always", "invalid tmpfs option \"huge=always\""},
	};

	for (size_t i = 0; i < MVM_COUNT(good); i++)
		assert_int_equal(mvm_tmpfs_check(good[i], NULL), 0);
	for (size_t i = 0; i < MVM_COUNT(bad); i++) {
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;

		assert_int_equal(mvm_tmpfs_check(bad[i][0], &err), -1);
		assert_string_equal(mvm_error_message(err), bad[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capability_sets),  cmocka_unit_test(capability_names),
		cmocka_unit_test(security_options), cmocka_unit_test(ulimits),
		cmocka_unit_test(sysctls),	    cmocka_unit_test(tmpfs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
