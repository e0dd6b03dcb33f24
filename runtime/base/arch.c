#include "arch.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "io.h"
#include "kernel.h"
#include "mem.h"
#include "paths.h"

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
	unsigned char header[MVM_KERNEL_HEADER];
	ssize_t n = fd < 0 ? -1 : mvm_read_full(fd, header, sizeof(header));
	struct mvm_kernel_facts facts;

	return n > 0 && mvm_kernel_told_by(header, (size_t)n, &facts) ? facts.arch : MVM_ARCH_OWN;
}

int mvm_boot_file(enum mvm_arch arch, enum mvm_boot_file which, char **path, struct mvm_error **err)
{
	const char *file = which == MVM_BOOT_INITRAMFS				 ? "initramfs.cpio"
			   : which == MVM_BOOT_BZIMAGE && arch == MVM_ARCH_AMD64 ? "bzImage"
										 : "vmlinux";
	char *name MVM_CLEAN_FREE = NULL;

	if (arch == MVM_ARCH_OWN)
		name = mvm_format("initfs/%s", file);
	else
		name = mvm_format("initfs/%s/%s", mvm_arch_name(arch), file);
	if (mvm_own_file(name, path, NULL) == 0)
		return 0;
	if (which != MVM_BOOT_INITRAMFS)
		return mvm_fail(
			err, MVM_ERR_NOT_FOUND,
			"there is no kernel for %s machines here (%s); `mvm kernel pull NAME` brings one from a "
			"registry, `mvm kernel build --arch %s` makes one",
			mvm_arch_name(arch), name, mvm_arch_name(arch));
	return mvm_fail(err, MVM_ERR_NOT_FOUND,
			"there is no initramfs for %s machines here (%s); `mvm kernel pull NAME` brings one with its "
			"kernel, and in mvm's source `./dev build%s` makes it",
			mvm_arch_name(arch), name, arch == MVM_ARCH_OWN ? "" : " arm64");
}
