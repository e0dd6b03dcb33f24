/* What a container mounts: docker's forms of -v and --mount, its refusals, and the order of mounts. */
#include "share/mount.h"
#include "tests/unit/unit.h"

/* All that is in a mount, as one line. */
static char *described(const struct mvm_mount *mount)
{
	char *options MVM_CLEAN_FREE = mvm_strv_join(&mount->driver_options, " ");
	char *labels MVM_CLEAN_FREE = mvm_strv_join(&mount->labels, " ");

	return mvm_format("%s %s %s%s%s%s%s%s%s%s%s%s%s%s%s%s", mvm_mount_type_name(mount->type),
			  mount->source ? mount->source : "-", mount->target, mount->read_only ? " ro" : "",
			  mount->watch ? " watch" : "", mount->no_copy ? " nocopy" : "",
			  mount->subpath ? " subpath=" : "", mount->subpath ? mount->subpath : "",
			  mount->driver ? " driver=" : "", mount->driver ? mount->driver : "", *options ? " opt=" : "",
			  options, *labels ? " label=" : "", labels, mount->tmpfs_size ? " sized" : "",
			  mount->tmpfs_mode >= 0 ? " with mode" : "");
}

typedef int (*parse_fn)(const char *text, struct mvm_mount *mount, struct mvm_error **err);

static void check(parse_fn parse, const char *text, const char *expected)
{
	struct mvm_mount mount MVM_CLEAN_MOUNT = {0}, again MVM_CLEAN_MOUNT = {0};
	struct mvm_error *err = NULL;
	char *is MVM_CLEAN_FREE = NULL, *form MVM_CLEAN_FREE = NULL, *same MVM_CLEAN_FREE = NULL;

	assert_ok(parse(text, &mount, &err));
	is = described(&mount);
	assert_string_equal(is, expected);
	form = mvm_mount_format(&mount);
	assert_ok(parse(form, &again, &err));
	same = described(&again);
	assert_string_equal(same, expected);
}

static void short_forms(void **state)
{
	static const char *const cases[][2] = {
		{"/data", "volume - /data"},
		{"/a:/b", "bind /a /b"},
		{"/a:/b:ro", "bind /a /b ro"},
		{"/a:/b:rw", "bind /a /b"},
		{"/a:/b:z,ro", "bind /a /b ro"},
		{"/a:/b:ro,Z,cached,rprivate", "bind /a /b ro"},
		{"/a:/b:delegated", "bind /a /b"},
		{"/a/../c//d/.:/b/./x/../y/", "bind /c/d /b/y"},
		{"/:/host", "bind / /host"},
		{"name:/b:nocopy", "volume name /b nocopy"},
		{"~/x:/b", "volume ~/x /b"},
		{"ro:/b", "volume ro /b"},
		{"/a:/ro", "bind /a /ro"},
		{"/a:/b:watch", "bind /a /b watch"},
		{"/a:/b:watch,ro", "bind /a /b ro watch"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++)
		check(mvm_mount_parse_short, cases[i][0], cases[i][1]);
}

static void long_forms(void **state)
{
	static const char *const cases[][2] = {
		{"type=bind,source=/a,target=/b", "bind /a /b"},
		{"type=bind,src=/a,dst=/b,readonly", "bind /a /b ro"},
		{"TYPE=Bind,SRC=/a,destination=/b,ro=true", "bind /a /b ro"},
		{"type=bind,src=/a,dst=/b,readonly=0", "bind /a /b"},
		{"type=bind,src=/a,dst=/b,watch", "bind /a /b watch"},
		{"type=bind,src=/a,dst=/b,watch=false", "bind /a /b"},
		{"type=bind,src=/a,dst=/b,ro,watch=1", "bind /a /b ro watch"},
		{"type=bind,src=/a,dst=/b,consistency=cached,bind-propagation=rprivate,bind-recursive=enabled",
		 "bind /a /b"},
		{"\"type=bind\",\"src=/a,b\",\"dst=/say \"\"so\"\"\"", "bind /a,b /say \"so\""},
		{"target=/b", "volume - /b"},
		{"source=n,target=/"
		 "b,volume-nocopy,volume-driver=disk,volume-opt=size=1g,volume-opt=k=v,volume-label=a=b",
		 "volume n /b nocopy driver=disk opt=size=1g k=v label=a=b"},
		{"src=n,dst=/b,volume-subpath=x/y", "volume n /b subpath=x/y"},
		{"src=n,dst=/b,volume-subpath=..x/./y/..", "volume n /b subpath=..x/./y/.."},
		{"type=tmpfs,dst=/b,tmpfs-size=1m,tmpfs-mode=1777", "tmpfs - /b sized with mode"},
		{"type=tmpfs,dst=/b,tmpfs-mode=0", "tmpfs - /b with mode"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++)
		check(mvm_mount_parse_long, cases[i][0], cases[i][1]);
}

static void refused(parse_fn parse, const char *text, const char *message)
{
	struct mvm_mount mount MVM_CLEAN_MOUNT = {0};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	if (parse(text, &mount, &err) == 0)
		fail_msg("taken: %s", text);
	if (!strstr(mvm_error_message(err), message))
		fail_msg("%s: %s", text, mvm_error_message(err));
	assert_null(mount.target);
}

static void wrong_short_forms(void **state)
{
	static const char *const cases[][2] = {
		{"", "invalid volume specification: ''"},
		{":/b", "invalid volume specification: ':/b'"},
		{"/a:", "empty section between colons"},
		{"/a::ro", "empty section between colons"},
		{"/a:/b:", "empty section between colons"},
		{"/a:/b:ro:x", "invalid volume specification: '/a:/b:ro:x'"},
		{"/a:ro", "invalid volume specification: '/a:ro'"},
		{"/a:/b:no", "invalid mode: no"},
		{"/a:/b:ro,rw", "invalid mode: ro,rw"},
		{"/a:/b:ro,", "invalid mode: ro,"},
		{"/a:b",
		 "invalid volume specification: '/a:b': invalid mount config for type \"bind\": invalid mount path: "
		 "'b' mount path must be absolute"},
		{"/a:/", "invalid specification: destination can't be '/'"},
		{"/a:/x/..", "invalid specification: destination can't be '/'"},
		{"b", "invalid mount path: 'b' mount path must be absolute"},
		{"/a:/b:rshared", "mounts do not travel"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++)
		refused(mvm_mount_parse_short, cases[i][0], cases[i][1]);
}

static void wrong_long_forms(void **state)
{
	static const char *const cases[][2] = {
		{"", "value is empty"},
		{"type=bind,src=/a", "target is required"},
		{"type=bind,dst=/b", "invalid mount config for type \"bind\": field Source must not be empty"},
		{"type=tmpfs,src=/a,dst=/b", "field Source must not be specified"},
		{"type=bind,src=/a,dst=b", "invalid mount path: 'b' mount path must be absolute"},
		{"type=bind,src=a,dst=/b", "invalid mount path: 'a' mount path must be absolute"},
		{"type=npipe,src=/a,dst=/b", "mount type unknown: \"npipe\""},
		{"type=bind,src=/a,dst=/b,what", "invalid field 'what' must be a key=value pair"},
		{"type=bind,src=/a,dst=/b,source", "invalid field 'source' must be a key=value pair"},
		{"type=bind,src=/a,dst=/b,what=x", "unexpected key 'what' in 'what=x'"},
		{"type=bind,src=/a,dst=/b,readonly=maybe", "invalid value for readonly: maybe"},
		{"type=bind,src=/a,dst=/b,bind-propagation=x", "invalid value for bind-propagation: x"},
		{"type=bind,src=/a,dst=/b,volume-nocopy", "cannot mix 'volume-*' options with mount type 'bind'"},
		{"src=/a,dst=/b,bind-propagation=private", "cannot mix 'bind-*' options with mount type 'volume'"},
		{"dst=/b,tmpfs-size=1m", "cannot mix 'tmpfs-*' options with mount type 'volume'"},
		{"type=tmpfs,dst=/b,tmpfs-size=x", "invalid value for tmpfs-size: x"},
		{"type=tmpfs,dst=/b,tmpfs-mode=9", "invalid value for tmpfs-mode: 9"},
		{"\"type=bind", "a quote"},
		{"type=\"bind\",dst=/b", "a quote"},
		{"\"type=bind\"x,dst=/b", "a quote"},
		{"type=bind,,dst=/b", "invalid field ''"},
		{"dst=/b,volume-subpath=/x", "subpath must be a relative path within the volume"},
		{"dst=/b,volume-subpath=x/../..", "subpath must be a relative path within the volume"},
		{"dst=/b,volume-subpath=", "subpath must be a relative path within the volume"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++)
		refused(mvm_mount_parse_long, cases[i][0], cases[i][1]);
}

static void parents_come_first_and_no_target_twice(void **state)
{
	struct mvm_strv binds MVM_CLEAN_STRV = {0}, mounts MVM_CLEAN_STRV = {0};
	struct mvm_mounts list MVM_CLEAN_MOUNTS = {0};
	struct mvm_error *err = NULL;

	mvm_strv_add(&binds, "/1:/a/b/c");
	mvm_strv_add(&binds, "/2:/z");
	mvm_strv_add(&mounts, "type=bind,src=/3,dst=/a");
	mvm_strv_add(&mounts, "type=tmpfs,dst=/a/b");
	assert_ok(mvm_mounts_parse(&binds, &mounts, &list, &err));
	assert_int_equal(list.count, 4);
	assert_string_equal(list.items[0].target, "/a");
	assert_string_equal(list.items[1].target, "/z");
	assert_string_equal(list.items[2].target, "/a/b");
	assert_string_equal(list.items[3].target, "/a/b/c");
	mvm_strv_add(&binds, "/4:/a/./b/");
	assert_error(mvm_mounts_parse(&binds, &mounts, &list, &err), MVM_ERR_USAGE, "Duplicate mount point: /a/b");
}

static void relative_sources(void **state)
{
	char here[4096];
	char *folder MVM_CLEAN_FREE = mvm_mount_absolute("./x/../y"), *dot MVM_CLEAN_FREE = mvm_mount_absolute(".");
	char *name MVM_CLEAN_FREE = mvm_mount_absolute("name"), *expected MVM_CLEAN_FREE = NULL;

	assert_non_null(getcwd(here, sizeof(here)));
	expected = mvm_format("%s/y", here);
	assert_string_equal(folder, expected);
	assert_string_equal(dot, here);
	assert_string_equal(name, "name");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_forms),
		cmocka_unit_test(long_forms),
		cmocka_unit_test(wrong_short_forms),
		cmocka_unit_test(wrong_long_forms),
		cmocka_unit_test(parents_come_first_and_no_target_twice),
		cmocka_unit_test(relative_sources),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
