/*
 * The processor of a machine: amd64 or arm64, by Go's names as everywhere. It is what the machine's kernel is for, so
 * who gives another kernel has another machine; where it is not the host's processor, it is emulated.
 *
 * Used by the engine (which translators, which kernel), the supervisor (which initramfs) and the backend.
 */
#ifndef MVM_BASE_ARCH_H
#define MVM_BASE_ARCH_H

#include <stdbool.h>

struct mvm_error;

enum mvm_arch {
	MVM_ARCH_AMD64,
	MVM_ARCH_ARM64,
#if defined(__x86_64__)
	MVM_ARCH_OWN = MVM_ARCH_AMD64, /* the host's */
#elif defined(__aarch64__)
	MVM_ARCH_OWN = MVM_ARCH_ARM64,
#else
#error "mvm runs on x86-64 and arm64"
#endif
};

const char *mvm_arch_name(enum mvm_arch arch);

/* By docker's names for it, "x86_64" and "aarch64" among them. False for any other. */
bool mvm_arch_parse(const char *text, enum mvm_arch *arch);

/* Told by its first bytes: an arm64 `Image`, an x86-64 `vmlinux` or `bzImage`. For what is neither, or cannot be read,
 * the host's; the machine will then say what is wrong. The host's, too, for NULL, which is mvm's own kernel. */
enum mvm_arch mvm_kernel_arch(const char *path);

/* The kernel, or the initramfs with the agent, that mvm itself has for such machines. An amd64 kernel is there twice:
 * as the vmlinux that QEMU enters fastest, and as the bzImage that macOS wants (mvm_backend_kernel()). NOT_FOUND says
 * what to do. The caller owns the path. */
enum mvm_boot_file { MVM_BOOT_KERNEL, MVM_BOOT_BZIMAGE, MVM_BOOT_INITRAMFS };
int mvm_boot_file(enum mvm_arch arch, enum mvm_boot_file which, char **path, struct mvm_error **err);

#endif
