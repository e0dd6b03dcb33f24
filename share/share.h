/*
 * Shares: what a VM sees of the host's files. All of a VM's are folders of one tree, numbered from 0, which one server
 * shows to it (server.h): they take one PCI slot, one process and one set of queues, however many they are.
 *
 * A folder is the folder "N" of the tree, a single file is "N/file", alone in a file system of its own.
 */
#ifndef MVM_SHARE_SHARE_H
#define MVM_SHARE_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mvm_error;

enum mvm_share_kind { MVM_SHARE_FOLDER, MVM_SHARE_FILE, MVM_SHARE_SOCKET };

struct mvm_share {
	char *source; /* an absolute path */
	enum mvm_share_kind kind;
	bool read_only;
};

struct mvm_shares {
	struct mvm_share *items;
	size_t count;
	bool watched;	   /* some of them: watch.h */
	uint32_t uid, gid; /* inside, of whom the user's own files are: usually root */
};

/* What is at that path, links followed. NOT_FOUND where nothing is; INVALID for what cannot be shared, such as a FIFO
 * or what is mvm's own: `home`, the folder in which `runtime` is, with the sockets of all homes, and what is in them;
 * IO where this user may not look. */
int mvm_share_classify(const char *source, const char *home, const char *runtime, enum mvm_share_kind *kind,
		       struct mvm_error **err);

/* A folder that is to be shared and is missing is made with its parents, mode 0755; what is there stays. */
int mvm_share_make_folder(const char *path, struct mvm_error **err);

/* Its number in the tree. One that is there already is not added again. */
size_t mvm_shares_add(struct mvm_shares *shares, const char *source, enum mvm_share_kind kind, bool read_only);
void mvm_shares_finish(struct mvm_shares *shares);

#endif
