#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/store.h"
#include "image/store_internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"

struct fixture {
	char *home;
	struct mvm_store *store;
};

static int setup(void **state)
{
	struct fixture *fixture = mvm_alloc(sizeof(*fixture));

	fixture->home = mvm_strdup("/tmp/mvm-store-XXXXXX");
	assert_non_null(mkdtemp(fixture->home));
	assert_int_equal(mvm_store_open(fixture->home, &fixture->store, NULL), 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	mvm_store_close(fixture->store);
	assert_int_equal(mvm_remove_tree(fixture->home, NULL), 0);
	free(fixture->home);
	free(fixture);
	return 0;
}

static bool exists(const struct fixture *fixture, const char *relative)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/images/%s", fixture->home, relative);

	return access(path, F_OK) == 0;
}

static bool has_blob(const struct fixture *fixture, const struct mvm_descriptor *blob)
{
	return mvm_store_has_blob(fixture->store, blob);
}

static struct mvm_descriptor put_blob(struct fixture *fixture, const char *data)
{
	struct mvm_descriptor blob = {.size = strlen(data)};

	mvm_digest_of(data, strlen(data), &blob.digest);
	assert_int_equal(mvm_store_write_blob(fixture->store, &blob, data, strlen(data), NULL), 0);
	return blob;
}

/* A whole image of one layer; both `id` and `layer` are bytes that tell it from others. */
struct made {
	struct mvm_descriptor layer, config, manifest;
};

static struct made put_image(struct fixture *fixture, const char *id, const char *layer, const char *name,
			     const char *source)
{
	struct made made = {.layer = put_blob(fixture, layer)};
	char *config MVM_CLEAN_FREE =
		mvm_format("{\"id\":\"%s\",\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{"
			   "\"diff_ids\":[\"%s\"]}}",
			   id, made.layer.digest.text);
	char *manifest MVM_CLEAN_FREE = NULL;
	struct mvm_platform platform;

	made.config = put_blob(fixture, config);
	manifest = mvm_format(
		"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\","
		"\"digest\":\"%s\",\"size\":%llu},\"layers\":[{\"mediaType\":"
		"\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"%s\",\"size\":%llu}]}",
		made.config.digest.text, (unsigned long long)made.config.size, made.layer.digest.text,
		(unsigned long long)made.layer.size);
	made.manifest = put_blob(fixture, manifest);
	made.manifest.media_type = (char *)"application/vnd.oci.image.manifest.v1+json";
	mvm_platform_default(&platform);
	assert_int_equal(mvm_store_put(fixture->store, &made.manifest, &platform, name, source, NULL), 0);
	return made;
}

static size_t count_images(const struct fixture *fixture)
{
	struct mvm_image_list list MVM_CLEAN_IMAGE_LIST = {0};

	assert_int_equal(mvm_store_list(fixture->store, &list, NULL), 0);
	return list.count;
}

static enum mvm_error_code find_code(const struct fixture *fixture, const char *text)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;

	assert_int_equal(mvm_store_find(fixture->store, text, &image, &err), -1);
	return mvm_error_code(err);
}

static void assert_finds(const struct fixture *fixture, const char *text, const struct made *made)
{
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;

	assert_int_equal(mvm_store_find(fixture->store, text, &image, NULL), 0);
	assert_string_equal(mvm_image_id(image)->text, made->config.digest.text);
}

static void makes_a_layout(void **state)
{
	struct fixture *fixture = *state;
	struct mvm_store *again MVM_CLEAN_STORE = NULL;

	assert_true(exists(fixture, "oci-layout"));
	assert_true(exists(fixture, "index.json"));
	assert_true(exists(fixture, "blobs/sha256"));
	assert_int_equal(mvm_store_open(fixture->home, &again, NULL), 0);
	assert_int_equal(count_images(fixture), 0);
}

static void finds_by_name_and_id(void **state)
{
	struct fixture *fixture = *state;
	struct made one = put_image(fixture, "one", "layer", "docker.io/library/one:latest", NULL);
	char *prefix MVM_CLEAN_FREE = mvm_strndup(mvm_digest_hex(&one.config.digest), 12);

	assert_finds(fixture, "one", &one);
	assert_finds(fixture, "docker.io/library/one:latest", &one);
	assert_finds(fixture, prefix, &one);
	assert_finds(fixture, one.config.digest.text, &one);
	assert_finds(fixture, mvm_digest_hex(&one.config.digest), &one);
	assert_int_equal(find_code(fixture, "two"), MVM_ERR_NOT_FOUND);
	assert_int_equal(find_code(fixture, "one:v2"), MVM_ERR_NOT_FOUND);
	assert_int_equal(find_code(fixture, "sha256:"), MVM_ERR_NOT_FOUND);
	assert_int_equal(find_code(fixture, "Not A Name"), MVM_ERR_NOT_FOUND);
	assert_int_equal(find_code(fixture, ""), MVM_ERR_NOT_FOUND);
}

static void prefix_of_several_is_refused(void **state)
{
	struct fixture *fixture = *state;
	char shared[2] = "";

	/* With more images than hex digits, two IDs begin with the same. */
	for (int i = 0; i < 17; i++) {
		char *name MVM_CLEAN_FREE = mvm_format("docker.io/library/i%d:latest", i);
		struct made made = put_image(fixture, name, "layer", name, NULL);
		static bool seen[128];

		if (seen[(unsigned char)*mvm_digest_hex(&made.config.digest)])
			shared[0] = *mvm_digest_hex(&made.config.digest);
		seen[(unsigned char)*mvm_digest_hex(&made.config.digest)] = true;
	}
	assert_true(*shared);
	assert_int_equal(find_code(fixture, shared), MVM_ERR_CONFLICT);
}

static void finds_by_repository_digest(void **state)
{
	struct fixture *fixture = *state;
	const char *source = "docker.io/library/one@sha256:"
			     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	struct made one = put_image(fixture, "one", "layer", "docker.io/library/one:latest", source);
	char *manifest MVM_CLEAN_FREE = mvm_format("one@%s", one.manifest.digest.text);
	char *other MVM_CLEAN_FREE = mvm_format("two@%s", one.manifest.digest.text);

	assert_finds(fixture, source, &one);
	assert_finds(fixture, manifest, &one);
	assert_int_equal(find_code(fixture, other), MVM_ERR_NOT_FOUND);
}

static void name_moves(void **state)
{
	struct fixture *fixture = *state;
	struct made one = put_image(fixture, "one", "layer", "docker.io/library/x:latest", NULL);
	struct made two = put_image(fixture, "two", "layer", "docker.io/library/x:latest", NULL);

	assert_finds(fixture, "x", &two);
	assert_finds(fixture, one.config.digest.text, &one);
	assert_int_equal(count_images(fixture), 2);
	/* And back: the one without a name takes it up again. */
	put_image(fixture, "one", "layer", "docker.io/library/x:latest", NULL);
	assert_finds(fixture, "x", &one);
	assert_int_equal(count_images(fixture), 2);
}

static void tags(void **state)
{
	struct fixture *fixture = *state;
	struct made one = put_image(fixture, "one", "layer", "docker.io/library/one:latest", NULL);
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;
	struct mvm_image *tagged MVM_CLEAN_IMAGE = NULL;

	assert_int_equal(mvm_store_find(fixture->store, "one", &image, NULL), 0);
	assert_int_equal(mvm_reference_parse("mine:v1", &reference, NULL), 0);
	assert_int_equal(mvm_store_tag(fixture->store, image, &reference, NULL), 0);
	assert_finds(fixture, "mine:v1", &one);
	assert_int_equal(mvm_store_find(fixture->store, "one", &tagged, NULL), 0);
	assert_int_equal(mvm_image_names(tagged)->count, 2);
	assert_int_equal(count_images(fixture), 1);
}

static void remove_image(struct fixture *fixture, const char *text, bool force, struct mvm_store_removed *removed)
{
	assert_int_equal(mvm_store_remove(fixture->store, text, force, NULL, removed, NULL), 0);
}

static void removes_what_nothing_else_needs(void **state)
{
	struct fixture *fixture = *state;
	struct made one = put_image(fixture, "one", "shared", "docker.io/library/one:latest", NULL);
	struct made two = put_image(fixture, "two", "shared", "docker.io/library/two:latest", NULL);
	struct mvm_store_removed removed = {0};

	remove_image(fixture, "one", false, &removed);
	assert_string_equal(removed.untagged.items[0], "docker.io/library/one:latest");
	assert_string_equal(removed.deleted.items[0], one.config.digest.text);
	/* The other has the same layer. */
	assert_int_equal(removed.deleted.count, 1);
	mvm_store_removed_finish(&removed);
	assert_false(has_blob(fixture, &one.config));
	assert_true(has_blob(fixture, &two.layer));
	remove_image(fixture, "two", false, &removed);
	assert_int_equal(removed.deleted.count, 2);
	assert_string_equal(removed.deleted.items[0], two.config.digest.text);
	mvm_store_removed_finish(&removed);
	assert_false(has_blob(fixture, &two.layer));
	assert_int_equal(count_images(fixture), 0);
}

static void removal_by_id_of_an_image_with_names(void **state)
{
	struct fixture *fixture = *state;
	struct made one = put_image(fixture, "one", "layer", "docker.io/library/one:latest", NULL);
	struct mvm_store_removed removed = {0};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	put_image(fixture, "one", "layer", "docker.io/library/uno:latest", NULL);
	assert_int_equal(mvm_store_remove(fixture->store, one.config.digest.text, false, NULL, &removed, &err), -1);
	assert_int_equal(mvm_error_code(err), MVM_ERR_CONFLICT);
	remove_image(fixture, one.config.digest.text, true, &removed);
	assert_int_equal(removed.untagged.count, 2);
	assert_int_equal(removed.deleted.count, 2);
	mvm_store_removed_finish(&removed);
	assert_int_equal(count_images(fixture), 0);
}

static void tag(struct fixture *fixture, const char *from, const char *to)
{
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;

	assert_int_equal(mvm_store_find(fixture->store, from, &image, NULL), 0);
	assert_int_equal(mvm_reference_parse(to, &reference, NULL), 0);
	assert_int_equal(mvm_store_tag(fixture->store, image, &reference, NULL), 0);
}

static enum mvm_image_use used_as(void *arg, const struct mvm_digest *id, char container[MVM_IMAGE_USER + 1])
{
	strcpy(container, "c0ffeec0ffee");
	return *(const enum mvm_image_use *)arg;
}

/* What a removal says, in one text: "-name" for what was untagged, "+" for what was deleted, or the error. */
static char *removal(struct fixture *fixture, const char *text, bool force, enum mvm_image_use use)
{
	struct mvm_image_users users = {.find = used_as, .arg = &use};
	struct mvm_store_removed removed MVM_CLEAN_REMOVED = {0};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_buf said = {0};

	if (mvm_store_remove(fixture->store, text, force, &users, &removed, &err) < 0)
		mvm_buf_addf(&said, "%s", mvm_error_message(err));
	for (size_t i = 0; i < removed.untagged.count; i++) {
		char *name MVM_CLEAN_FREE = mvm_reference_shorten(removed.untagged.items[i]);

		mvm_buf_addf(&said, "-%.*s ", (int)strcspn(name, "0"), name);
	}
	for (size_t i = 0; i < removed.deleted.count; i++)
		mvm_buf_addf(&said, "+");
	return mvm_buf_steal(&said);
}

#define assert_removal(text, force, use, expected)                                                                     \
	do {                                                                                                           \
		char *result MVM_CLEAN_FREE = removal(fixture, text, force, use);                                      \
		assert_string_equal(result, expected);                                                                 \
	} while (0)

#define ZEROS	 "0000000000000000000000000000000000000000000000000000000000000000"
#define X_DIGEST "docker.io/library/x@sha256:" ZEROS
#define Y_DIGEST "docker.io/library/y@sha256:" ZEROS

static void last_tag_takes_its_digests_along(void **state)
{
	struct fixture *fixture = *state;

	put_image(fixture, "x", "layer", "docker.io/library/x:latest", X_DIGEST);
	put_image(fixture, "x", "layer", X_DIGEST, X_DIGEST);
	assert_removal("x", false, MVM_IMAGE_UNUSED, "-x:latest -x@sha256: ++");
	assert_int_equal(count_images(fixture), 0);
}

/* A digest is the repository's as long as it has a tag there, whichever entry had it. */
static void other_tags_keep_the_digest(void **state)
{
	struct fixture *fixture = *state;
	struct made made = put_image(fixture, "x", "layer", "docker.io/library/x:latest", X_DIGEST);

	tag(fixture, "x", "x:v2");
	assert_removal("x", false, MVM_IMAGE_UNUSED, "-x:latest ");
	assert_finds(fixture, X_DIGEST, &made);
	assert_removal(X_DIGEST, false, MVM_IMAGE_UNUSED, "-x@sha256: ");
	assert_int_equal(find_code(fixture, X_DIGEST), MVM_ERR_NOT_FOUND);
	assert_removal("x:v2", false, MVM_IMAGE_UNUSED, "-x:v2 ++");
}

static void repositories_conflict_by_id(void **state)
{
	struct fixture *fixture = *state;
	struct made made = put_image(fixture, "x", "layer", "docker.io/library/x:latest", X_DIGEST);
	char *id MVM_CLEAN_FREE = mvm_strndup(mvm_digest_hex(&made.config.digest), 12), *said MVM_CLEAN_FREE = NULL;

	tag(fixture, "x", "y:v1");
	said = mvm_format("conflict: unable to delete %s (must be forced) - image is referenced in multiple "
			  "repositories",
			  id);
	assert_removal(id, false, MVM_IMAGE_UNUSED, said);
	assert_removal("x", false, MVM_IMAGE_STOPPED, "-x:latest -x@sha256: ");
	assert_removal(id, false, MVM_IMAGE_UNUSED, "-y:v1 ++");
	assert_int_equal(count_images(fixture), 0);
}

static void images_in_use(void **state)
{
	struct fixture *fixture = *state;
	struct made made = put_image(fixture, "x", "layer", "docker.io/library/x:latest", NULL);
	char *id MVM_CLEAN_FREE = mvm_strndup(mvm_digest_hex(&made.config.digest), 12);
	char *by_name MVM_CLEAN_FREE = mvm_format("conflict: unable to remove repository reference \"x\" (must force) "
						  "- container c0ffeec0ffee is using its referenced image %s",
						  id);
	char *stopped MVM_CLEAN_FREE = mvm_format("conflict: unable to delete %s (must be forced) - image is being "
						  "used by stopped container c0ffeec0ffee",
						  id);
	char *running MVM_CLEAN_FREE = mvm_format("conflict: unable to delete %s (cannot be forced) - image is being "
						  "used by running container c0ffeec0ffee",
						  id);

	assert_removal("x", false, MVM_IMAGE_STOPPED, by_name);
	assert_removal("x", false, MVM_IMAGE_RUNNING, by_name);
	assert_removal(id, false, MVM_IMAGE_STOPPED, stopped);
	assert_removal(id, true, MVM_IMAGE_RUNNING, running);
	/* Forced, the name goes and the image stays. */
	assert_removal("x", true, MVM_IMAGE_RUNNING, "-x:latest ");
	assert_finds(fixture, id, &made);
	assert_removal(id, true, MVM_IMAGE_STOPPED, "++");
	assert_int_equal(count_images(fixture), 0);
}

static void digest_of_another_repository(void **state)
{
	struct fixture *fixture = *state;
	struct made made = put_image(fixture, "x", "layer", "docker.io/library/x:latest", X_DIGEST);

	put_image(fixture, "x", "layer", Y_DIGEST, Y_DIGEST);
	assert_removal("x", false, MVM_IMAGE_STOPPED, "-x:latest -x@sha256: ");
	assert_finds(fixture, Y_DIGEST, &made);
	assert_removal(Y_DIGEST, false, MVM_IMAGE_UNUSED, "-y@sha256: ++");
}

/* Somebody deleted a blob by hand: the name can still be removed. */
static void broken_image_can_be_removed(void **state)
{
	struct fixture *fixture = *state;
	struct made one = put_image(fixture, "one", "layer", "docker.io/library/one:latest", NULL);
	char *path MVM_CLEAN_FREE = mvm_store_blob_path(fixture->store, &one.config.digest);
	struct mvm_store_removed removed = {0};

	assert_int_equal(unlink(path), 0);
	assert_int_equal(count_images(fixture), 0);
	assert_int_equal(find_code(fixture, "one"), MVM_ERR_NOT_FOUND);
	remove_image(fixture, "one", false, &removed);
	assert_int_equal(removed.untagged.count, 1);
	mvm_store_removed_finish(&removed);
	assert_false(has_blob(fixture, &one.layer));
}

static void damaged_blob_is_seen(void **state)
{
	struct fixture *fixture = *state;
	struct made one = put_image(fixture, "one", "layer", "docker.io/library/one:latest", NULL);
	char *path MVM_CLEAN_FREE = mvm_store_blob_path(fixture->store, &one.config.digest);

	assert_int_equal(mvm_replace_file(path, "{}", 2, 0600, NULL), 0);
	assert_int_equal(find_code(fixture, "one"), MVM_ERR_CORRUPT);
	assert_false(has_blob(fixture, &one.config));
}

static void collection_waits_for_pulls(void **state)
{
	struct fixture *fixture = *state;
	struct mvm_descriptor loose = put_blob(fixture, "nothing refers to this");
	int pull = -1;

	assert_int_equal(mvm_store_lock_use(fixture->store, MVM_LOCK_SHARED, &pull, NULL), 0);
	assert_int_equal(mvm_store_collect(fixture->store, NULL), 1);
	assert_true(has_blob(fixture, &loose));
	mvm_close(&pull);
	assert_int_equal(mvm_store_collect(fixture->store, NULL), 0);
	assert_false(has_blob(fixture, &loose));
}

static void collection_follows_indexes(void **state)
{
	struct fixture *fixture = *state;
	struct made one = put_image(fixture, "one", "layer", "docker.io/library/one:latest", NULL);
	char *text MVM_CLEAN_FREE = mvm_format(
		"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%llu}]}",
		one.manifest.media_type, one.manifest.digest.text, (unsigned long long)one.manifest.size);
	struct mvm_descriptor index = put_blob(fixture, text);
	struct mvm_platform platform;

	/* As `skopeo copy --all` writes it. */
	index.media_type = (char *)"application/vnd.oci.image.index.v1+json";
	mvm_platform_default(&platform);
	assert_int_equal(mvm_store_put(fixture->store, &index, &platform, "docker.io/library/one:latest", NULL, NULL),
			 0);
	assert_int_equal(mvm_store_collect(fixture->store, NULL), 0);
	assert_true(has_blob(fixture, &index));
	assert_true(has_blob(fixture, &one.manifest));
	assert_true(has_blob(fixture, &one.layer));
}

static struct mvm_ingest *begin(struct fixture *fixture, const char *data, size_t size)
{
	struct mvm_descriptor blob = {.size = size};
	struct mvm_ingest *ingest;

	mvm_digest_of(data, strlen(data), &blob.digest);
	assert_int_equal(mvm_ingest_begin(fixture->store, &blob, false, NULL, &ingest, NULL), 0);
	return ingest;
}

static void ingest_verifies(void **state)
{
	static const struct {
		const char *named, *sent;
		size_t size;
		int write, commit;
	} cases[] = {
		{"hello", "hello", 5, 0, 0},   {"hello", "hellO", 5, 0, -1}, {"hello", "hell", 5, 0, -1},
		{"hello", "hello!", 5, -1, 0}, {"hello", "hello", 6, 0, -1}, {"", "", 0, 0, 0},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct fixture *fixture = *state;
		struct mvm_ingest *ingest;
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;
		int result;

		mvm_store_collect(fixture->store, NULL);
		ingest = begin(fixture, cases[i].named, cases[i].size);
		result = mvm_ingest_write(ingest, cases[i].sent, strlen(cases[i].sent), &err);
		assert_int_equal(result, cases[i].write);
		if (result == 0)
			assert_int_equal(mvm_ingest_commit(ingest, &err), cases[i].commit);
		if (cases[i].write || cases[i].commit)
			assert_int_equal(mvm_error_code(err), MVM_ERR_CORRUPT);
		assert_int_equal(has_blob(fixture, &ingest->descriptor), !cases[i].write && !cases[i].commit);
		mvm_ingest_destroy(ingest);
	}
}

static void ingest_begins_again(void **state)
{
	struct fixture *fixture = *state;
	struct mvm_ingest *ingest = begin(fixture, "hello", 5);

	assert_int_equal(mvm_ingest_write(ingest, "hexx", 4, NULL), 0);
	mvm_ingest_restart(ingest);
	assert_int_equal(mvm_ingest_write(ingest, "he", 2, NULL), 0);
	assert_int_equal(mvm_ingest_write(ingest, "llo", 3, NULL), 0);
	assert_int_equal(mvm_ingest_commit(ingest, NULL), 0);
	mvm_ingest_destroy(ingest);
}

static void ingest_is_one_at_a_time(void **state)
{
	struct fixture *fixture = *state;
	struct mvm_ingest *first = begin(fixture, "hello", 5), *second;
	struct mvm_descriptor blob = first->descriptor;

	assert_int_equal(mvm_ingest_begin(fixture->store, &blob, false, NULL, &second, NULL), MVM_INGEST_BUSY);
	assert_int_equal(mvm_ingest_write(first, "hello", 5, NULL), 0);
	assert_int_equal(mvm_ingest_commit(first, NULL), 0);
	assert_int_equal(mvm_ingest_begin(fixture->store, &blob, false, NULL, &second, NULL), MVM_INGEST_PRESENT);
	mvm_ingest_destroy(first);
}

/* What a killed process has left, longer than the blob even, is taken over. */
/* Somebody who waits for it has it open under its first name. */
static void ingest_is_free_once_it_is_there(void **state)
{
	struct mvm_ingest *ingest = begin(*state, "hello", 5);
	int waiting MVM_CLEAN_FD = open(ingest->path, O_RDWR | O_CLOEXEC);

	assert_int_equal(mvm_ingest_write(ingest, "hello", 5, NULL), 0);
	assert_int_equal(flock(waiting, LOCK_EX | LOCK_NB), -1);
	assert_int_equal(mvm_ingest_commit(ingest, NULL), 0);
	assert_int_equal(flock(waiting, LOCK_EX | LOCK_NB), 0);
	mvm_ingest_destroy(ingest);
}

static void ingest_takes_over(void **state)
{
	struct fixture *fixture = *state;
	struct mvm_descriptor blob = {.size = 5};
	char *path MVM_CLEAN_FREE = NULL;

	mvm_digest_of("hello", 5, &blob.digest);
	path = mvm_format("%s/images/ingest/%s", fixture->home, mvm_digest_hex(&blob.digest));
	assert_int_equal(mvm_replace_file(path, "left over by the dead", 21, 0600, NULL), 0);
	assert_int_equal(mvm_store_write_blob(fixture->store, &blob, "hello", 5, NULL), 0);
	assert_true(has_blob(fixture, &blob));
	assert_false(access(path, F_OK) == 0);
}

static void abandoned_ingest_is_taken_up(void **state)
{
	struct fixture *fixture = *state;
	struct mvm_ingest *ingest = begin(fixture, "hello", 5);

	assert_int_equal(mvm_ingest_write(ingest, "hel", 3, NULL), 0);
	mvm_ingest_destroy(ingest);
	ingest = begin(fixture, "hello", 5);
	assert_int_equal(ingest->received, 3);
	assert_int_equal(mvm_ingest_write(ingest, "lo", 2, NULL), 0);
	assert_int_equal(mvm_ingest_commit(ingest, NULL), 0);
	assert_true(has_blob(fixture, &ingest->descriptor));
	mvm_ingest_destroy(ingest);
}

/* Nothing of what has the wrong digest is worth keeping, and a collection keeps nothing. */
static void abandoned_ingest_goes(void **state)
{
	struct fixture *fixture = *state;
	struct mvm_ingest *ingest = begin(fixture, "hello", 5);
	char *path MVM_CLEAN_FREE = mvm_strdup(ingest->path);

	assert_int_equal(mvm_ingest_write(ingest, "hallo", 5, NULL), 0);
	assert_int_equal(mvm_ingest_commit(ingest, NULL), -1);
	assert_int_equal(ingest->received, 0);
	mvm_ingest_destroy(ingest);
	assert_false(access(path, F_OK) == 0);
	ingest = begin(fixture, "hello", 5);
	assert_int_equal(mvm_ingest_write(ingest, "hel", 3, NULL), 0);
	mvm_ingest_destroy(ingest);
	assert_int_equal(mvm_store_collect(fixture->store, NULL), 0);
	assert_false(access(path, F_OK) == 0);
}

/* A pull that failed has what it fetched spared, whatever else goes. */
static void collection_spares_an_image(void **state)
{
	struct fixture *fixture = *state;
	struct made one = put_image(fixture, "one", "layer", "docker.io/library/one:latest", NULL);
	struct mvm_descriptor loose = put_blob(fixture, "nothing refers to this");
	struct mvm_store_removed removed = {0};
	struct mvm_image *image MVM_CLEAN_IMAGE = NULL;
	int pull = -1;

	assert_int_equal(mvm_store_find(fixture->store, "one", &image, NULL), 0);
	assert_int_equal(mvm_store_lock_use(fixture->store, MVM_LOCK_SHARED, &pull, NULL), 0);
	remove_image(fixture, "one", false, &removed);
	mvm_store_removed_finish(&removed);
	mvm_close(&pull);
	assert_int_equal(mvm_store_collect_but(fixture->store, image, NULL), 0);
	assert_true(has_blob(fixture, &one.manifest));
	assert_true(has_blob(fixture, &one.config));
	assert_true(has_blob(fixture, &one.layer));
	assert_false(has_blob(fixture, &loose));
	assert_int_equal(mvm_store_collect(fixture->store, NULL), 0);
	assert_false(has_blob(fixture, &one.layer));
}

/* What a kill in the middle of replacing the index has left. */
static void collection_drops_half_an_index(void **state)
{
	struct fixture *fixture = *state;
	char *path MVM_CLEAN_FREE = mvm_format("%s/images/" MVM_NEW_FILE_PREFIX "0123456789abcdef", fixture->home);

	assert_int_equal(mvm_replace_file(path, "{", 1, 0600, NULL), 0);
	assert_int_equal(mvm_store_collect(fixture->store, NULL), 0);
	assert_false(access(path, F_OK) == 0);
	assert_true(exists(fixture, "index.json"));
	assert_true(exists(fixture, "oci-layout"));
}

static void write_index(struct fixture *fixture, const char *text)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/images/index.json", fixture->home);

	assert_int_equal(mvm_replace_file(path, text, strlen(text), 0600, NULL), 0);
}

static void broken_index_is_told(void **state)
{
	static const char *const texts[] = {"",
					    "{",
					    "[]",
					    "{}",
					    "{\"manifests\":{}}",
					    "{\"manifests\":[{}]}",
					    "{\"manifests\":[{\"digest\":\"sha256:x\",\"size\":1}]}"};
	struct fixture *fixture = *state;
	struct mvm_descriptor loose = put_blob(fixture, "kept while the index cannot be read");

	for (size_t i = 0; i < MVM_COUNT(texts); i++) {
		struct mvm_image_list list = {0};
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;

		write_index(fixture, texts[i]);
		assert_int_equal(mvm_store_list(fixture->store, &list, &err), -1);
		assert_int_equal(mvm_error_code(err), MVM_ERR_INVALID);
		assert_non_null(strstr(mvm_error_message(err), "images/index.json"));
		assert_int_equal(mvm_store_collect(fixture->store, NULL), -1);
		assert_true(has_blob(fixture, &loose));
	}
}

/* A name that another tool gave in its own way is understood, and its annotations survive our writing. */
static void others_entries_stay(void **state)
{
	struct fixture *fixture = *state;
	struct made one = put_image(fixture, "one", "layer", "docker.io/library/one:latest", NULL);
	char *text MVM_CLEAN_FREE = mvm_format(
		"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%llu,"
		"\"annotations\":{\"org.opencontainers.image.ref.name\":\"theirs\",\"org.example\":\"kept\"}}]}",
		one.manifest.media_type, one.manifest.digest.text, (unsigned long long)one.manifest.size);
	char *path MVM_CLEAN_FREE = mvm_format("%s/images/index.json", fixture->home);
	char *after MVM_CLEAN_FREE = NULL;

	write_index(fixture, text);
	assert_finds(fixture, "theirs", &one);
	put_image(fixture, "two", "layer", "docker.io/library/two:latest", NULL);
	assert_int_equal(mvm_read_file(path, 1 << 20, &after, NULL, NULL), 0);
	assert_non_null(strstr(after, "org.example"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(makes_a_layout),
		TEST(finds_by_name_and_id),
		TEST(prefix_of_several_is_refused),
		TEST(finds_by_repository_digest),
		TEST(name_moves),
		TEST(tags),
		TEST(removes_what_nothing_else_needs),
		TEST(removal_by_id_of_an_image_with_names),
		TEST(last_tag_takes_its_digests_along),
		TEST(other_tags_keep_the_digest),
		TEST(repositories_conflict_by_id),
		TEST(images_in_use),
		TEST(digest_of_another_repository),
		TEST(broken_image_can_be_removed),
		TEST(damaged_blob_is_seen),
		TEST(collection_waits_for_pulls),
		TEST(collection_follows_indexes),
		TEST(ingest_verifies),
		TEST(ingest_begins_again),
		TEST(ingest_is_one_at_a_time),
		TEST(ingest_is_free_once_it_is_there),
		TEST(ingest_takes_over),
		TEST(abandoned_ingest_is_taken_up),
		TEST(abandoned_ingest_goes),
		TEST(collection_spares_an_image),
		TEST(collection_drops_half_an_index),
		TEST(broken_index_is_told),
		TEST(others_entries_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
