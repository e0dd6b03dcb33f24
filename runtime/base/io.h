/*
 * Descriptors and files: the one helper each for full reads and writes, atomic
 * replacement, descriptor flags, descriptor passing, locks and trees.
 *
 * Everything opened here is close-on-exec. Works the same on Linux and macOS.
 */
#ifndef MVM_BASE_IO_H
#define MVM_BASE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <unistd.h>

struct mvm_error;

/* Reads or writes all of it, whatever EINTR does, on blocking descriptors.
 * Reading returns the count, which is short only at the end of the file;
 * both return -1 with errno set on failure. */
ssize_t mvm_read_full(int fd, void *data, size_t length);
ssize_t mvm_write_full(int fd, const void *data, size_t length);
ssize_t mvm_pwrite_full(int fd, const void *data, size_t length, off_t offset);

/* Whether writes go past the system's cache, so that a large file does not drive everything else out of it and costs no
 * copy. Where they do, they must begin and end at multiples of 4096 bytes, in the file and in memory. -1 with errno set
 * where the file system cannot; it may say so with a write's EINVAL, too. */
int mvm_set_uncached(int fd, bool on);

/* To be told of what has been written to a large file: every 16 MiB, counted in *pending, the system is asked to begin
 * writing it to the disk, where it can be (Linux), so that the fsync at the end finds little left to do. */
void mvm_write_back(int fd, size_t written, uint64_t *pending);

/* -1 with errno set on failure. */
int mvm_set_cloexec(int fd, bool on);
int mvm_set_nonblock(int fd, bool on);
/* Both ends close-on-exec. */
int mvm_pipe(int fds[2]);
/* AF_UNIX; type is SOCK_STREAM or SOCK_DGRAM. */
int mvm_socketpair(int type, int fds[2]);

/* Sends data with up to 8 descriptors attached; `length` must be at least 1.
 * Returns what sendmsg() does. The caller keeps its descriptors. */
ssize_t mvm_send_fds(int socket, const void *data, size_t length, const int *fds, size_t count);
/* Receives data and up to `max` (at most 8) descriptors, close-on-exec, owned by the caller.
 * Surplus descriptors are closed. Returns what recvmsg() does. */
ssize_t mvm_recv_fds(int socket, void *data, size_t length, int *fds, size_t max, size_t *count);

/* Whole small file, NUL-terminated, owned by the caller; larger than `max` is INVALID. */
int mvm_read_file(const char *path, size_t max, char **data, size_t *length, struct mvm_error **err);

/* Replaces `path` so that after a crash the old or the new content is there,
 * never half: unique temporary name, fsync, rename, fsync of the folder. */
int mvm_replace_file(const char *path, const void *data, size_t length, mode_t mode, struct mvm_error **err);
/* The same for what is written often and matters for a while only: readers find the old or the new content, and so
 * does who comes after a kill, but no disk is kept awake, and after a crash of the system it may be anything. */
int mvm_replace_passing_file(const char *path, const void *data, size_t length, mode_t mode, struct mvm_error **err);

/* A file that appears under its name when it is complete, in place of what was there; until then nothing is to be seen
 * of it where the system knows files without a name, also after this process was killed. What is written goes to `fd`.
 */
struct mvm_new_file {
	int fd;
	char *path, *temporary; /* NULL: it has no name yet */
};
#define MVM_NEW_FILE                                                                                                   \
	{                                                                                                              \
		.fd = -1                                                                                               \
	}
/* How a temporary name begins, which a kill may leave beside the final one: whoever owns the folder collects it. */
#define MVM_NEW_FILE_PREFIX ".mvm-"
int mvm_new_file_open(const char *path, mode_t mode, struct mvm_new_file *file, struct mvm_error **err);
int mvm_new_file_commit(struct mvm_new_file *file, struct mvm_error **err);
/* Without a commit nothing is left. */
void mvm_new_file_finish(struct mvm_new_file *file);
#define MVM_CLEAN_NEW_FILE __attribute__((cleanup(mvm_new_file_finish)))

/* Flushes a folder's entries, after a rename into it. */
int mvm_sync_folder(const char *path, struct mvm_error **err);

/* Makes the folder and its parents, mode 0700 where new. */
int mvm_make_folders(const char *path, struct mvm_error **err);

/* Removes a file or a tree without following symlinks. A path that is not there is success. */
int mvm_remove_tree(const char *path, struct mvm_error **err);

/* What the files of a tree take of the disk, in bytes of allocated blocks; false where some of it is closed to this
 * user, which is not in it. */
bool mvm_tree_size(const char *path, uint64_t *bytes);

/* For a process whose guest may make many connections, each of them a descriptor: as many as it may have, at most
 * `wanted`. Never fewer than it has; what is refused is left as it is. */
void mvm_raise_file_limit(unsigned long wanted);

/* Advisory lock by flock() on a file that holds no data, made where missing.
 * Returns 0 and a descriptor that holds the lock until closed; 1 where
 * MVM_LOCK_TRY and another holds it. */
enum { MVM_LOCK_SHARED = 1, MVM_LOCK_TRY = 2 };
int mvm_lock(const char *path, unsigned flags, int *fd, struct mvm_error **err);

/* Copy-on-write clone of a file: 0 done, 1 this file system cannot. `to` must not exist. */
int mvm_clone_file(const char *from, const char *to, struct mvm_error **err);
/* A copy of `size` bytes, which are no fewer than there are, with the holes that the file has. `to` must not exist. */
int mvm_copy_sparse(const char *from, const char *to, uint64_t size, struct mvm_error **err);

/* Descriptor -1 is fine; the variable is set to -1. */
void mvm_close(int *fd);
#define MVM_CLEAN_FD __attribute__((cleanup(mvm_close)))

#endif
