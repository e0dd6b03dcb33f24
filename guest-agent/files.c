#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int file_append(int fd, const char *data, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, data, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		data += n;
		length -= (size_t)n;
	}
	return 0;
}

static int close_keeping_errno(int fd, int rc)
{
	int saved = errno;

	close(fd);
	errno = saved;
	return rc;
}

int file_set_at(int folder, const char *path, const char *value)
{
	int fd = openat(folder, path, O_WRONLY | O_CLOEXEC);

	/* In one call: to the kernel, each write is a setting of its own. */
	if (fd < 0)
		return -1;
	return close_keeping_errno(fd, write(fd, value, strlen(value)) < 0 ? -1 : 0);
}

int file_set(const char *path, const char *value)
{
	return file_set_at(AT_FDCWD, path, value);
}

int file_write(const char *path, const char *data, size_t length)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		return -1;
	return close_keeping_errno(fd, file_append(fd, data, length));
}

ssize_t file_read_at(int folder, const char *path, char *buffer, size_t size)
{
	int fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, buffer, size - 1);
	if (n >= 0)
		buffer[n] = '\0';
	return close_keeping_errno(fd, 0) ? -1 : n;
}

int file_edit(const char *path, const char *old, const char *new)
{
	static char text[64 * 1024], rest[sizeof(text)];
	ssize_t n = file_read_at(AT_FDCWD, path, text, sizeof(text));
	char *at = n < 0 ? NULL : *old ? strstr(text, old) : text + n;
	int fd, rc;

	if (!at || n == sizeof(text) - 1)
		return n < 0 ? -1 : 0;
	strcpy(rest, at + strlen(old));
	*at = '\0';
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0)
		return -1;
	rc = file_append(fd, text, strlen(text)) || file_append(fd, new, strlen(new)) ||
	     file_append(fd, rest, strlen(rest));
	return close_keeping_errno(fd, -rc);
}

struct text file_text_of(int fd)
{
	struct text text = {NULL, 0};
	struct stat status;
	void *data;

	if (fstat(fd, &status) || !S_ISREG(status.st_mode) || status.st_size == 0 || status.st_size > FILES_MAX)
		return text;
	data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return text;
	return (struct text){data, (size_t)status.st_size};
}

struct text file_text(const char *path)
{
	/* Not to wait where it is a pipe. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct text text = {NULL, 0};

	if (fd < 0)
		return text;
	text = file_text_of(fd);
	close(fd);
	return text;
}

int make_folders(const char *path)
{
	char part[PATH_MAX];
	size_t length = strlen(path);

	if (length >= sizeof(part)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(part, path, length + 1);
	for (size_t i = 1; i <= length; i++) {
		if (part[i] != '/' && part[i] != '\0')
			continue;
		part[i] = '\0';
		if (mkdir(part, 0755) && errno != EEXIST)
			return -1;
		part[i] = path[i];
	}
	return 0;
}
