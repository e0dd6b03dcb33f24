#include "tmpfs.h"

#include <stddef.h>
#include <string.h>
#include <sys/mount.h>

#include "failure.h"

static const struct {
	const char *name;
	unsigned long set, clear;
} words[] = {
	{"ro", MS_RDONLY, 0},
	{"rw", 0, MS_RDONLY},
	{"suid", 0, MS_NOSUID},
	{"nosuid", MS_NOSUID, 0},
	{"dev", 0, MS_NODEV},
	{"nodev", MS_NODEV, 0},
	{"exec", 0, MS_NOEXEC},
	{"noexec", MS_NOEXEC, 0},
	{"sync", MS_SYNCHRONOUS, 0},
	{"async", 0, MS_SYNCHRONOUS},
	{"dirsync", MS_DIRSYNC, 0},
	{"atime", 0, MS_NOATIME},
	{"noatime", MS_NOATIME, 0},
	{"diratime", 0, MS_NODIRATIME},
	{"nodiratime", MS_NODIRATIME, 0},
	{"relatime", MS_RELATIME, 0},
	{"norelatime", 0, MS_RELATIME},
	{"strictatime", MS_STRICTATIME, 0},
	{"nostrictatime", 0, MS_STRICTATIME},
	{"defaults", 0, 0},
};

static int take_word(const char *word, size_t length, struct tmpfs *tmpfs)
{
	size_t used = strlen(tmpfs->data);

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strlen(words[i].name) != length || memcmp(words[i].name, word, length) != 0)
			continue;
		tmpfs->flags = (tmpfs->flags & ~words[i].clear) | words[i].set;
		return 0;
	}
	if (used + length + 2 > sizeof(tmpfs->data))
		return -1;
	if (used > 0)
		tmpfs->data[used++] = ',';
	memcpy(tmpfs->data + used, word, length);
	tmpfs->data[used + length] = '\0';
	return 0;
}

int tmpfs_parse(const char *text, struct tmpfs *tmpfs, struct failure *failure)
{
	const char *word = strchrnul(text, ':');
	size_t length = (size_t)(word - text);

	if (text[0] != '/' || length >= sizeof(tmpfs->path))
		return failure_set(failure, MVM_PROTO_MALFORMED, "a tmpfs needs an absolute path: %.400s", text);
	memcpy(tmpfs->path, text, length);
	tmpfs->path[length] = '\0';
	tmpfs->flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
	tmpfs->data[0] = '\0';
	while (*word) {
		word++;
		length = strcspn(word, ",");
		if (length > 0 && take_word(word, length, tmpfs))
			return failure_set(failure, MVM_PROTO_MALFORMED, "the options of tmpfs %.400s are too long",
					   tmpfs->path);
		word += length;
	}
	return 0;
}
