/* Which kernel a container gets and keeps, and what may be removed. mvm has none of its own beside a test program. */
#include "image.h"

#include "image/kernel.h"

#define CPIO "0707010000 an archive\n"

static char *put_file(struct world *world, const char *name, const void *data, size_t length)
{
	char *path = mvm_format("%s/%s", world->home, name);
	struct mvm_error *err = NULL;

	assert_ok(mvm_replace_file(path, data, length, 0644, &err));
	return path;
}

/* For the host's processor. */
static char *put_kernel(struct world *world, const char *name, const char *version)
{
	char data[1024] = "\177ELF\2";

	data[18] = 62;
	if (MVM_ARCH_OWN == MVM_ARCH_ARM64)
		memcpy(data + 56, "ARM\x64", 4);
	snprintf(data + 600, sizeof(data) - 600, "Linux version %s (x)", version);
	return put_file(world, name, data, sizeof(data));
}

/* Takes it in under a name of its own. */
static struct mvm_kernel *add(struct world *world, const char *name)
{
	char *initramfs MVM_CLEAN_FREE = put_file(world, "initramfs", CPIO, strlen(CPIO));
	char *version MVM_CLEAN_FREE = mvm_format("6.1-%s", name);
	char *image MVM_CLEAN_FREE = put_kernel(world, "file", version);
	struct mvm_kernel_source source = {.kernel = image, .initramfs = initramfs};
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	struct mvm_kernel *kernel = NULL;
	struct mvm_error *err = NULL;

	assert_ok(mvm_reference_parse(name, &reference, &err));
	assert_ok(mvm_engine_add_kernel(world->engine, &source, &reference, &kernel, &err));
	return kernel;
}

static void use(struct world *world, const struct mvm_kernel *kernel)
{
	struct mvm_error *err = NULL;
	struct mvm_store *store;

	assert_ok(mvm_engine_kernels(world->engine, &store, &err));
	assert_ok(mvm_kernels_use(store, MVM_ARCH_OWN, kernel, &err));
}

static struct mvm_container *create(struct world *world, const char *kernel)
{
	struct mvm_create_request request = {.image = {.reference = "bare", .pull = MVM_PULL_NEVER}, .kernel = kernel};
	struct mvm_container *made MVM_CLEAN_CONTAINER = NULL;
	struct mvm_error *err = NULL;
	int lock MVM_CLEAN_FD = -1;

	put_image(world, "bare", "\"Cmd\":[\"sh\"]");
	assert_ok(mvm_engine_create(world->engine, &request, &made, &lock, &err));
	return world_load(world, made->config.id);
}

static int try_remove(struct world *world, const char *text, struct mvm_error **err)
{
	struct mvm_kernel_removed removed = {0};
	int result = mvm_engine_remove_kernel(world->engine, text, &removed, err);

	mvm_strv_finish(&removed.untagged);
	return result;
}

static void the_one_that_is_used_or_asked_for(void **state)
{
	struct world *world = *state;
	struct mvm_container *bare MVM_CLEAN_CONTAINER = create(world, NULL), *before MVM_CLEAN_CONTAINER = NULL,
				   *after MVM_CLEAN_CONTAINER = NULL, *arch MVM_CLEAN_CONTAINER = NULL,
				   *named MVM_CLEAN_CONTAINER = NULL, *file MVM_CLEAN_CONTAINER = NULL,
				   *nowhere MVM_CLEAN_CONTAINER = NULL;
	char *folder MVM_CLEAN_FREE = mvm_format("%s/kernels", world->home), *path MVM_CLEAN_FREE = NULL;
	struct mvm_kernel *a MVM_CLEAN_KERNEL = NULL, *b MVM_CLEAN_KERNEL = NULL;

	/* A home without kernels stays one. */
	assert_null(bare->config.kernel);
	assert_int_equal(access(folder, F_OK), -1);
	a = add(world, "a");
	b = add(world, "b");
	before = create(world, NULL);
	assert_null(before->config.kernel);
	use(world, a);
	after = create(world, NULL);
	assert_string_equal(after->config.kernel, a->image);
	assert_string_equal(after->config.initramfs, a->initramfs);
	arch = create(world, mvm_arch_name(MVM_ARCH_OWN));
	assert_string_equal(arch->config.kernel, a->image);
	named = create(world, "b");
	assert_string_equal(named->config.kernel, b->image);
	path = put_kernel(world, "mine", "1.0");
	file = create(world, path);
	assert_string_equal(file->config.kernel, path);
	assert_string_equal(file->config.initramfs, a->initramfs);
	nowhere = create(world, "/nowhere/vmlinux");
	assert_string_equal(nowhere->config.kernel, "/nowhere/vmlinux");
}

static void one_that_is_booted_stays(void **state)
{
	struct world *world = *state;
	struct mvm_kernel *a MVM_CLEAN_KERNEL = add(world, "a"), *b MVM_CLEAN_KERNEL = add(world, "b");
	char *path MVM_CLEAN_FREE = put_kernel(world, "mine", "1.0");
	struct mvm_container *on_a MVM_CLEAN_CONTAINER = create(world, "a"), *on_file MVM_CLEAN_CONTAINER = NULL;
	struct mvm_error *err = NULL;

	use(world, b);
	on_file = create(world, path);
	use(world, NULL);
	assert_error(try_remove(world, "a", &err), MVM_ERR_CONFLICT, "unable to remove kernel a:latest: container ");
	/* Its initramfs goes with a file of the user's. */
	assert_error(try_remove(world, "b", &err), MVM_ERR_CONFLICT, "unable to remove kernel b:latest: container ");
	assert_ok(mvm_engine_remove(world->engine, on_file->config.id, false, false, &err));
	/* That container a boots the same initramfs is no matter. */
	assert_ok(try_remove(world, "b", &err));
	assert_int_equal(access(a->image, F_OK), 0);
	assert_int_equal(access(a->initramfs, F_OK), 0);
	assert_int_equal(access(b->image, F_OK), -1);
	assert_ok(mvm_engine_remove(world->engine, on_a->config.id, false, false, &err));
	assert_ok(try_remove(world, "a", &err));
	assert_int_equal(access(a->initramfs, F_OK), -1);
}

static void the_first_one_is_used_where_there_is_none(void **state)
{
	struct world *world = *state;
	struct mvm_kernel *a MVM_CLEAN_KERNEL = add(world, "a"), *b MVM_CLEAN_KERNEL = add(world, "b");
	struct mvm_kernel *used MVM_CLEAN_KERNEL = NULL;
	char *initramfs MVM_CLEAN_FREE = NULL;
	struct mvm_error *err = NULL;

	assert_error(mvm_engine_boot_file(world->home, MVM_ARCH_OWN, MVM_BOOT_INITRAMFS, &initramfs, &err),
		     MVM_ERR_NOT_FOUND, "`mvm kernel pull NAME`");
	assert_ok(mvm_engine_adopt_kernel(world->engine, a, &err));
	assert_int_equal(mvm_engine_adopt_kernel(world->engine, b, &err), 1);
	assert_ok(mvm_kernels_used(world->home, MVM_ARCH_OWN, &used, &err));
	assert_string_equal(used->image, a->image);
	assert_ok(mvm_engine_boot_file(world->home, MVM_ARCH_OWN, MVM_BOOT_INITRAMFS, &initramfs, &err));
	assert_string_equal(initramfs, a->initramfs);
}

static void what_gets_a_name(void **state)
{
	struct world *world = *state;
	struct mvm_kernel *a MVM_CLEAN_KERNEL = add(world, "a"), *again MVM_CLEAN_KERNEL = NULL, *none = NULL;
	const char *own = mvm_arch_name(MVM_ARCH_OWN);
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	struct mvm_error *err = NULL;

	assert_ok(mvm_reference_parse("other", &reference, &err));
	assert_error(mvm_engine_add_kernel(world->engine, &(struct mvm_kernel_source){.kernel = own}, &reference, &none,
					   &err),
		     MVM_ERR_NOT_FOUND, "there is no kernel for ");
	assert_error(mvm_engine_add_kernel(world->engine, &(struct mvm_kernel_source){.kernel = "nope"}, &reference,
					   &none, &err),
		     MVM_ERR_NOT_FOUND, "no such kernel: nope");
	assert_ok(mvm_engine_add_kernel(world->engine, &(struct mvm_kernel_source){.kernel = "a"}, &reference, &again,
					&err));
	assert_string_equal(again->manifest.digest.text, a->manifest.digest.text);
	assert_int_equal(again->names.count, 2);
	mvm_kernel_destroy(again);
	again = NULL;
	use(world, a);
	assert_ok(mvm_engine_add_kernel(world->engine, &(struct mvm_kernel_source){.kernel = own}, &reference, &again,
					&err));
	assert_string_equal(again->manifest.digest.text, a->manifest.digest.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(the_one_that_is_used_or_asked_for),
		WORLD_TEST(one_that_is_booted_stays),
		WORLD_TEST(the_first_one_is_used_where_there_is_none),
		WORLD_TEST(what_gets_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
