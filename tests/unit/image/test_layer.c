#include "../unit.h"

#include <ext2fs/ext2_fs.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "image/budget.h"
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

static struct mvm_budget default_budget(void)
{
	struct mvm_budget budget;

	assert_int_equal(mvm_budget_init(&budget, NULL, NULL), 0);
	return budget;
}

/* Ends the archive, applies it as a layer and empties it. */
static int apply_within(struct mvm_ext4 *fs, struct mvm_budget *budget, struct mvm_buf *tar, const char *media_type,
			const char *diff_id, struct mvm_error **err)
{
	struct reader reader = {.from = tar};
	struct mvm_digest digest;
	struct mvm_layer layer = {.media_type = media_type, .digest = "sha256:blob", .diff_id = diff_id};
	int status;

	tar_end(tar);
	mvm_digest_of(tar->data, tar->length, &digest);
	if (!diff_id)
		layer.diff_id = digest.text;
	status = mvm_layer_apply(fs, budget, &layer, (struct mvm_source){.read = read_some, .arg = &reader}, err);
	mvm_buf_finish(tar);
	return status;
}

static int apply_as(struct mvm_ext4 *fs, struct mvm_buf *tar, const char *media_type, const char *diff_id,
		    struct mvm_error **err)
{
	struct mvm_budget budget = default_budget();

	return apply_within(fs, &budget, tar, media_type, diff_id, err);
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
	tar_add(&tar, '0', "e/g/../../b/../h", ""); /* neither e/g nor a folder b is made for it */
	tar_add(&tar, '5', "", "");		    /* no name at all is the root's */
	assert_ok(apply(fs, &tar, &err));
	assert_true(is(fs, "a", S_IFREG));
	assert_true(is(fs, "b", S_IFREG));
	assert_true(is(fs, "c", S_IFDIR));
	assert_true(is(fs, "c/d", S_IFREG));
	assert_true(is(fs, "e/f", S_IFDIR));
	assert_true(is(fs, "...", S_IFREG));
	assert_true(is(fs, "h", S_IFREG));
	assert_null(find(fs, "e/g"));
	mvm_ext4_destroy(fs);
}

static void test_bad_names(void **state)
{
	static const char *const names[] = {"../a", "a/../../b", "..", "/../a", "a/../..", "./.."};
	struct mvm_buf tar = {0};
	char *name;

	for (size_t i = 0; i < MVM_COUNT(names); i++) {
		tar_add(&tar, '0', names[i], "");
		refuse(*state, &tar, "a name that climbs out of the image");
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
	tar_add(&tar, '0', "", "");
	refuse(*state, &tar, "root of the image must be a folder");
	tar_add_pax(&tar, "size", "100000");
	tar_add(&tar, '0', "longer/than/the/archive", "x");
	refuse(*state, &tar, "longer/than/the/archive: the archive is cut short");
}

/* The error names the entry. */
static void test_parent_is_a_file(void **state)
{
	struct mvm_buf tar = {0};

	tar_add(&tar, '0', "file", "");
	tar_add(&tar, '0', "file/below", "");
	refuse(*state, &tar, "file/below: file is not a folder");
}

static void test_symlinked_parents(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_ext4 *fs = create(*state);
	struct mvm_buf tar = {0};
	char *name;

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
	/* 40 symlinks are allowed, but not that each of them doubles the way. */
	name = mvm_format("%01000d", 0);
	for (char *at = name; *at; at += 2)
		memcpy(at, "./", 2);
	for (size_t i = 0; i < 20; i++) {
		char *link = mvm_format("l%zu", i), *target = mvm_format("%sl%zu/%s", name, i + 1, name);

		tar_add_pax(&tar, "linkpath", target);
		tar_add_link(&tar, '2', link, "");
		free(link);
		free(target);
	}
	free(name);
	tar_add(&tar, '0', "l0/file", "");
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
	refuse(*state, &tar, "climbs out");
	tar_add_link(&tar, '1', "a", "later");
	tar_add(&tar, '0', "later", "");
	refuse(*state, &tar, "a: hard link to later, which is not there");
	tar_add(&tar, '5', "folder", "");
	tar_add_link(&tar, '1', "a", "folder");
	refuse(*state, &tar, "which is a folder");
}

static void test_whiteouts(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_ext4 *fs = create(*state);
	struct mvm_buf tar = {0};
	char *name MVM_CLEAN_FREE = NULL, *hide MVM_CLEAN_FREE = NULL;

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
	name = mvm_format("%0255d", 0);
	hide = mvm_format(".wh.%s", name);
	tar_add_pax(&tar, "path", name);
	tar_add(&tar, '0', "x", "");
	assert_ok(apply(fs, &tar, &err));
	tar_add_pax(&tar, "path", hide);
	tar_add(&tar, '0', "x", "");
	assert_ok(apply(fs, &tar, &err));
	assert_null(find(fs, name));
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
		     MVM_ERR_CORRUPT, "its content is sha256:");
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
	struct mvm_budget budget = default_budget();
	struct mvm_ext4 *fs = create(*state);

	assert_error(mvm_layer_apply(fs, &budget, &layer, (struct mvm_source){.read = read_error}, &err),
		     MVM_ERR_NETWORK, "the line is dead");
	assert_error(mvm_layer_apply(fs, &budget, &layer, (struct mvm_source){.read = read_endless}, &err),
		     MVM_ERR_INVALID, "not a tar header");
	mvm_ext4_destroy(fs);
}

/* What does not fit into the budget is refused where it stops fitting. */
static void test_budget(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_budget budget = {.max_size = 4096, .max_entries = 1000};
	static const char zero[2000];
	struct mvm_ext4 *fs = create(*state);
	struct mvm_buf tar = {0};

	tar_add(&tar, '0', "small", "");
	assert_ok(apply_within(fs, &budget, &tar, PLAIN, NULL, &err));
	tar_add(&tar, '0', "of/the/second/layer", "");
	tar_put(&tar, tar_header_of('0', "large", sizeof(zero)), zero, sizeof(zero));
	assert_error(apply_within(fs, &budget, &tar, PLAIN, NULL, &err), MVM_ERR_UNSUPPORTED, "\"maxUnpackedSize\"");
	mvm_ext4_destroy(fs);

	/* Folders that nobody named count, entries that are never seen again too. */
	budget = (struct mvm_budget){.max_size = UINT64_MAX, .max_entries = 10};
	fs = create(*state);
	tar_add(&tar, '0', "1/2/3/4/5/6", "");
	for (size_t i = 0; i < 4; i++)
		tar_add(&tar, '0', ".wh.never", "");
	assert_ok(apply_within(fs, &budget, &tar, PLAIN, NULL, &err));
	tar_add(&tar, '0', "eleventh", "");
	assert_error(apply_within(fs, &budget, &tar, PLAIN, NULL, &err), MVM_ERR_UNSUPPORTED,
		     "eleventh: the image has more than 10 entries");
	mvm_ext4_destroy(fs);
}

/* Names, targets and attributes stay in memory until the end. */
static void test_budget_of_memory(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_budget budget = {.max_size = UINT64_MAX, .max_entries = 10};
	char *target = mvm_format("%02000d", 0);
	struct mvm_ext4 *fs = create(*state);
	struct mvm_buf tar = {0};

	for (size_t i = 0; i < 3; i++) {
		char *name = mvm_format("link%zu", i);

		tar_add_pax(&tar, "linkpath", target);
		tar_add_link(&tar, '2', name, "");
		free(name);
	}
	assert_error(apply_within(fs, &budget, &tar, PLAIN, NULL, &err), MVM_ERR_UNSUPPORTED,
		     "link2: the image's names and attributes take more than 5 KiB of memory");
	free(target);
	mvm_ext4_destroy(fs);
}

/* 10 GiB of nothing are no bomb; a byte every 4096 of them is one. */
static void test_budget_of_sparse_files(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_budget budget = {.max_size = 1 << 20, .max_entries = 1000};
	struct mvm_buf tar = {0}, map MVM_CLEAN_BUF = {0}, content MVM_CLEAN_BUF = {0};
	struct mvm_ext4 *fs = create(*state);

	tar_add_pax(&tar, "GNU.sparse.size", "10737418240");
	tar_add_pax(&tar, "GNU.sparse.map", "10737418239,1");
	tar_add(&tar, '0', "hole", "x");
	assert_ok(apply_within(fs, &budget, &tar, PLAIN, NULL, &err));
	assert_in_range(budget.size, 4096, 16384);
	for (unsigned i = 0; i < 500; i++) {
		mvm_buf_addf(&map, "%s%u,1", i ? "," : "", i * 8192);
		mvm_buf_add(&content, "x", 1);
	}
	tar_add_pax(&tar, "GNU.sparse.size", "10737418240");
	tar_add_pax(&tar, "GNU.sparse.map", map.data);
	tar_put(&tar, tar_header_of('0', "dots", content.length), content.data, content.length);
	assert_error(apply_within(fs, &budget, &tar, PLAIN, NULL, &err), MVM_ERR_UNSUPPORTED,
		     "dots: the image unpacks to more than 0.0009766 GiB");
	mvm_ext4_destroy(fs);
}

/* Each would go through all the layer's names if it went through them at all: 2 x 10^9 steps. */
static void test_many_whiteouts(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_ext4 *fs = create(*state);
	struct mvm_buf tar = {0};

	tar_add(&tar, '0', "a/b/old", "");
	assert_ok(apply(fs, &tar, &err));
	for (size_t i = 0; i < 15000; i++) {
		char *name = mvm_format("a/b/%zu", i);

		tar_add(&tar, '0', name, "");
		free(name);
	}
	for (size_t i = 0; i < 15000; i++) {
		tar_add(&tar, '0', "a/.wh.b", "");
		tar_add(&tar, '0', "a/.wh..wh..opq", "");
	}
	for (size_t i = 0; i < 100; i++)
		tar_add(&tar, '0', "a/b/1", "");
	assert_ok(apply(fs, &tar, &err));
	assert_null(find(fs, "a/b/old"));
	assert_true(is(fs, "a/b/14999", S_IFREG));
	tar_add(&tar, '0', ".wh.a", "");
	assert_ok(apply(fs, &tar, &err));
	assert_null(find(fs, "a"));
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
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_budget_of_memory),
		cmocka_unit_test(test_budget_of_sparse_files),
		cmocka_unit_test(test_many_whiteouts),
	};

	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
