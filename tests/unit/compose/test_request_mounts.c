/* What a service's containers mount: volumes, folders, secrets and configs. */
#include "wish.h"

#include "runtime/state/volume.h"

static void mounts_are_those_of_the_file(void **state)
{
	struct wished wished CLEAN_WISHED = {0};
	const char *folder = *state;
	char *binds MVM_CLEAN_FREE = mvm_format("%s/rel:/r:ro|/abs:/x|/p:/q:ro,rprivate", folder);
	char *mounts MVM_CLEAN_FREE =
		mvm_format("type=volume,source=p_v,target=/v,readonly,volume-nocopy|type=volume,source=named,target=/n|"
			   "type=volume,target=/anon|type=bind,source=/,target=/z|type=bind,source=%s/c:d,target=/e|"
			   "type=volume,source=p_v,target=/sub,volume-subpath=s|"
			   "type=tmpfs,target=/t,tmpfs-size=1048576,tmpfs-mode=700|type=tmpfs,target=/u",
			   folder);

	put_file("c:d", "");
	assert_wish(&wished, "services:\n  a:\n    image: i\n    volumes:\n      - ./rel:/r:ro\n      - /abs:/x\n"
			     "      - /p:/q:ro,rprivate\n      - v:/v:ro,nocopy\n      - n:/n\n      - /anon\n"
			     "      - {type: bind, source: /, target: /z, bind: {create_host_path: false}}\n"
			     "      - {type: bind, source: './c:d', target: /e}\n"
			     "      - {type: volume, source: v, target: /sub, volume: {subpath: s}}\n"
			     "      - {type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 0700}}\n"
			     "      - {type: tmpfs, target: /u}\n"
			     "volumes: {v: , n: {name: named}}\n");
	assert_list(wished.request->volumes, binds);
	assert_list(wished.request->mounts, mounts);
}

static void mounts_that_cannot_be_are_refused_with_their_place(void **state)
{
	static const struct {
		const char *mount, *message;
	} cases[] = {
		{"{type: volume, target: rel}", "mount path must be absolute"},
		{"{type: npipe, source: /x, target: /x}",
		 "a mount of type \"npipe\" is not possible; use bind, volume"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		char *text MVM_CLEAN_FREE = mvm_format(
			"services:\n  a:\n    image: i\n    volumes:\n      - /fine\n      - %s\n", cases[i].mount);

		check_wish_refused(text, cases[i].message);
		check_wish_refused(text, "compose.yaml:6:9: ");
	}
}

static void secrets_and_configs_are_files(void **state)
{
	struct wished wished CLEAN_WISHED = {0};
	char *mounts MVM_CLEAN_FREE = mvm_format("type=bind,source=%s/s.txt,target=/run/secrets/s,readonly|"
						 "type=bind,source=%s/c.txt,target=/etc/c,readonly",
						 (char *)*state, (char *)*state);
	static const struct {
		const char *target, *data;
		unsigned mode;
	} wanted[] = {{"/run/secrets/e", "from outside", 0444},
		      {"/run/secrets/other", "from outside", 0400},
		      {"/t", "a text\n", 0444}};

	put_file("s.txt", "");
	put_file("c.txt", "");
	setenv("WISHED", "from outside", 1);
	assert_wish(&wished, "services:\n  a:\n    image: i\n    secrets:\n      - s\n      - e\n"
			     "      - {source: e, target: other, mode: 0400}\n"
			     "    configs:\n      - {source: c, target: /etc/c, uid: '5'}\n      - t\n"
			     "secrets: {s: {file: ./s.txt}, e: {environment: WISHED}}\n"
			     "configs: {c: {file: ./c.txt}, t: {content: \"a text\\n\"}}\n");
	assert_list(wished.request->mounts, mounts);
	assert_int_equal(wished.request->file_count, MVM_COUNT(wanted));
	for (size_t i = 0; i < MVM_COUNT(wanted); i++) {
		const struct mvm_file_request *file = &wished.request->files[i];

		assert_string_equal(file->target, wanted[i].target);
		assert_int_equal(file->length, strlen(wanted[i].data));
		assert_memory_equal(file->data, wanted[i].data, file->length);
		assert_int_equal(file->mode, wanted[i].mode);
	}
	assert_string_equal(wished.warnings.data, "compose.yaml:9:9: configs `uid`, `gid` and `mode` are not "
						  "supported, they will be ignored\n");
	unsetenv("WISHED");
	check_wish_refused("services:\n  a:\n    image: i\n    secrets: [e]\nsecrets:\n  e: {environment: WISHED}\n",
			   "compose.yaml:6:6: environment variable \"WISHED\" required by secret \"e\" is not set");
	check_wish_refused("services:\n  a:\n    image: i\n    configs: [x]\nconfigs:\n  x: {external: true}\n",
			   "compose.yaml:4:15: unsupported external config x");
}

static int fill_nothing(const struct mvm_volume *volume, const char *folder, struct mvm_error **err)
{
	return 0;
}

static void add_volume(struct mvm_state *state, const char *name, const char *label)
{
	struct mvm_volume *volume MVM_CLEAN_VOLUME = mvm_alloc(sizeof(*volume));
	struct mvm_error *err = NULL;

	volume->name = mvm_strdup(name);
	volume->driver = mvm_strdup(MVM_VOLUME_SHARED);
	mvm_strv_add(&volume->labels, label);
	assert_ok(mvm_volume_create(state, volume, fill_nothing, &err));
}

static void anonymous_volumes_of_the_one_before_are_taken_over(void **state)
{
	struct wished wished CLEAN_WISHED = {0};
	struct mvm_container before = {0};
	struct mvm_strv *volumes = &before.config.volumes;
	struct mvm_state *home = NULL;
	struct mvm_error *err = NULL;
	int lock MVM_CLEAN_FD = -1;

	setenv("XDG_RUNTIME_DIR", *state, 1);
	assert_ok(mvm_state_open(*state, &home, &err));
	assert_ok(mvm_volume_lock_all(home, 0, &lock, &err));
	for (size_t i = 0; i < 4; i++) {
		char name[] = {'v', (char)('0' + (int)i), '\0'};

		add_volume(home, name, MVM_VOLUME_ANONYMOUS "=");
	}
	add_volume(home, "named", "x=1");
	mvm_strv_add(volumes, "type=volume,source=v0,target=/kept");
	mvm_strv_add(volumes, "type=volume,source=v1,target=/now");
	mvm_strv_add(volumes, "type=volume,source=v2,target=/now-a-folder");
	mvm_strv_add(volumes, "type=volume,source=v3,target=/now-in-memory");
	mvm_strv_add(volumes, "type=volume,source=named,target=/named");
	mvm_strv_add(volumes, "type=volume,source=gone,target=/gone");
	mvm_strv_add(volumes, "type=bind,source=/b,target=/b");
	assert_wish(&wished,
		    "services: {a: {image: i, tmpfs: ['/now-in-memory:size=1m'],\n"
		    " volumes: [/kept, /new, {type: bind, source: /x, target: /now-a-folder}]}}",
		    .inherit = &before, .state = home);
	assert_list(wished.request->mounts, "type=volume,source=v0,target=/kept|type=volume,source=v1,"
					    "target=/now|type=volume,target=/new");
	mvm_strv_finish(volumes);
	mvm_state_close(home);
}

#define REQUEST_TEST(name) cmocka_unit_test_setup_teardown(name, project_setup, project_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		REQUEST_TEST(mounts_are_those_of_the_file),
		REQUEST_TEST(mounts_that_cannot_be_are_refused_with_their_place),
		REQUEST_TEST(secrets_and_configs_are_files),
		REQUEST_TEST(anonymous_volumes_of_the_one_before_are_taken_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
