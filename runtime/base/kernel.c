#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "error.h"
#include "io.h"
#include "mem.h"

/* Documentation/arm64/booting.rst; elf(5); Documentation/x86/boot.rst. */
enum {
	IMAGE_MAGIC = 56,
	IMAGE_HEADER = 64,
	ELF_CLASS = 4,
	ELF_CLASS_64 = 2,
	ELF_MACHINE = 18,
	ELF_X86_64 = 62,
	BOOT_FLAG = 0x1fe,
	BOOT_MAGIC = 0x202,
	BOOT_VERSION = 0x20e, /* where in the file, less 0x200, its version stands */
};

enum { CHUNK = 1 << 20 };

#define BANNER "Linux version "

bool mvm_kernel_told_by(const unsigned char *header, size_t length, struct mvm_kernel_facts *facts)
{
	if (length < IMAGE_HEADER)
		return false;
	if (!memcmp(header + IMAGE_MAGIC, "ARM\x64", 4)) {
		*facts = (struct mvm_kernel_facts){.format = MVM_KERNEL_IMAGE, .arch = MVM_ARCH_ARM64};
		return true;
	}
	if (!memcmp(header, "\177ELF", 4) && header[ELF_CLASS] == ELF_CLASS_64 && header[ELF_MACHINE] == ELF_X86_64) {
		*facts = (struct mvm_kernel_facts){.format = MVM_KERNEL_VMLINUX, .arch = MVM_ARCH_AMD64};
		return true;
	}
	if (length < MVM_KERNEL_HEADER || memcmp(header + BOOT_FLAG, "\x55\xaa", 2) != 0 ||
	    memcmp(header + BOOT_MAGIC, "HdrS", 4) != 0)
		return false;
	*facts = (struct mvm_kernel_facts){.format = MVM_KERNEL_BZIMAGE, .arch = MVM_ARCH_AMD64};
	return true;
}

bool mvm_kernel_version_valid(const char *text)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+~_-");

	return length && !text[length] && length <= MVM_KERNEL_VERSION_MAX && strchr("0123456789", *text);
}

/* Up to a blank or the end of the string, which must be among the `length` bytes. */
static bool take_version(const char *text, size_t length, char *version)
{
	char copy[MVM_KERNEL_VERSION_MAX + 1] = "";
	size_t end = 0;

	while (end < length && text[end] && text[end] != ' ')
		end++;
	if (end == length || end > MVM_KERNEL_VERSION_MAX)
		return false;
	memcpy(copy, text, end);
	if (!mvm_kernel_version_valid(copy))
		return false;
	memcpy(version, copy, sizeof(copy));
	return true;
}

/* The first banner with a version behind it; the format of printf that makes it has none. */
static bool find_banner(const char *data, size_t length, char *version)
{
	const char *at = data, *end = data + length;

	while ((at = memmem(at, (size_t)(end - at), BANNER, strlen(BANNER)))) {
		at += strlen(BANNER);
		if (take_version(at, (size_t)(end - at), version))
			return true;
	}
	return false;
}

/* In overlapping pieces, so that a banner that lies across two of them is found. */
static int scan(int fd, const char *name, char *version, struct mvm_error **err)
{
	enum { OVERLAP = sizeof(BANNER) + MVM_KERNEL_VERSION_MAX };
	char *data MVM_CLEAN_FREE = mvm_alloc(OVERLAP + CHUNK);
	size_t kept = 0;
	ssize_t n;

	while ((n = mvm_read_full(fd, data + kept, CHUNK)) > 0) {
		size_t length = kept + (size_t)n;

		if (find_banner(data, length, version))
			return 0;
		kept = length < OVERLAP ? length : OVERLAP;
		memmove(data, data + length - kept, kept);
	}
	return n < 0 ? mvm_fail_errno(err, errno, "cannot read the kernel %s", name) : 0;
}

static void read_boot_version(int fd, const unsigned char *header, char *version)
{
	off_t at = 0x200 + header[BOOT_VERSION] + 256 * header[BOOT_VERSION + 1];
	char text[MVM_KERNEL_VERSION_MAX + 1];
	ssize_t n = pread(fd, text, sizeof(text), at);

	if (n > 0)
		take_version(text, (size_t)n, version);
}

int mvm_kernel_examine(const char *path, const char *name, struct mvm_kernel_facts *facts, struct mvm_error **err)
{
	int fd MVM_CLEAN_FD = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char header[BOOT_VERSION + 2] = {0};
	ssize_t n = fd < 0 ? -1 : mvm_read_full(fd, header, sizeof(header));

	if (n < 0)
		return mvm_fail_errno(err, errno, "cannot read the kernel %s", name);
	if (!mvm_kernel_told_by(header, (size_t)n, facts))
		return mvm_fail(
			err, MVM_ERR_INVALID,
			"%s is no kernel that a machine boots: for amd64 that is an uncompressed vmlinux or a bzImage, "
			"for arm64 an uncompressed Image",
			name);
	if (facts->format == MVM_KERNEL_BZIMAGE) {
		read_boot_version(fd, header, facts->version);
		return 0;
	}
	if (lseek(fd, 0, SEEK_SET) < 0)
		return mvm_fail_errno(err, errno, "cannot read the kernel %s", name);
	return scan(fd, name, facts->version, err);
}
