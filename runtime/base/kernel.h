/*
 * What a kernel's file says of itself: what kind of file it is, which processor it is for and which Linux it is.
 *
 * The file may be anything: it comes from a registry, or from who typed its name.
 */
#ifndef MVM_BASE_KERNEL_H
#define MVM_BASE_KERNEL_H

#include <stddef.h>

#include "arch.h"

enum mvm_kernel_format {
	MVM_KERNEL_VMLINUX, /* x86-64, an ELF program; QEMU enters it by its PVH note */
	MVM_KERNEL_IMAGE,   /* arm64, uncompressed */
	MVM_KERNEL_BZIMAGE, /* x86-64, compressed */
};

enum { MVM_KERNEL_VERSION_MAX = 63 };

struct mvm_kernel_facts {
	enum mvm_kernel_format format;
	enum mvm_arch arch;
	char version[MVM_KERNEL_VERSION_MAX + 1]; /* "6.1.192"; "" where the file does not say */
};

/* By the first bytes of a file, of which MVM_KERNEL_HEADER are enough. False for what is no kernel. */
enum { MVM_KERNEL_HEADER = 0x206 };
bool mvm_kernel_told_by(const unsigned char *header, size_t length, struct mvm_kernel_facts *facts);

/* The same of a file, and its version, for which all of it may be read. `name` is what errors call it. INVALID for what
 * is no kernel. */
int mvm_kernel_examine(const char *path, const char *name, struct mvm_kernel_facts *facts, struct mvm_error **err);

/* Whether it is made of what versions are made of: they are shown, and may come from a registry. */
bool mvm_kernel_version_valid(const char *text);

#endif
