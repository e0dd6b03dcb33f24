/* Small files: settings that are written in one call, and files read whole. */
#ifndef AGENT_FILES_H
#define AGENT_FILES_H

#include <stddef.h>
#include <sys/types.h>

#include "users.h"

/* -1 with errno set. The file must be there. */
int file_set(const char *path, const char *value);
int file_set_at(int folder, const char *path, const char *value);
/* Makes or replaces it, mode 0644. */
int file_write(const char *path, const char *data, size_t length);
/* Replaces the first `old` in it, "" being its end, and nothing where it has none or is larger than files are that the
 * agent wrote. */
int file_edit(const char *path, const char *old, const char *new);
/* To an open one, all of it. */
int file_append(int fd, const char *data, size_t length);
/* Up to `size` - 1 bytes, ended with NUL; -1 with errno set. */
ssize_t file_read_at(int folder, const char *path, char *buffer, size_t size);
/* A file of the image, which may be anything: what is no regular file is empty, and beyond
 * FILES_MAX nothing is read. The memory is never freed: for children before exec. */
enum { FILES_MAX = 4 * 1024 * 1024 };
struct text file_text(const char *path);
struct text file_text_of(int fd);
/* Makes a folder and its parents, 0755. */
int make_folders(const char *path);

#endif
