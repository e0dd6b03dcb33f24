/*
 * The parts of `cp`. Entries and their content travel as the events of image/tar.h: from a tree of local files
 * (copy_walk.c) or a tar archive (image/tar.h) to the guest (copy_stream.c), and from the guest's archive to a local
 * folder (copy_unpack.c).
 */
#ifndef MVM_ENGINE_COPY_H
#define MVM_ENGINE_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine.h"
#include "image/tar.h"

/* Where entries go. */
struct copy_sink {
	const struct mvm_tar_ops *ops;
	void *arg;
};

/* A sink that hands on to another, and counts what docker's tar archive of it takes. */
struct copy_tally {
	struct copy_sink next;
	const struct mvm_copy *copy; /* whose progress() is told */
	uint64_t content, transferred;
	uint64_t at; /* of the content of the present file */
	uint64_t size;
};
extern const struct mvm_tar_ops copy_tally_ops;
enum { COPY_TAR_END = 1024 }; /* what an archive ends with */

/* The tree at `path`, its top called `name`, links not followed. Sockets are left out. Whatever cannot be read is the
 * error, which names it. */
int copy_walk(const char *path, const char *name, const struct copy_sink *sink, struct mvm_error **err);

/* To the guest, as its UNPACK reads it. */
struct copy_stream;
struct copy_stream *copy_stream_create(int fd);
void copy_stream_destroy(struct copy_stream *stream);
extern const struct mvm_tar_ops copy_stream_ops;
int copy_stream_end(struct copy_stream *stream, struct mvm_error **err);
/* The guest has closed the stream: why is in its answer. */
bool copy_stream_is_broken(const struct copy_stream *stream);

/*
 * Into a local folder, with docker's rules: a folder is never replaced by something else, nor something else by a
 * folder. Modes and times are as the entries say, owners only with `owners` and where this user may give files away; of
 * the extended attributes security.capability, where this user may set it. Entries are untrusted: names that lead out
 * are refused, and links on the way to an entry, whoever made them, lead nowhere but below the folder.
 */
struct copy_unpack;
int copy_unpack_create(const char *folder, bool owners, struct copy_unpack **out, struct mvm_error **err);
void copy_unpack_destroy(struct copy_unpack *unpack);
extern const struct mvm_tar_ops copy_unpack_ops;
/* Modes and times of folders come last. */
int copy_unpack_end(struct copy_unpack *unpack, struct mvm_error **err);

#endif
