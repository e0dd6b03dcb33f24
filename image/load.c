#include <string.h>

#include "archive_internal.h"
#include "disk.h"
#include "image_internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"

static int check_platform(const struct archive *archive, const struct mvm_image *image, struct mvm_error **err)
{
	const struct mvm_platform *wanted = archive->options->platform;
	char *have MVM_CLEAN_FREE = NULL;
	char *want MVM_CLEAN_FREE = NULL;

	if (!wanted || mvm_platform_suits(wanted, mvm_image_platform(image)))
		return 0;
	have = mvm_platform_format(mvm_image_platform(image));
	want = mvm_platform_format(wanted);
	return mvm_fail(err, MVM_ERR_UNSUPPORTED, "the archive has the image for %s, not for %s", have, want);
}

int archive_add_image(struct archive *archive, struct mvm_image **image, const char *name, struct mvm_error **err)
{
	struct archive_image *found = NULL;

	if (check_platform(archive, *image, err) < 0)
		return -1;
	for (size_t i = 0; i < archive->image_count && name; i++)
		if (mvm_digest_equal(&archive->images[i].image->descriptor.digest, &(*image)->descriptor.digest))
			found = &archive->images[i];
	if (!found) {
		archive->images = mvm_realloc(archive->images, archive->image_count + 1, sizeof(*archive->images));
		found = &archive->images[archive->image_count++];
		*found = (struct archive_image){.image = *image};
		*image = NULL;
	}
	if (name)
		mvm_strv_add(&found->names, name);
	return 0;
}

static int resolve(struct archive *archive, struct mvm_error **err)
{
	if (archive->index_json.data && (archive->oci_layout.data || !archive->manifest_json.data))
		return archive_resolve_oci(archive, err);
	if (archive->manifest_json.data)
		return archive_resolve_docker(archive, err);
	return mvm_fail(err, MVM_ERR_INVALID,
			"neither manifest.json nor index.json is in it: not an archive of images (a root file system "
			"becomes one by `mvm import`)");
}

static int unpack_all(struct archive *archive, struct mvm_error **err)
{
	for (size_t i = 0; i < archive->image_count; i++) {
		const struct archive_image *loaded = &archive->images[i];

		if (archive_unpack(archive->store, loaded->image, archive->options, err) < 0)
			return mvm_error_wrap(err, "image %s",
					      loaded->names.count ? loaded->names.items[0]
								  : mvm_image_id(loaded->image)->text);
		if (archive_interrupted(archive->options))
			return mvm_fail(err, MVM_ERR_INTERRUPTED, "interrupted");
	}
	return 0;
}

static int give_name(struct archive *archive, const struct mvm_image *image, const char *name,
		     const struct mvm_load_sink *sink, struct mvm_error **err)
{
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	struct mvm_image *before MVM_CLEAN_IMAGE = NULL;
	const struct mvm_digest *replaced = NULL;

	if (mvm_reference_parse(name, &reference, err) < 0)
		return -1;
	mvm_store_find_reference(archive->store, &reference, &before, NULL);
	if (before && !mvm_digest_equal(mvm_image_id(before), mvm_image_id(image)))
		replaced = mvm_image_id(before);
	/* What a pull noted of the same image stays. */
	if (!(before && mvm_digest_equal(&before->descriptor.digest, &image->descriptor.digest)) &&
	    mvm_store_put(archive->store, &image->descriptor, &image->blob.platform, name, NULL, err) < 0)
		return -1;
	sink->loaded(sink->arg, name, mvm_image_id(image), replaced);
	return 0;
}

static int show(struct archive *archive, const struct archive_image *loaded, const struct mvm_load_sink *sink,
		struct mvm_error **err)
{
	for (size_t i = 0; i < loaded->names.count; i++)
		if (give_name(archive, loaded->image, loaded->names.items[i], sink, err) < 0)
			return -1;
	if (loaded->names.count)
		return 0;
	if (archive_put_nameless(archive->store, loaded->image, err) < 0)
		return -1;
	sink->loaded(sink->arg, NULL, mvm_image_id(loaded->image), NULL);
	return 0;
}

static int load(struct archive *archive, int fd, const struct mvm_load_sink *sink, struct mvm_error **err)
{
	int lock MVM_CLEAN_FD = -1;

	/* For as long as this is held nothing is collected that we have found or brought. */
	if (mvm_store_lock_use(archive->store, MVM_LOCK_SHARED, &lock, err) < 0 || archive_read(archive, fd, err) < 0 ||
	    resolve(archive, err) < 0 || unpack_all(archive, err) < 0)
		return -1;
	for (size_t i = 0; i < archive->image_count; i++)
		if (show(archive, &archive->images[i], sink, err) < 0)
			return -1;
	return 0;
}

int mvm_image_load(struct mvm_store *store, int fd, const struct mvm_archive_options *options,
		   const struct mvm_load_sink *sink, struct mvm_error **err)
{
	struct archive archive = {.store = store, .options = options};
	int result = load(&archive, fd, sink, err);

	archive_finish(&archive);
	/* What a failure or a kill has left, and what the archive had that no image needs; not worth failing for. */
	mvm_store_collect(store, NULL);
	mvm_disk_collect(mvm_store_home(store), NULL);
	return result;
}
