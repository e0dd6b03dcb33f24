/* The kernels of a home: taken in from files, named, used and removed. */
#include "tests/unit/unit.h"

#include "image/kernel.h"
#include "runtime/base/kernel.h"

#define CPIO "0707010000 an archive\n"

struct fixture {
	char *home, *initramfs;
	struct mvm_store *store;
};

static char *write_file(const struct fixture *fixture, const char *name, const void *data, size_t length)
{
	char *path = mvm_format("%s/%s", fixture->home, name);
	struct mvm_error *err = NULL;

	assert_ok(mvm_replace_file(path, data, length, 0644, &err));
	return path;
}

static char *write_kernel(const struct fixture *fixture, enum mvm_arch arch, const char *version)
{
	char data[1024] = "";

	memcpy(data, "\177ELF\2", 5);
	data[18] = 62;
	if (arch == MVM_ARCH_ARM64)
		memcpy(data + 56, "ARM\x64", 4);
	snprintf(data + 600, sizeof(data) - 600, "Linux version %s (x)", version);
	return write_file(fixture, "kernel", data, sizeof(data));
}

static int setup(void **state)
{
	struct fixture *fixture = mvm_alloc(sizeof(*fixture));

	fixture->home = scratch_create();
	fixture->initramfs = write_file(fixture, "initramfs", CPIO, strlen(CPIO));
	*state = fixture;
	return mvm_kernels_open(fixture->home, &fixture->store, NULL);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	mvm_store_close(fixture->store);
	scratch_remove(fixture->home);
	free(fixture->initramfs);
	free(fixture);
	return 0;
}

/* `name` NULL: none. */
static struct mvm_kernel *add(struct fixture *fixture, enum mvm_arch arch, const char *version, const char *name)
{
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	char *path MVM_CLEAN_FREE = write_kernel(fixture, arch, version);
	struct mvm_kernel *kernel = NULL;
	struct mvm_error *err = NULL;

	if (name)
		assert_ok(mvm_reference_parse(name, &reference, &err));
	assert_ok(mvm_kernels_add(fixture->store, path, fixture->initramfs, name ? &reference : NULL, &kernel, &err));
	return kernel;
}

/* "name:tag arch version*, ..." */
static char *listed(struct fixture *fixture)
{
	struct mvm_kernel_list list MVM_CLEAN_KERNEL_LIST = {0};
	struct mvm_buf text = {0};
	struct mvm_error *err = NULL;

	assert_ok(mvm_kernels_list(fixture->store, &list, &err));
	for (size_t i = 0; i < list.count; i++) {
		const struct mvm_kernel *kernel = list.items[i];
		char *names MVM_CLEAN_FREE = mvm_strv_join(&kernel->names, "+");

		mvm_buf_addf(&text, "%s%s %s %s%s", i ? ", " : "", names, mvm_arch_name(kernel->config.arch),
			     kernel->config.version, kernel->used ? "*" : "");
	}
	mvm_buf_add(&text, "", 1);
	return mvm_buf_steal(&text);
}

static void assert_listed(struct fixture *fixture, const char *expected)
{
	char *text MVM_CLEAN_FREE = listed(fixture);

	assert_string_equal(text, expected);
}

static int count_blobs(const struct fixture *fixture)
{
	char *command MVM_CLEAN_FREE =
		mvm_format("ls %s/kernels/blobs/sha256 %s/kernels/ingest | grep -c .", fixture->home, fixture->home);
	FILE *pipe = popen(command, "r");
	int count = -1;

	assert_non_null(pipe);
	assert_int_equal(fscanf(pipe, "%d", &count), 1);
	pclose(pipe);
	/* The two headings. */
	return count - 2;
}

static void taken_in_and_found(void **state)
{
	struct fixture *fixture = *state;
	struct mvm_kernel *kernel MVM_CLEAN_KERNEL = add(fixture, MVM_ARCH_ARM64, "6.1.1", "k:arm");
	struct mvm_kernel *other MVM_CLEAN_KERNEL = add(fixture, MVM_ARCH_AMD64, "6.1.2", NULL);
	struct mvm_kernel *found = NULL, *again MVM_CLEAN_KERNEL = NULL;
	char *prefix MVM_CLEAN_FREE = mvm_strndup(mvm_digest_hex(&kernel->manifest.digest), 8);
	const char *texts[] = {"k:arm", "docker.io/library/k:arm", prefix, kernel->manifest.digest.text};
	struct mvm_error *err = NULL;

	assert_listed(fixture, " amd64 6.1.2, docker.io/library/k:arm arm64 6.1.1");
	for (size_t i = 0; i < MVM_COUNT(texts); i++) {
		assert_ok(mvm_kernels_find(fixture->store, texts[i], &found, &err));
		assert_string_equal(found->manifest.digest.text, kernel->manifest.digest.text);
		assert_int_equal(access(found->image, R_OK), 0);
		mvm_kernel_destroy(found);
	}
	assert_error(mvm_kernels_find(fixture->store, "k", &found, &err), MVM_ERR_NOT_FOUND, "no such kernel: k; `mvm");
	assert_error(mvm_kernels_find(fixture->store, "", &found, &err), MVM_ERR_NOT_FOUND, "no such kernel");
	assert_error(mvm_kernels_find(fixture->store, "sha256:", &found, &err), MVM_ERR_NOT_FOUND, "no such kernel");
	/* The same files are the same kernel. */
	again = add(fixture, MVM_ARCH_ARM64, "6.1.1", "k:again");
	assert_string_equal(again->manifest.digest.text, kernel->manifest.digest.text);
	/* Two images, one initramfs, two configs and manifests. */
	assert_int_equal(count_blobs(fixture), 7);
}

static void a_name_moves(void **state)
{
	struct fixture *fixture = *state;
	struct mvm_kernel *old MVM_CLEAN_KERNEL = add(fixture, MVM_ARCH_AMD64, "1.0", "k");
	struct mvm_kernel *new MVM_CLEAN_KERNEL = add(fixture, MVM_ARCH_AMD64, "2.0", "k");

	assert_string_not_equal(old->manifest.digest.text, new->manifest.digest.text);
	assert_listed(fixture, " amd64 1.0, docker.io/library/k:latest amd64 2.0");
}

static void what_is_no_kernel_leaves_nothing(void **state)
{
	struct fixture *fixture = *state;
	char *script MVM_CLEAN_FREE = write_file(fixture, "script", "#!/bin/sh\n", 10);
	char *good MVM_CLEAN_FREE = write_kernel(fixture, MVM_ARCH_ARM64, "6.1.1");
	struct mvm_kernel *kernel = NULL;
	struct mvm_error *err = NULL;

	assert_error(mvm_kernels_add(fixture->store, script, fixture->initramfs, NULL, &kernel, &err), MVM_ERR_INVALID,
		     "script is no kernel");
	assert_error(mvm_kernels_add(fixture->store, good, script, NULL, &kernel, &err), MVM_ERR_INVALID,
		     "script is no initramfs");
	assert_error(mvm_kernels_add(fixture->store, good, "/nowhere", NULL, &kernel, &err), MVM_ERR_NOT_FOUND,
		     "cannot read /nowhere");
	assert_error(mvm_kernels_add(fixture->store, "/", good, NULL, &kernel, &err), MVM_ERR_IO, "cannot read /");
	assert_listed(fixture, "");
	assert_int_equal(count_blobs(fixture), 0);
}

static void one_is_used_for_each_architecture(void **state)
{
	struct fixture *fixture = *state;
	struct mvm_kernel *a MVM_CLEAN_KERNEL = add(fixture, MVM_ARCH_AMD64, "1.0", "a");
	struct mvm_kernel *b MVM_CLEAN_KERNEL = add(fixture, MVM_ARCH_AMD64, "2.0", "b");
	struct mvm_kernel *c MVM_CLEAN_KERNEL = add(fixture, MVM_ARCH_ARM64, "3.0", "c");
	struct mvm_kernel *used = NULL;
	struct mvm_error *err = NULL;
	char *path MVM_CLEAN_FREE = NULL;

	assert_int_equal(mvm_kernels_used(fixture->home, MVM_ARCH_AMD64, &used, &err), 1);
	assert_ok(mvm_kernels_use(fixture->store, MVM_ARCH_AMD64, a, &err));
	assert_ok(mvm_kernels_use(fixture->store, MVM_ARCH_ARM64, c, &err));
	assert_ok(mvm_kernels_use(fixture->store, MVM_ARCH_AMD64, b, &err));
	assert_listed(fixture, "docker.io/library/a:latest amd64 1.0, docker.io/library/b:latest amd64 2.0*, "
			       "docker.io/library/c:latest arm64 3.0*");
	assert_ok(mvm_kernels_used(fixture->home, MVM_ARCH_AMD64, &used, &err));
	assert_string_equal(used->config.version, "2.0");
	mvm_kernel_destroy(used);
	assert_ok(mvm_kernels_use(fixture->store, MVM_ARCH_AMD64, NULL, &err));
	assert_int_equal(mvm_kernels_used(fixture->home, MVM_ARCH_AMD64, &used, &err), 1);
	/* What somebody else has written there is as good as nothing, and is replaced. */
	path = write_file(fixture, "kernels/used.json", "[", 1);
	assert_int_equal(mvm_kernels_used(fixture->home, MVM_ARCH_ARM64, &used, &err), 1);
	assert_ok(mvm_kernels_use(fixture->store, MVM_ARCH_AMD64, a, &err));
	assert_ok(mvm_kernels_used(fixture->home, MVM_ARCH_AMD64, &used, &err));
	mvm_kernel_destroy(used);
}

static int refuse(void *arg, const struct mvm_kernel *kernel, struct mvm_error **err)
{
	return *(bool *)arg ? mvm_fail(err, MVM_ERR_CONFLICT, "%s is booted", kernel->config.version) : 0;
}

static int try_remove(struct fixture *fixture, const char *text, bool booted, char **said, struct mvm_error **err)
{
	struct mvm_kernel_removed removed = {0};
	int result = mvm_kernels_remove(fixture->store, text, refuse, &booted, &removed, err);
	char *names MVM_CLEAN_FREE = mvm_strv_join(&removed.untagged, " ");

	if (said)
		*said = mvm_format("%s %s", names, mvm_digest_is_set(&removed.deleted) ? "deleted" : "stays");
	mvm_strv_finish(&removed.untagged);
	return result;
}

static void removed_with_the_last_name(void **state)
{
	struct fixture *fixture = *state;
	struct mvm_kernel *a MVM_CLEAN_KERNEL = add(fixture, MVM_ARCH_AMD64, "1.0", "a");
	struct mvm_kernel *same MVM_CLEAN_KERNEL = add(fixture, MVM_ARCH_AMD64, "1.0", "b");
	struct mvm_kernel *other MVM_CLEAN_KERNEL = add(fixture, MVM_ARCH_ARM64, "1.0", "c");
	char *one MVM_CLEAN_FREE = NULL, *two MVM_CLEAN_FREE = NULL, *three MVM_CLEAN_FREE = NULL;
	struct mvm_error *err = NULL;

	assert_error(try_remove(fixture, "x", false, NULL, &err), MVM_ERR_NOT_FOUND, "no such kernel: x");
	/* A name may go, whoever boots it. */
	assert_ok(try_remove(fixture, "a", true, &one, &err));
	assert_string_equal(one, "docker.io/library/a:latest stays");
	assert_error(try_remove(fixture, "b", true, NULL, &err), MVM_ERR_CONFLICT, "1.0 is booted");
	assert_ok(mvm_kernels_use(fixture->store, MVM_ARCH_AMD64, a, &err));
	assert_error(try_remove(fixture, "b", false, NULL, &err), MVM_ERR_CONFLICT,
		     "unable to remove kernel b:latest: it is the one that amd64 machines boot");
	assert_ok(mvm_kernels_use(fixture->store, MVM_ARCH_AMD64, NULL, &err));
	assert_ok(try_remove(fixture, a->manifest.digest.text, false, &two, &err));
	assert_string_equal(two, "docker.io/library/b:latest deleted");
	assert_listed(fixture, "docker.io/library/c:latest arm64 1.0");
	/* The initramfs is the other's, too. */
	assert_int_equal(count_blobs(fixture), 4);
	assert_error(mvm_kernels_use(fixture->store, MVM_ARCH_AMD64, a, &err), MVM_ERR_NOT_FOUND, "no such kernel");
	assert_ok(try_remove(fixture, "c", false, &three, &err));
	assert_int_equal(count_blobs(fixture), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(taken_in_and_found, setup, teardown),
		cmocka_unit_test_setup_teardown(a_name_moves, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_kernel_leaves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(one_is_used_for_each_architecture, setup, teardown),
		cmocka_unit_test_setup_teardown(removed_with_the_last_name, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
