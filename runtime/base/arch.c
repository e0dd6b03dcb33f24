#include "arch.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "io.h"
#include "mem.h"
#include "paths.h"

/* Documentation/arm64/booting.rst; elf(5). */
enum { HEADER = 64, IMAGE_MAGIC = 56, ELF_MACHINE = 18, ELF_X86_64 = 62 };

const char *mvm_arch_name(enum mvm_arch arch)
{
	return arch == MVM_ARCH_ARM64 ? "arm64" : "amd64";
}

bool mvm_arch_parse(const char *text, enum mvm_arch *arch)
{
	bool amd64 = !strcmp(text, "amd64") || !strcmp(text, "x86_64");

	if (!amd64 && strcmp(text, "arm64") != 0 && strcmp(text, "aarch64") != 0)
		return false;
	*arch = amd64 ? MVM_ARCH_AMD64 : MVM_ARCH_ARM64;
	return true;
}

enum mvm_arch mvm_kernel_arch(const char *path)
{
	int fd MVM_CLEAN_FD = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	unsigned char header[HEADER];

	if (fd < 0 || read(fd, header, sizeof(header)) != sizeof(header))
		return MVM_ARCH_OWN;
	if (!memcmp(header + IMAGE_MAGIC, "ARM\x64", 4))
		return MVM_ARCH_ARM64;
	if (!memcmp(header, "\177ELF", 4) && header[ELF_MACHINE] == ELF_X86_64)
		return MVM_ARCH_AMD64;
	return MVM_ARCH_OWN;
}

int mvm_boot_file(enum mvm_arch arch, enum mvm_boot_file which, char **path, struct mvm_error **err)
{
	const char *file = which == MVM_BOOT_KERNEL ? "vmlinux" : "initramfs.cpio";
	char *name MVM_CLEAN_FREE = NULL;

	if (arch == MVM_ARCH_OWN)
		name = mvm_format("initfs/%s", file);
	else
		name = mvm_format("initfs/%s/%s", mvm_arch_name(arch), file);
	if (mvm_own_file(name, path, NULL) == 0)
		return 0;
	if (arch == MVM_ARCH_OWN)
		return mvm_own_file(name, path, err);
	return mvm_fail(err, MVM_ERR_NOT_FOUND,
			"there is no %s for %s machines here (%s); in mvm's source, `./dev build %s` makes it",
			which == MVM_BOOT_KERNEL ? "kernel" : "initramfs", mvm_arch_name(arch), name,
			mvm_arch_name(arch));
}
