/*
 * The content store: an OCI image layout (image-layout.md) in $MVM_HOME/images
 * that skopeo and umoci read.
 *
 *   oci-layout  index.json  blobs/sha256/<hex>   the layout
 *   ingest/<hex>                                 a blob on its way in, flock()ed by who fetches it
 *   index.lock                                   held while index.json is replaced
 *   use.lock                                     shared by pulls, exclusive for garbage collection
 *
 * Theory of operation: a blob gets its final name only after its size and digest have matched
 * and it is on the disk; index.json names a manifest only when everything it needs is there;
 * index.json is replaced atomically. So a kill at any point leaves the old or the new state, plus
 * files that nothing refers to, which the next pull takes up if it wants them, and any other pull or removal collects.
 * Collection needs use.lock alone and steps back when a pull holds it.
 *
 * An entry of index.json carries `org.opencontainers.image.ref.name` and `io.containerd.image.name` (both
 * the full name) and `io.mvm.image.source` (repository@digest as the registry gave them). An entry
 * without a name is an image that lost its name to a newer one, as docker's <none>.
 *
 * Any process of the user may open the store; several at once are safe. Not for sharing between threads.
 */
#ifndef MVM_IMAGE_STORE_H
#define MVM_IMAGE_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "image.h"
#include "reference.h"

struct mvm_store;

/* Makes the layout where it is missing. `home` is MVM_HOME. */
int mvm_store_open(const char *home, struct mvm_store **store, struct mvm_error **err);
void mvm_store_close(struct mvm_store *store);
static inline void mvm_store_cleanup(struct mvm_store **store)
{
	mvm_store_close(*store);
}
#define MVM_CLEAN_STORE __attribute__((cleanup(mvm_store_cleanup)))

const char *mvm_store_home(const struct mvm_store *store);

/* What a user typed: a reference, or an image ID (full, or a unique prefix; "sha256:" optional). A name
 * wins over an ID's prefix. 0 with an image that the caller owns; NOT_FOUND says "no such image". */
int mvm_store_find(struct mvm_store *store, const char *text, struct mvm_image **image, struct mvm_error **err);
/* The same for a parsed reference: by name, or by the digest of manifest or index within the repository. */
int mvm_store_find_reference(struct mvm_store *store, const struct mvm_reference *reference, struct mvm_image **image,
			     struct mvm_error **err);

/* Every image once, with all its names, newest build first. The caller frees with mvm_image_list_finish(). */
struct mvm_image_list {
	struct mvm_image **items;
	size_t count;
};
int mvm_store_list(struct mvm_store *store, struct mvm_image_list *list, struct mvm_error **err);
void mvm_image_list_finish(struct mvm_image_list *list);
#define MVM_CLEAN_IMAGE_LIST __attribute__((cleanup(mvm_image_list_finish)))

/* Gives an image in the store one more name; the name leaves whoever had it. */
int mvm_store_tag(struct mvm_store *store, const struct mvm_image *image, const struct mvm_reference *reference,
		  struct mvm_error **err);

/* Who stands on an image. `container` gets the short ID of one of them. */
enum mvm_image_use { MVM_IMAGE_UNUSED, MVM_IMAGE_STOPPED, MVM_IMAGE_RUNNING };
enum { MVM_IMAGE_USER = 12 };
struct mvm_image_users {
	enum mvm_image_use (*find)(void *arg, const struct mvm_digest *id, char container[MVM_IMAGE_USER + 1]);
	void *arg;
};

/* What a removal did, for `rmi` to print. */
struct mvm_store_removed {
	struct mvm_strv untagged; /* full names that are gone, repository@digest among them */
	struct mvm_strv deleted;  /* the image ID and the chain IDs of layers that went with it; empty while the image
				     stays */
};
void mvm_store_removed_finish(struct mvm_store_removed *removed);
#define MVM_CLEAN_REMOVED __attribute__((cleanup(mvm_store_removed_finish)))

/* `rmi` by docker's rules: a name, repository@digest, or an ID, and the image with it where that was the last. CONFLICT
 * where containers or other names keep it and `force` is false, and where one that runs needs it whatever `force`
 * says. The caller drops disks that nobody wants any more. */
int mvm_store_remove(struct mvm_store *store, const char *text, bool force, const struct mvm_image_users *users,
		     struct mvm_store_removed *removed, struct mvm_error **err);

/* Drops blobs that nothing refers to and left-over ingests. 0 done, 1 a pull is running and it was left
 * to a later call. mvm_image_pull() and mvm_store_remove() call it. */
int mvm_store_collect(struct mvm_store *store, struct mvm_error **err);

/* Keeps pulls out while the lock is held: what one has made may have no name yet. 0 and the lock, 1 one is running. */
int mvm_store_keep_pulls_out(struct mvm_store *store, int *lock, struct mvm_error **err);

/* Path of a blob, whether there or not; the caller owns it. */
char *mvm_store_blob_path(const struct mvm_store *store, const struct mvm_digest *digest);

#endif
