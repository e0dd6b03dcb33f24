#include "../unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "image/digest.h"
#include "image/disk.h"
#include "tar_maker.h"

#define SIZE (256ULL << 20)

/* A home of its own for each test, and an image of two small layers. */
struct fixture {
	char *home;
	struct mvm_buf tars[2];
	struct mvm_digest diff_ids[2];
	struct mvm_layer layers[2];
	struct mvm_disk_spec spec;
};

static void add_layer(struct fixture *fixture, size_t index, const char *name)
{
	struct mvm_buf *tar = &fixture->tars[index];

	tar_add(tar, '0', name, "content");
	tar_end(tar);
	mvm_digest_of(tar->data, tar->length, &fixture->diff_ids[index]);
	fixture->layers[index] = (struct mvm_layer){.media_type = "application/vnd.oci.image.layer.v1.tar",
						    .digest = name,
						    .size = tar->length,
						    .diff_id = fixture->diff_ids[index].text};
}

static int setup(void **state)
{
	struct fixture *fixture = mvm_alloc(sizeof(*fixture));

	fixture->home = scratch_create();
	add_layer(fixture, 0, "one");
	add_layer(fixture, 1, "two");
	fixture->spec = (struct mvm_disk_spec){.layers = fixture->layers, .layer_count = 2, .size = SIZE};
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	scratch_remove(fixture->home);
	mvm_buf_finish(&fixture->tars[0]);
	mvm_buf_finish(&fixture->tars[1]);
	free(fixture);
	return 0;
}

/* The layer's bytes as a file that has no name. `opened` counts. */
struct opener {
	struct fixture *fixture;
	int opened;
};

static int open_blob(void *arg, const struct mvm_layer *layer, int *fd, struct mvm_error **err)
{
	struct opener *opener = arg;
	const struct mvm_buf *tar = &opener->fixture->tars[layer - opener->fixture->layers];
	char *path MVM_CLEAN_FREE = mvm_format("%s/blob.%ld", opener->fixture->home, (long)getpid());

	opener->opened++;
	*fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	unlink(path);
	if (mvm_write_full(*fd, tar->data, tar->length) < 0)
		return mvm_fail(err, MVM_ERR_IO, "cannot write the blob");
	lseek(*fd, 0, SEEK_SET);
	return 0;
}

/* Names in the disks folder, hidden ones too. */
static size_t count_names(const struct fixture *fixture, const char *prefix)
{
	char *disks MVM_CLEAN_FREE = mvm_format("%s/disks", fixture->home);
	DIR *folder = opendir(disks);
	struct dirent *entry;
	size_t count = 0;

	while (folder && (entry = readdir(folder)))
		count += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") &&
			 !strncmp(entry->d_name, prefix, strlen(prefix));
	if (folder)
		closedir(folder);
	return count;
}

static void test_key(void **state)
{
	struct fixture *fixture = *state;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	/* ChainID of two layers, by hand. */
	char *text MVM_CLEAN_FREE = mvm_format("%s %s", fixture->diff_ids[0].text, fixture->diff_ids[1].text);
	char *sized MVM_CLEAN_FREE = NULL, *plain MVM_CLEAN_FREE = NULL, *single MVM_CLEAN_FREE = NULL;
	char *expected MVM_CLEAN_FREE = NULL;
	struct mvm_digest chain;

	mvm_digest_of(text, strlen(text), &chain);
	assert_ok(mvm_disk_key(&fixture->spec, &sized, &err));
	fixture->spec.size = 0;
	assert_ok(mvm_disk_key(&fixture->spec, &plain, &err));
	fixture->spec.layer_count = 1;
	assert_ok(mvm_disk_key(&fixture->spec, &single, &err));
	expected = mvm_format("%s-1", mvm_digest_hex(&chain));
	assert_string_equal(plain, expected);
	assert_memory_equal(sized, plain, strlen(plain));
	assert_string_equal(sized + strlen(plain), "-268435456");
	assert_memory_equal(single, mvm_digest_hex(&fixture->diff_ids[0]), 64);
}

static void test_bad_specs(void **state)
{
	struct fixture *fixture = *state;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *key;

	fixture->spec.size = 4096;
	assert_error(mvm_disk_key(&fixture->spec, &key, &err), MVM_ERR_INVALID, "4096 bytes is not possible");
	fixture->spec.size = SIZE;
	fixture->layers[1].diff_id = "sha256:../../escape";
	assert_error(mvm_disk_key(&fixture->spec, &key, &err), MVM_ERR_INVALID, "");
}

static void test_ensure(void **state)
{
	struct fixture *fixture = *state;
	uint64_t sizes[2];
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct opener opener = {.fixture = fixture};
	char *path MVM_CLEAN_FREE = NULL, *again MVM_CLEAN_FREE = NULL, *found MVM_CLEAN_FREE = NULL;
	struct stat st;

	assert_int_equal(mvm_disk_find(fixture->home, &fixture->spec, &found, &err), 1);
	assert_int_equal(mvm_disk_layer_sizes(fixture->home, &fixture->spec, sizes, &err), 1);
	assert_ok(mvm_disk_ensure(fixture->home, &fixture->spec, open_blob, &opener, &path, &err));
	assert_int_equal(opener.opened, 2);
	assert_ok(mvm_disk_ensure(fixture->home, &fixture->spec, open_blob, &opener, &again, &err));
	assert_int_equal(opener.opened, 2);
	assert_ok(mvm_disk_find(fixture->home, &fixture->spec, &found, &err));
	assert_ok(mvm_disk_layer_sizes(fixture->home, &fixture->spec, sizes, &err));
	assert_true(sizes[0] == strlen("content") && sizes[1] == strlen("content"));
	assert_string_equal(path, again);
	assert_string_equal(path, found);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0444);
	assert_int_equal(st.st_size, SIZE);
	assert_int_equal(count_names(fixture, ""), 1);
}

/* One that fails leaves nothing, and the next attempt is not in its way. */
static void test_failure_leaves_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct opener opener = {.fixture = fixture};
	char *path MVM_CLEAN_FREE = NULL;

	fixture->tars[1].data[600] ^= 1;
	assert_error(mvm_disk_ensure(fixture->home, &fixture->spec, open_blob, &opener, &path, &err), MVM_ERR_CORRUPT,
		     "layer 2 of 2 (two): ");
	assert_int_equal(count_names(fixture, ""), 0);
	fixture->tars[1].data[600] ^= 1;
	assert_ok(mvm_disk_ensure(fixture->home, &fixture->spec, open_blob, &opener, &path, &err));
}

static void test_unfinished_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_disk_builder *builder = NULL;
	char *path = NULL;

	assert_ok(mvm_disk_builder_create(fixture->home, &fixture->spec, true, &builder, &path, &err));
	assert_null(path);
	assert_error(mvm_disk_builder_finish(builder, &path, &err), MVM_ERR_INTERNAL, "2 layers was finished after 0");
	mvm_disk_builder_destroy(builder);
	assert_int_equal(count_names(fixture, ""), 0);
}

/* Several processes want the same disk at once: one builds, all get it. */
static void test_built_once(void **state)
{
	enum { PROCESSES = 6 };
	struct fixture *fixture = *state;
	pid_t pids[PROCESSES];
	int built = 0, start[2];
	char byte;

	assert_int_equal(mvm_pipe(start), 0);
	for (int i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			struct opener opener = {.fixture = fixture};
			char *path = NULL;

			close(start[1]);
			if (read(start[0], &byte, 1) != 0 ||
			    mvm_disk_ensure(fixture->home, &fixture->spec, open_blob, &opener, &path, NULL) < 0)
				_exit(100);
			_exit(opener.opened);
		}
	}
	close(start[0]);
	close(start[1]); /* off they go */
	for (int i = 0; i < PROCESSES; i++) {
		int opened = wait_for_exit(pids[i]);

		assert_true(opened == 0 || opened == 2);
		built += opened == 2;
	}
	assert_int_equal(built, 1);
	assert_int_equal(count_names(fixture, ""), 1);
}

/* A child that builds and says so, then waits to be killed. */
static pid_t start_build(struct fixture *fixture, bool first_layer)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(mvm_pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		struct opener opener = {.fixture = fixture};
		struct mvm_disk_builder *builder = NULL;
		char *path = NULL;
		int fd = -1;

		if (mvm_disk_builder_create(fixture->home, &fixture->spec, true, &builder, &path, NULL) != 0)
			_exit(1);
		if (first_layer && (open_blob(&opener, &fixture->layers[0], &fd, NULL) < 0 ||
				    mvm_disk_builder_add_layer(builder, mvm_source_from_fd(&fd), NULL) < 0))
			_exit(1);
		if (write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void end_build(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void test_killed_build(void **state)
{
	struct fixture *fixture = *state;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct opener opener = {.fixture = fixture};
	char *path MVM_CLEAN_FREE = NULL;
	pid_t pid = start_build(fixture, true);

	assert_ok(mvm_disk_collect(fixture->home, &err)); /* it is at work: not to be touched */
	assert_int_equal(count_names(fixture, ".build-"), 2);
	end_build(pid);
	assert_int_equal(mvm_disk_find(fixture->home, &fixture->spec, &path, &err), 1);
	assert_ok(mvm_disk_collect(fixture->home, &err));
	assert_int_equal(count_names(fixture, ""), 0);

	end_build(start_build(fixture, true)); /* and without a collection */
	assert_ok(mvm_disk_ensure(fixture->home, &fixture->spec, open_blob, &opener, &path, &err));
	assert_int_equal(count_names(fixture, ""), 1);
}

static void test_list_and_remove(void **state)
{
	struct fixture *fixture = *state;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct opener opener = {.fixture = fixture};
	char *path MVM_CLEAN_FREE = NULL, *key MVM_CLEAN_FREE = NULL, *leftover MVM_CLEAN_FREE = NULL;
	struct mvm_strv keys MVM_CLEAN_STRV = {0};

	assert_ok(mvm_disk_list(fixture->home, &keys, &err)); /* no folder yet */
	assert_ok(mvm_disk_collect(fixture->home, &err));
	assert_int_equal(keys.count, 0);
	assert_ok(mvm_disk_ensure(fixture->home, &fixture->spec, open_blob, &opener, &path, &err));
	leftover = mvm_format("%s/disks/.remove-x-1/inside", fixture->home);
	assert_ok(mvm_make_folders(leftover, &err));
	assert_ok(mvm_disk_list(fixture->home, &keys, &err));
	assert_ok(mvm_disk_key(&fixture->spec, &key, &err));
	assert_int_equal(keys.count, 1);
	assert_string_equal(keys.items[0], key);
	assert_ok(mvm_disk_remove(fixture->home, key, &err));
	assert_ok(mvm_disk_remove(fixture->home, key, &err));
	assert_error(mvm_disk_remove(fixture->home, "../images", &err), MVM_ERR_INTERNAL, "not the key");
	assert_int_equal(count_names(fixture, ""), 1);
	assert_ok(mvm_disk_collect(fixture->home, &err));
	assert_int_equal(count_names(fixture, ""), 0);
}

static void test_no_layers(void **state)
{
	struct fixture *fixture = *state;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *path MVM_CLEAN_FREE = NULL;

	fixture->spec.layer_count = 0;
	assert_ok(mvm_disk_ensure(fixture->home, &fixture->spec, open_blob, NULL, &path, &err));
	assert_int_equal(access(path, R_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_key, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_specs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ensure, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failure_leaves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unfinished_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_built_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed_build, setup, teardown),
		cmocka_unit_test_setup_teardown(test_list_and_remove, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_layers, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
