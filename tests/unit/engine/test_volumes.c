/* Which volumes and binds a container that is being made comes to, and what is left where it is not. */
#include "image.h"

#include <sys/un.h>

#include "share/mount.h"

#define FROM(name) .image = {.reference = (name), .pull = MVM_PULL_NEVER}

static struct mvm_strv list(const char *text)
{
	char *copy MVM_CLEAN_FREE = mvm_strdup(text ? text : ""), *rest = copy, *word;
	struct mvm_strv words = {0};

	while ((word = strsep(&rest, " ")))
		if (*word)
			mvm_strv_add(&words, word);
	return words;
}

/* Asks for it with these -v and --volumes-from. */
static int try_create(struct world *world, struct mvm_create_request request, const char *volumes, const char *from,
		      struct mvm_container **made, struct mvm_error **err)
{
	struct mvm_strv all MVM_CLEAN_STRV = list(volumes), lenders MVM_CLEAN_STRV = list(from);
	int lock MVM_CLEAN_FD = -1;

	request.volumes = &all;
	request.volumes_from = &lenders;
	return mvm_engine_create(world->engine, &request, made, &lock, err);
}

static struct mvm_container *create(struct world *world, struct mvm_create_request request, const char *volumes,
				    const char *from)
{
	struct mvm_container *made MVM_CLEAN_CONTAINER = NULL;
	struct mvm_error *err = NULL;

	assert_ok(try_create(world, request, volumes, from, &made, &err));
	return world_load(world, made->config.id);
}

/* What is mounted: "source:target[:ro]" in their order, "-" for the name of an anonymous volume. */
static char *mounted(const struct mvm_container *container)
{
	const struct mvm_container_config *config = &container->config;
	struct mvm_mounts mounts MVM_CLEAN_MOUNTS = {0};
	struct mvm_error *err = NULL;
	struct mvm_buf text = {0};

	assert_ok(mvm_mounts_resolve(&config->binds, &config->mounts, &config->volumes, &mounts, &err));
	for (size_t i = 0; i < mounts.count; i++) {
		const struct mvm_mount *mount = &mounts.items[i];
		bool anonymous = mount->type == MVM_MOUNT_VOLUME && strlen(mount->source) == 64;

		mvm_buf_addf(&text, "%s%s:%s%s", i ? " " : "", anonymous ? "-" : mount->source, mount->target,
			     mount->read_only ? ":ro" : "");
	}
	mvm_buf_addf(&text, "%s", "");
	return mvm_buf_steal(&text);
}

static void expect_mounted(const struct mvm_container *container, const char *expected)
{
	char *text MVM_CLEAN_FREE = mounted(container);

	assert_string_equal(text, expected);
}

static size_t count_volumes(struct world *world)
{
	struct mvm_volume **volumes;
	struct mvm_error *err = NULL;
	size_t count;

	assert_ok(mvm_volume_list(mvm_engine_state(world->engine), &volumes, &count, &err));
	mvm_volume_list_free(volumes, count);
	return count;
}

static void what_the_image_declares_is_made_unless_something_is_there(void **state)
{
	static const struct {
		const char *volumes, *expected;
		size_t anonymous;
	} cases[] = {
		{NULL, "-:/a -:/b/c", 2},
		{"name:/a", "name:/a -:/b/c", 1},
		{"name:/a/ other:/b/c:ro", "name:/a other:/b/c:ro", 0},
		{"/x name:/y", "-:/a -:/x name:/y -:/b/c", 3},
		{"name:/a name:/y", "name:/a name:/y -:/b/c", 1},
	};
	struct world *world = *state;

	put_image(world, "declares", "\"Cmd\":[\"sh\"],\"Volumes\":{\"/a\":{},\"/b/c/\":{}}");
	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct mvm_container *made MVM_CLEAN_CONTAINER =
			create(world, (struct mvm_create_request){FROM("declares")}, cases[i].volumes, NULL);

		expect_mounted(made, cases[i].expected);
		assert_int_equal(made->config.anonymous_volumes.count, cases[i].anonymous);
	}
}

/* A tmpfs covers it, too. */
static void a_tmpfs_takes_the_place_of_the_images_volume(void **state)
{
	struct mvm_strv tmpfs MVM_CLEAN_STRV = list("/a:size=1m");
	struct mvm_container *made MVM_CLEAN_CONTAINER = NULL;
	struct world *world = *state;

	put_image(world, "declares", "\"Cmd\":[\"sh\"],\"Volumes\":{\"/a\":{}}");
	made = create(world, (struct mvm_create_request){FROM("declares"), .tmpfs = &tmpfs}, NULL, NULL);
	expect_mounted(made, "");
	assert_int_equal(count_volumes(world), 0);
}

static void others_lend_what_they_mount(void **state)
{
	struct world *world = *state;
	struct mvm_container *first MVM_CLEAN_CONTAINER = NULL, *second MVM_CLEAN_CONTAINER = NULL,
				    *third MVM_CLEAN_CONTAINER = NULL;
	char *volumes MVM_CLEAN_FREE = mvm_format("/x name:/y:ro %s:/z", "/usr");
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	put_image(world, "plain", "\"Cmd\":[\"sh\"]");
	first = create(world, (struct mvm_create_request){FROM("plain"), .name = "first"}, volumes, NULL);
	expect_mounted(first, "-:/x name:/y:ro /usr:/z");
	second = create(world, (struct mvm_create_request){FROM("plain"), .name = "second"}, "own:/x", "first:ro");
	expect_mounted(second, "own:/x name:/y:ro /usr:/z:ro");
	/* What was lent is lent on, and an anonymous one stays such. */
	third = create(world, (struct mvm_create_request){FROM("plain")}, NULL, "first second");
	expect_mounted(third, "-:/x name:/y:ro /usr:/z");
	assert_string_equal(third->config.anonymous_volumes.items[0], first->config.anonymous_volumes.items[0]);
	assert_ok(mvm_engine_remove(world->engine, "first", false, true, &err));
	assert_int_equal(count_volumes(world), 3);
	assert_ok(mvm_engine_remove(world->engine, third->config.id, false, true, &err));
	assert_int_equal(count_volumes(world), 2);
}

static void bind_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd MVM_CLEAN_FD = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_true(strlen(path) < sizeof(address.sun_path));
	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

/* It stays a socket though its program has gone, and counts as one. */
static void a_socket_is_lent_as_a_socket(void **state)
{
	struct world *world = *state;
	struct mvm_container *first MVM_CLEAN_CONTAINER = NULL, *second MVM_CLEAN_CONTAINER = NULL, *none = NULL;
	char *path MVM_CLEAN_FREE = NULL, *volumes MVM_CLEAN_FREE = NULL;
	char *folder = scratch_create();
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_buf many MVM_CLEAN_BUF = {0};

	path = mvm_format("%s/s", folder);
	volumes = mvm_format("%s:/s", path);
	put_image(world, "plain", "\"Cmd\":[\"sh\"]");
	bind_socket(path);
	first = create(world, (struct mvm_create_request){FROM("plain"), .name = "first"}, volumes, NULL);
	assert_int_equal(first->config.host_sockets.count, 1);
	for (int i = 0; i < 64; i++)
		mvm_buf_addf(&many, "%s%s:/s%d", i ? " " : "", path, i);
	assert_error(try_create(world, (struct mvm_create_request){FROM("plain")}, many.data, "first", &none, &err),
		     MVM_ERR_USAGE, "more than 64 sockets");
	scratch_remove(folder);
	second = create(world, (struct mvm_create_request){FROM("plain")}, NULL, "first");
	assert_int_equal(second->config.host_sockets.count, 1);
	assert_string_equal(second->config.host_sockets.items[0], "/s");
}

/* Docker keeps a volume with a name, too. */
static void a_container_that_is_not_made_leaves_no_anonymous_volumes(void **state)
{
	struct world *world = *state;
	struct mvm_container *first MVM_CLEAN_CONTAINER = NULL, *none = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	put_image(world, "plain", "\"Cmd\":[\"sh\"]");
	first = create(world, (struct mvm_create_request){FROM("plain"), .name = "web"}, NULL, NULL);
	assert_error(try_create(world, (struct mvm_create_request){FROM("plain"), .name = "web"}, "/x name:/y", NULL,
				&none, &err),
		     MVM_ERR_EXISTS, "\"/web\" is already in use");
	assert_int_equal(count_volumes(world), 1);
}

/* Who finds that it was killed removes its volumes, and that must not wait for the lock that it holds itself. */
static void the_name_of_one_that_crashed_is_free(void **state)
{
	struct world *world = *state;
	struct mvm_container *first MVM_CLEAN_CONTAINER = NULL, *second MVM_CLEAN_CONTAINER = NULL;
	struct mvm_create_request request = {FROM("plain"), .name = "web", .auto_remove = true};

	put_image(world, "plain", "\"Cmd\":[\"sh\"]");
	first = create(world, request, "/x /y", NULL);
	world_set_status(world, first->config.id, MVM_STATUS_RUNNING, 0);
	alarm(20);
	second = create(world, request, "/z", NULL);
	alarm(0);
	expect_mounted(second, "-:/z");
	assert_int_equal(count_volumes(world), 1);
}

static void drivers(void **state)
{
	struct world *world = *state;
	struct mvm_container *made MVM_CLEAN_CONTAINER = NULL, *none = NULL;
	struct mvm_volume *volume MVM_CLEAN_VOLUME = NULL;
	struct mvm_strv mounts MVM_CLEAN_STRV = {0};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_create_request request = {FROM("plain"), .mounts = &mounts, .volume_driver = "shared"};

	put_image(world, "plain", "\"Cmd\":[\"sh\"]");
	mvm_strv_add(&mounts, "type=volume,src=disk,dst=/d,volume-driver=local,volume-opt=size=1g,volume-label=a=b");
	made = create(world, request, "shared:/s", NULL);
	assert_ok(mvm_volume_load(mvm_engine_state(world->engine), "disk", &volume, &err));
	assert_string_equal(volume->driver, "disk");
	assert_string_equal(volume->labels.items[0], "a=b");
	mvm_volume_free(volume);
	volume = NULL;
	assert_ok(mvm_volume_load(mvm_engine_state(world->engine), "shared", &volume, &err));
	assert_string_equal(volume->driver, "shared");
	request.volume_driver = "nfs";
	assert_error(try_create(world, request, "new:/s", NULL, &none, &err), MVM_ERR_UNSUPPORTED, "nfs");
	assert_int_equal(count_volumes(world), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(what_the_image_declares_is_made_unless_something_is_there),
		WORLD_TEST(a_tmpfs_takes_the_place_of_the_images_volume),
		WORLD_TEST(others_lend_what_they_mount),
		WORLD_TEST(a_socket_is_lent_as_a_socket),
		WORLD_TEST(a_container_that_is_not_made_leaves_no_anonymous_volumes),
		WORLD_TEST(the_name_of_one_that_crashed_is_free),
		WORLD_TEST(drivers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
