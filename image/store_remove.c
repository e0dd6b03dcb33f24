/*
 * `rmi`: which references and which image go, by docker's rules.
 *
 * An image has references of two kinds, tags and digests (repository@digest), in as many repositories as one likes.
 * They are spread over the entries of index.json: an entry has at most one name and one source, and an image may have
 * several. So references are collected first, taken out of the entries one by one, and what is left of the entries is
 * put in order at the end.
 */
#include <stdlib.h>
#include <string.h>

#include "image_internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "store_internal.h"

/* What a removal is about to do. */
struct removal {
	struct mvm_entries entries;
	struct mvm_image_list images;  /* before it */
	const struct mvm_image *image; /* borrowed from images; NULL where it cannot be read */
	struct mvm_strv references;    /* of the image, full: tags and digests */
	struct mvm_store_removed removed;
	enum mvm_image_use use;
	char user[MVM_IMAGE_USER + 1];
	bool force;
};

static void removal_finish(struct removal *removal)
{
	mvm_entries_finish(&removal->entries);
	mvm_image_list_finish(&removal->images);
	mvm_strv_finish(&removal->references);
	mvm_store_removed_finish(&removal->removed);
}

void mvm_store_removed_finish(struct mvm_store_removed *removed)
{
	mvm_strv_finish(&removed->untagged);
	mvm_strv_finish(&removed->deleted);
	*removed = (struct mvm_store_removed){0};
}

static bool same_text(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

static bool is_digest(const char *reference)
{
	return strchr(reference, '@') != NULL;
}

/* "docker.io/library/alpine" of a full reference. */
static size_t repository_length(const char *reference)
{
	const char *at = strchr(reference, '@');

	return at ? (size_t)(at - reference) : (size_t)(strrchr(reference, ':') - reference);
}

static bool same_repository(const char *a, const char *b)
{
	size_t length = repository_length(a);

	return length == repository_length(b) && !strncmp(a, b, length);
}

static const struct mvm_image *image_of(const struct removal *removal, const struct mvm_entry *entry)
{
	for (size_t i = 0; i < removal->images.count; i++)
		if (mvm_digest_equal(&entry->descriptor.digest, &removal->images.items[i]->descriptor.digest))
			return removal->images.items[i];
	return NULL;
}

/* An ID may have several manifests, with layers compressed one way and another. */
static bool is_of_image(const struct removal *removal, const struct mvm_entry *entry)
{
	const struct mvm_image *image = image_of(removal, entry);

	return image && mvm_digest_equal(mvm_image_id(image), mvm_image_id(removal->image));
}

static void collect_reference(struct mvm_strv *references, const char *reference)
{
	for (size_t i = 0; reference && i < references->count; i++)
		if (!strcmp(references->items[i], reference))
			return;
	if (reference)
		mvm_strv_add(references, reference);
}

static void list_references(struct removal *removal)
{
	mvm_strv_finish(&removal->references);
	for (size_t i = 0; i < removal->entries.count; i++) {
		const struct mvm_entry *entry = &removal->entries.items[i];

		if (!is_of_image(removal, entry))
			continue;
		collect_reference(&removal->references, entry->name);
		collect_reference(&removal->references, entry->source);
	}
}

/* Whether one repository holds it all: at most one tag, and digests beside it. */
static bool is_single(const struct mvm_strv *references)
{
	size_t tags = 0;

	for (size_t i = 0; i < references->count; i++) {
		tags += !is_digest(references->items[i]);
		if (!same_repository(references->items[i], references->items[0]))
			return false;
	}
	return tags <= 1;
}

/* Takes a reference out of every entry of the image that has it. */
static void drop_reference(struct removal *removal, const char *reference)
{
	mvm_strv_add(&removal->removed.untagged, reference);
	for (size_t i = 0; i < removal->entries.count; i++) {
		struct mvm_entry *entry = &removal->entries.items[i];

		if (!is_of_image(removal, entry))
			continue;
		if (same_text(entry->name, reference))
			mvm_entry_set_name(entry, NULL);
		if (same_text(entry->source, reference))
			mvm_entry_set_source(entry, NULL);
	}
	list_references(removal);
}

static void drop_all_references(struct removal *removal)
{
	while (removal->references.count) {
		char *reference MVM_CLEAN_FREE = mvm_strdup(removal->references.items[0]);

		drop_reference(removal, reference);
	}
}

/* A tag was the last of its repository: the repository's digests go with it. */
static void drop_digests_of(struct removal *removal, const char *tag)
{
	const struct mvm_strv *references = &removal->references;

	for (size_t i = 0; i < references->count; i++)
		if (!is_digest(references->items[i]) && same_repository(references->items[i], tag))
			return;
	for (size_t i = 0; i < references->count;) {
		char *reference MVM_CLEAN_FREE = mvm_strdup(references->items[i]);

		if (!same_repository(reference, tag)) {
			i++;
			continue;
		}
		drop_reference(removal, reference);
	}
}

/* Another entry of the same manifest that can do without the one at `index`, once it has its source. */
static bool merge_into_another(struct mvm_entries *entries, size_t index)
{
	const struct mvm_entry *entry = &entries->items[index];

	for (size_t i = 0; i < entries->count; i++) {
		struct mvm_entry *other = &entries->items[i];

		if (i == index || !mvm_digest_equal(&other->descriptor.digest, &entry->descriptor.digest))
			continue;
		if (entry->source && other->source && strcmp(entry->source, other->source) != 0)
			continue;
		if (entry->source && !other->source)
			mvm_entry_set_source(other, entry->source);
		return true;
	}
	return false;
}

/* An entry that has lost its name is needed only where no other can stand for it. */
static void tidy_entries(struct removal *removal)
{
	for (size_t i = removal->entries.count; i-- > 0;)
		if (!removal->entries.items[i].name && is_of_image(removal, &removal->entries.items[i]) &&
		    merge_into_another(&removal->entries, i))
			mvm_entries_remove(&removal->entries, i);
}

/* Whether an image that is left has the first `count` layers too. */
static bool chain_stays(const struct removal *removal, size_t count)
{
	const struct mvm_config_blob *ours = &removal->image->blob;

	for (size_t i = 0; i < removal->images.count; i++) {
		const struct mvm_image *other = removal->images.items[i];
		size_t same = 0;

		if (mvm_digest_equal(mvm_image_id(other), mvm_image_id(removal->image)))
			continue;
		while (same < count && same < other->blob.diff_id_count &&
		       mvm_digest_equal(&other->blob.diff_ids[same], &ours->diff_ids[same]))
			same++;
		if (same == count)
			return true;
	}
	return false;
}

/* Topmost first. */
static void list_deleted(struct removal *removal)
{
	const struct mvm_config_blob *blob = &removal->image->blob;
	struct mvm_digest *chains MVM_CLEAN_FREE = mvm_alloc((blob->diff_id_count + 1) * sizeof(*chains));

	mvm_strv_add(&removal->removed.deleted, mvm_image_id(removal->image)->text);
	for (size_t i = 0; i < blob->diff_id_count; i++) {
		chains[i] = i ? chains[i - 1] : (struct mvm_digest){0};
		mvm_digest_chain(&chains[i], &blob->diff_ids[i]);
	}
	for (size_t i = blob->diff_id_count; i > 0; i--)
		if (!chain_stays(removal, i))
			mvm_strv_add(&removal->removed.deleted, chains[i - 1].text);
}

static void delete_image(struct removal *removal)
{
	drop_all_references(removal);
	for (size_t i = removal->entries.count; i-- > 0;)
		if (is_of_image(removal, &removal->entries.items[i]))
			mvm_entries_remove(&removal->entries, i);
	list_deleted(removal);
}

static int conflict(const struct removal *removal, bool hard, const char *reason, const char *container,
		    struct mvm_error **err)
{
	return mvm_fail(err, MVM_ERR_CONFLICT, "conflict: unable to delete %.*s (%s be forced) - image is %s%s",
			MVM_DIGEST_SHORT, mvm_digest_hex(mvm_image_id(removal->image)), hard ? "cannot" : "must",
			reason, container);
}

/* What keeps the image whatever is forced, and then what can be forced. */
static int check_users(const struct removal *removal, bool ask_references, struct mvm_error **err)
{
	if (removal->use == MVM_IMAGE_RUNNING)
		return conflict(removal, true, "being used by running container ", removal->user, err);
	if (removal->force)
		return 0;
	if (ask_references && removal->references.count)
		return conflict(removal, false, "referenced in multiple repositories", "", err);
	if (removal->use == MVM_IMAGE_STOPPED)
		return conflict(removal, false, "being used by stopped container ", removal->user, err);
	return 0;
}

static int remove_reference(struct removal *removal, const char *text, const char *reference, struct mvm_error **err)
{
	if (!removal->force && removal->use != MVM_IMAGE_UNUSED && is_single(&removal->references))
		return mvm_fail(err, MVM_ERR_CONFLICT,
				"conflict: unable to remove repository reference \"%s\" (must force) - container %s is "
				"using its referenced image %.*s",
				text, removal->user, MVM_DIGEST_SHORT, mvm_digest_hex(mvm_image_id(removal->image)));
	drop_reference(removal, reference);
	if (!is_digest(reference))
		drop_digests_of(removal, reference);
	if (removal->references.count == 0 && check_users(removal, true, NULL) == 0)
		delete_image(removal);
	return 0;
}

static int remove_by_id(struct removal *removal, struct mvm_error **err)
{
	if (check_users(removal, !is_single(&removal->references), err) < 0)
		return -1;
	delete_image(removal);
	return 0;
}

/* "alpine@sha256:..." may be the manifest's own digest where the registry gave that of an index. */
static bool is_meant(const struct mvm_entry *entry, const struct mvm_reference *reference, const char *name)
{
	if (same_text(entry->name, name) || same_text(entry->source, name))
		return true;
	return mvm_digest_is_set(&reference->digest) && entry->source && same_repository(entry->source, name) &&
	       mvm_digest_equal(&entry->descriptor.digest, &reference->digest);
}

/* The reference that the user means, as the entries have it; NULL where there is none. */
static char *find_reference(struct removal *removal, const char *text)
{
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	char *name MVM_CLEAN_FREE = NULL;

	if (!strncmp(text, "sha256:", 7) || mvm_reference_parse(text, &reference, NULL) < 0)
		return NULL;
	name = mvm_reference_full(&reference);
	for (size_t i = 0; i < removal->entries.count; i++) {
		const struct mvm_entry *entry = &removal->entries.items[i];

		if (!is_meant(entry, &reference, name))
			continue;
		removal->image = image_of(removal, entry);
		return mvm_strdup(same_text(entry->name, name) ? entry->name : entry->source);
	}
	return NULL;
}

/* One whose blobs are damaged cannot be looked at; its name can go. */
static void remove_broken(struct removal *removal, const char *reference)
{
	mvm_strv_add(&removal->removed.untagged, reference);
	for (size_t i = removal->entries.count; i-- > 0;)
		if (same_text(removal->entries.items[i].name, reference) ||
		    same_text(removal->entries.items[i].source, reference))
			mvm_entries_remove(&removal->entries, i);
}

static int decide(struct removal *removal, const char *text, const struct mvm_image_users *users,
		  struct mvm_error **err)
{
	char *reference MVM_CLEAN_FREE = find_reference(removal, text);
	size_t index;

	if (reference && !removal->image) {
		remove_broken(removal, reference);
		return 0;
	}
	if (!reference) {
		if (mvm_store_match_id(&removal->images, text, &index, err) < 0)
			return -1;
		removal->image = removal->images.items[index];
	}
	if (users)
		removal->use = users->find(users->arg, mvm_image_id(removal->image), removal->user);
	list_references(removal);
	if (reference ? remove_reference(removal, text, reference, err) : remove_by_id(removal, err))
		return -1;
	tidy_entries(removal);
	return 0;
}

static int remove_locked(struct mvm_store *store, const char *text, bool force, const struct mvm_image_users *users,
			 struct mvm_store_removed *removed, struct mvm_error **err)
{
	struct removal removal __attribute__((cleanup(removal_finish))) = {.force = force};
	int lock MVM_CLEAN_FD = -1;

	if (mvm_store_lock_index(store, 0, &lock, err) < 0 || mvm_entries_load(store, &removal.entries, err) < 0 ||
	    mvm_store_load_images(store, &removal.entries, &removal.images, err) < 0 ||
	    decide(&removal, text, users, err) < 0 || mvm_entries_save(store, &removal.entries, err) < 0)
		return -1;
	*removed = removal.removed;
	removal.removed = (struct mvm_store_removed){0};
	return 0;
}

int mvm_store_remove(struct mvm_store *store, const char *text, bool force, const struct mvm_image_users *users,
		     struct mvm_store_removed *removed, struct mvm_error **err)
{
	if (remove_locked(store, text, force, users, removed, err) < 0)
		return -1;
	/* The name is gone; blobs that cannot be dropped now are dropped by the next removal or pull. */
	mvm_store_collect(store, NULL);
	return 0;
}
