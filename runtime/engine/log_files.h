/*
 * The files of one container's log, oldest first, and where its last lines begin.
 *
 * Files are opened from the youngest to the oldest while rotation renames them from the oldest to the youngest: so none
 * is missed, and one that is met twice is seen by its inode.
 */
#ifndef MVM_ENGINE_LOG_FILES_H
#define MVM_ENGINE_LOG_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mvm_error;

struct log_files {
	int *fds;
	size_t count; /* 0: there is no log */
};
/* `path` is container.log; `rotated` how many others there may be. */
int log_files_open(const char *path, int64_t rotated, struct log_files *files, struct mvm_error **err);
void log_files_finish(struct log_files *files);
#define MVM_CLEAN_LOG_FILES __attribute__((cleanup(log_files_finish)))

/* Whether another file has the name `path` by now. */
bool log_files_rotated(const struct log_files *files, const char *path);
/* The place of `fd`'s file in the list; `count` where it is not there. */
size_t log_files_find(const struct log_files *files, int fd);

struct log_place {
	size_t file;
	off_t offset;
};
bool log_place_before(const struct log_place *a, const struct log_place *b);

/* Where the last `lines` lines of both streams together begin, for each stream: `from` is indexed by enum
 * mvm_log_stream. The parts of a long line are one line, also where the other stream's lines lie between. Reads from
 * the end and no more than it must. */
int log_files_tail(const struct log_files *files, int64_t lines, struct log_place from[2], struct mvm_error **err);

#endif
