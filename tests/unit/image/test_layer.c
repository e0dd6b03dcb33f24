#include "../unit.h"

#include <ext2fs/ext2_fs.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "image/digest.h"
#include "image/ext4.h"
#include "image/layer.h"
#include "tar_maker.h"

#define PLAIN "application/vnd.oci.image.layer.v1.tar"

struct reader {
	const struct mvm_buf *from;
	size_t at;
};

static ssize_t read_some(void *arg, void *data, size_t length, struct mvm_error **err)
{
	struct reader *reader = arg;
	size_t left = reader->from->length - reader->at;

	if (length > left)
		length = left;
	if (length)
		memcpy(data, reader->from->data + reader->at, length);
	reader->at += length;
	return (ssize_t)length;
}

static struct mvm_ext4 *create(const char *folder)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_ext4_options options = {.size = 256 << 20};
	char *path MVM_CLEAN_FREE = mvm_format("%s/disk", folder);
	struct mvm_ext4 *fs = NULL;

	unlink(path);
	assert_ok(mvm_ext4_create(path, &options, &fs, &err));
	return fs;
}

/* Ends the archive, applies it as a layer and empties it. */
static int apply_as(struct mvm_ext4 *fs, struct mvm_buf *tar, const char *media_type, const char *diff_id,
		    struct mvm_error **err)
{
	struct reader reader = {.from = tar};
	struct mvm_digest digest;
	struct mvm_layer layer = {.media_type = media_type, .digest = "sha256:blob", .diff_id = diff_id};
	int status;

	tar_end(tar);
	mvm_digest_of(tar->data, tar->length, &digest);
	if (!diff_id)
		layer.diff_id = digest.text;
	status = mvm_layer_apply(fs, &layer, (struct mvm_source){.read = read_some, .arg = &reader}, err);
	mvm_buf_finish(tar);
	return status;
}

static int apply(struct mvm_ext4 *fs, struct mvm_buf *tar, struct mvm_error **err)
{
	return apply_as(fs, tar, PLAIN, NULL, err);
}

/* NULL where the path is not there. */
static struct mvm_ext4_node *find(struct mvm_ext4 *fs, const char *path)
{
	struct mvm_ext4_node *node = mvm_ext4_root(fs);

	while (node && *path) {
		size_t length = strcspn(path, "/");

		node = mvm_ext4_lookup(fs, node, path, length);
		path += length + (path[length] == '/');
	}
	return node;
}

static bool is(struct mvm_ext4 *fs, const char *path, uint32_t type)
{
	struct mvm_ext4_node *node = find(fs, path);

	return node && mvm_ext4_type(node) == type;
}

/* A layer of one bad entry; the image is dropped. */
static void refuse(const char *folder, struct mvm_buf *tar, const char *text)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_ext4 *fs = create(folder);

	assert_error(apply(fs, tar, &err), MVM_ERR_INVALID, text);
	mvm_ext4_destroy(fs);
}

static void test_names(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_ext4 *fs = create(*state);
	struct mvm_buf tar = {0};

	tar_add(&tar, '5', "./", "");
	tar_add(&tar, '0', "./a", "");
	tar_add(&tar, '0', "/b", "");
	tar_add(&tar, '0', "//c//d", ""); /* c is made */
	tar_add(&tar, '5', "e/./f/", "");
	tar_add(&tar, '0', "...", "");
	assert_ok(apply(fs, &tar, &err));
	assert_true(is(fs, "a", S_IFREG));
	assert_true(is(fs, "b", S_IFREG));
	assert_true(is(fs, "c", S_IFDIR));
	assert_true(is(fs, "c/d", S_IFREG));
	assert_true(is(fs, "e/f", S_IFDIR));
	assert_true(is(fs, "...", S_IFREG));
	mvm_ext4_destroy(fs);
}

static void test_bad_names(void **state)
{
	static const char *const names[] = {"../a", "a/../b", "..", "/..", "a/.."};
	struct mvm_buf tar = {0};
	char *name;

	for (size_t i = 0; i < MVM_COUNT(names); i++) {
		tar_add(&tar, '0', names[i], "");
		refuse(*state, &tar, "a name with \"..\" in it");
	}
	name = mvm_format("%0256d", 0);
	tar_add_pax(&tar, "path", name);
	tar_add(&tar, '0', "x", "");
	refuse(*state, &tar, "more than 255 bytes");
	free(name);
	name = mvm_format("%04096d", 0);
	tar_add_pax(&tar, "path", name);
	tar_add(&tar, '0', "x", "");
	refuse(*state, &tar, "more than 4095 bytes");
	free(name);
	tar_add(&tar, '0', "./", "");
	refuse(*state, &tar, "root of the image must be a folder");
}

/* The error names the layer and the entry. */
static void test_parent_is_a_file(void **state)
{
	struct mvm_buf tar = {0};

	tar_add(&tar, '0', "file", "");
	tar_add(&tar, '0', "file/below", "");
	refuse(*state, &tar, "layer sha256:blob: file/below: file is not a folder");
}

static void test_symlinked_parents(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_ext4 *fs = create(*state);
	struct mvm_buf tar = {0};

	tar_add(&tar, '5', "usr", "");
	tar_add_link(&tar, '2', "lib", "usr/lib");	 /* which is not there yet */
	tar_add_link(&tar, '2', "usr/abs", "/lib/deep"); /* through the other */
	tar_add_link(&tar, '2', "out", "../../../../etc");
	tar_add(&tar, '0', "lib/a", "");
	tar_add(&tar, '0', "usr/abs/b", "");
	tar_add(&tar, '0', "out/passwd", "");
	tar_add_link(&tar, '1', "usr/hard", "lib/a");
	assert_ok(apply(fs, &tar, &err));
	assert_true(is(fs, "lib", S_IFLNK));
	assert_true(is(fs, "usr/lib/a", S_IFREG));
	assert_true(is(fs, "usr/lib/deep/b", S_IFREG));
	assert_true(is(fs, "etc/passwd", S_IFREG)); /* of the image */
	assert_true(is(fs, "usr/hard", S_IFREG));
	mvm_ext4_destroy(fs);

	tar_add_link(&tar, '2', "a", "b");
	tar_add_link(&tar, '2', "b", "a");
	tar_add(&tar, '0', "a/file", "");
	refuse(*state, &tar, "loop of symlinks");
}

static void test_hard_links(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_ext4 *fs = create(*state);
	struct mvm_buf tar = {0};

	tar_add(&tar, '0', "low", "x");
	tar_add_link(&tar, '2', "soft", "nowhere");
	assert_ok(apply(fs, &tar, &err));
	tar_add_link(&tar, '1', "up", "./low");
	tar_add_link(&tar, '1', "up", "up"); /* to itself */
	tar_add_link(&tar, '1', "soft2", "/soft");
	tar_add(&tar, '0', ".wh.low", "");
	assert_ok(apply(fs, &tar, &err));
	assert_true(is(fs, "up", S_IFREG));
	assert_true(is(fs, "soft2", S_IFLNK)); /* the link, not what it points at */
	assert_null(find(fs, "low"));
	mvm_ext4_destroy(fs);

	tar_add_link(&tar, '1', "a", "missing");
	refuse(*state, &tar, "a: hard link to missing, which is not there");
	tar_add_link(&tar, '1', "a", "no/such/folder");
	refuse(*state, &tar, "which is not there");
	tar_add_link(&tar, '1', "a", "/");
	refuse(*state, &tar, "which is not there");
	tar_add_link(&tar, '1', "a", "../outside");
	refuse(*state, &tar, "\"..\"");
	tar_add(&tar, '5', "folder", "");
	tar_add_link(&tar, '1', "a", "folder");
	refuse(*state, &tar, "which is a folder");
}

static void test_whiteouts(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_ext4 *fs = create(*state);
	struct mvm_buf tar = {0};

	tar_add(&tar, '0', "gone/deep/file", "");
	tar_add(&tar, '0', "back/old", "");
	tar_add(&tar, '0', "opaque/old", "");
	tar_add(&tar, '0', "opaque/sub/old", "");
	tar_add(&tar, '0', "stays", "");
	assert_ok(apply(fs, &tar, &err));
	tar_add(&tar, '0', ".wh.gone", "");
	tar_add(&tar, '5', "back", "");
	tar_add(&tar, '0', "back/new", "");
	tar_add(&tar, '0', ".wh.back", ""); /* after what the same layer adds */
	tar_add(&tar, '0', "opaque/new", "");
	tar_add(&tar, '0', "opaque/.wh..wh..opq", "");
	tar_add(&tar, '0', "opaque/newer", "");
	tar_add(&tar, '0', ".wh.never", "");
	tar_add(&tar, '0', "no/such/.wh.folder", "");
	tar_add(&tar, '0', ".wh..wh.plnk/1.2", ""); /* aufs's own */
	tar_add(&tar, '0', ".wh..wh.aufs", "");
	assert_ok(apply(fs, &tar, &err));
	assert_null(find(fs, "gone"));
	assert_null(find(fs, "back/old"));
	assert_true(is(fs, "back/new", S_IFREG));
	assert_null(find(fs, "opaque/old"));
	assert_null(find(fs, "opaque/sub"));
	assert_true(is(fs, "opaque/new", S_IFREG));
	assert_true(is(fs, "opaque/newer", S_IFREG));
	assert_true(is(fs, "stays", S_IFREG));
	assert_null(find(fs, "no"));
	assert_null(find(fs, ".wh..wh.plnk"));
	assert_null(find(fs, ".wh..wh.aufs"));
	tar_add(&tar, '0', ".wh..wh..opq", ""); /* of the root */
	assert_ok(apply(fs, &tar, &err));
	assert_null(find(fs, "stays"));
	mvm_ext4_destroy(fs);
}

static void test_bad_whiteouts(void **state)
{
	static const char *const names[] = {".wh.", ".wh..", ".wh...", "a/.wh.", ".wh.x/file", "a/.wh.x/file"};
	struct mvm_buf tar = {0};

	for (size_t i = 0; i < MVM_COUNT(names); i++) {
		tar_add(&tar, '5', "a", "");
		tar_add(&tar, '0', names[i], "");
		refuse(*state, &tar, "whiteout");
	}
}

static void test_replacements(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_ext4 *fs = create(*state);
	struct mvm_buf tar = {0};

	tar_add(&tar, '0', "tofolder", "");
	tar_add(&tar, '0', "tofile/inside", "");
	tar_add_link(&tar, '2', "link", "tofile");
	tar_add(&tar, '0', "kept/inside", "");
	assert_ok(apply(fs, &tar, &err));
	tar_add(&tar, '5', "tofolder", "");
	tar_add(&tar, '0', "tofile", "x");
	tar_add(&tar, '5', "link", ""); /* the link gives way, it is not followed */
	tar_add(&tar, '5', "kept", "");
	assert_ok(apply(fs, &tar, &err));
	assert_true(is(fs, "tofolder", S_IFDIR));
	assert_true(is(fs, "tofile", S_IFREG));
	assert_true(is(fs, "link", S_IFDIR));
	assert_true(is(fs, "kept/inside", S_IFREG));
	mvm_ext4_destroy(fs);
}

static void test_digest_differs(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_ext4 *fs = create(*state);
	struct mvm_buf tar = {0};

	tar_add(&tar, '0', "a", "");
	assert_error(apply_as(fs, &tar, PLAIN,
			      "sha256:0000000000000000000000000000000000000000000000000000000000000000", &err),
		     MVM_ERR_CORRUPT, "layer sha256:blob: its content is sha256:");
	mvm_ext4_destroy(fs);
}

/* What follows the end of the archive counts for the digest. */
static void test_trailing_bytes_are_hashed(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_ext4 *fs = create(*state);
	struct mvm_buf tar = {0};
	struct mvm_digest shorter;

	tar_add(&tar, '0', "a", "");
	tar_end(&tar);
	mvm_digest_of(tar.data, tar.length, &shorter);
	mvm_buf_add(&tar, "more", 4);
	assert_error(apply_as(fs, &tar, PLAIN, shorter.text, &err), MVM_ERR_CORRUPT, "the image says");
	mvm_ext4_destroy(fs);
}

static void test_media_types(void **state)
{
	static const char *const good[] = {
		PLAIN,
		PLAIN "+gzip",
		PLAIN "+zstd",
		"application/vnd.docker.image.rootfs.diff.tar.gzip",
		"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
	};
	static const char *const bad[] = {"", "application/json", PLAIN "+encrypted", PLAIN ".x"};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_ext4 *fs = create(*state);
	struct mvm_buf tar = {0};

	for (size_t i = 0; i < MVM_COUNT(good); i++)
		assert_ok(apply_as(fs, &tar, good[i], NULL, &err));
	for (size_t i = 0; i < MVM_COUNT(bad); i++)
		assert_error(apply_as(fs, &tar, bad[i], NULL, &err), MVM_ERR_UNSUPPORTED, "is not a layer");
	mvm_ext4_destroy(fs);
}

static ssize_t read_error(void *arg, void *data, size_t length, struct mvm_error **err)
{
	return mvm_fail(err, MVM_ERR_NETWORK, "the line is dead");
}

static ssize_t read_endless(void *arg, void *data, size_t length, struct mvm_error **err)
{
	memset(data, 'x', length);
	return (ssize_t)length;
}

/* Whichever half fails, the other ends too. */
static void test_either_half_fails(void **state)
{
	struct mvm_layer layer = {.media_type = PLAIN,
				  .digest = "sha256:blob",
				  .diff_id = "sha256:00000000000000000000000000000000000000000000000000000000000000ff"};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_ext4 *fs = create(*state);

	assert_error(mvm_layer_apply(fs, &layer, (struct mvm_source){.read = read_error}, &err), MVM_ERR_NETWORK,
		     "layer sha256:blob: the line is dead");
	assert_error(mvm_layer_apply(fs, &layer, (struct mvm_source){.read = read_endless}, &err), MVM_ERR_INVALID,
		     "layer sha256:blob: not a tar header");
	mvm_ext4_destroy(fs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_bad_names),
		cmocka_unit_test(test_parent_is_a_file),
		cmocka_unit_test(test_symlinked_parents),
		cmocka_unit_test(test_hard_links),
		cmocka_unit_test(test_whiteouts),
		cmocka_unit_test(test_bad_whiteouts),
		cmocka_unit_test(test_replacements),
		cmocka_unit_test(test_digest_differs),
		cmocka_unit_test(test_trailing_bytes_are_hashed),
		cmocka_unit_test(test_media_types),
		cmocka_unit_test(test_either_half_fails),
	};

	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
