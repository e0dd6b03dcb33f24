/*
 * Where a path of the host's leads, for what is lent to a VM: a guest can put links into the folders that it may write,
 * and must get nothing by them at its container's next start, or at its next connection to a socket.
 */
#ifndef MVM_SHARE_SOURCE_H
#define MVM_SHARE_SOURCE_H

#include <stddef.h>
#include <sys/types.h>

struct mvm_error;

/* The folders that the guest may write. */
struct mvm_share_roots {
	struct mvm_share_root {
		dev_t device;
		ino_t inode;
	} * items;
	size_t count;
};

/* What is no folder changes nothing: in a file there are no links, and in one that is not there yet neither. */
void mvm_share_roots_add(struct mvm_share_roots *roots, const char *path);
void mvm_share_roots_finish(struct mvm_share_roots *roots);
#define MVM_CLEAN_SHARE_ROOTS __attribute__((cleanup(mvm_share_roots_finish)))

/*
 * Follows an absolute path and its links as the kernel does, to a folder and a name in it that is no link, "." for the
 * folder itself; both are the caller's. A path that goes into one of the roots must end in it.
 * -1 with errno set: EXDEV where it does not, also when nothing is at its end.
 */
int mvm_share_find(const char *path, const struct mvm_share_roots *roots, int *folder, char **name);
/* What is there, for nothing but looking, found in the same way. */
int mvm_share_open(const char *path, const struct mvm_share_roots *roots);
/* The same as a refusal: INVALID where it does not end in a root that it goes into; all else is found by who opens it.
 */
int mvm_share_check_path(const char *path, const struct mvm_share_roots *roots, struct mvm_error **err);

#endif
