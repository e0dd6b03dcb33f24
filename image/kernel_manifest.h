/*
 * Kernels as OCI artifacts (image-spec 1.1, manifest.md "Guidelines for Artifact Usage"): what a machine boots, for one
 * architecture.
 *
 *   artifactType  application/vnd.mvm.kernel.v1
 *   config        application/vnd.mvm.kernel.config.v1+json: {"architecture": "arm64", "os": "linux", "version":
 * "6.1.192"} layers        application/vnd.mvm.kernel.image.v1           the kernel, as a machine boots it
 *                 application/vnd.mvm.kernel.initramfs.v1.cpio  the initramfs with the agent
 *
 * Nothing in it is compressed or dated: a blob is the file that is booted, and the same files give the same digest.
 * Several architectures under one name are an OCI index whose entries say their platform.
 *
 * Bytes in, values out, no I/O. The bytes come from a registry, with the digest already checked or computed, and are
 * not trusted further. Errors: INVALID for what is no manifest, UNSUPPORTED for what is no kernel.
 */
#ifndef MVM_IMAGE_KERNEL_MANIFEST_H
#define MVM_IMAGE_KERNEL_MANIFEST_H

#include "image.h"
#include "runtime/base/arch.h"

struct mvm_error;

#define MVM_MEDIA_KERNEL	   "application/vnd.mvm.kernel.v1"
#define MVM_MEDIA_KERNEL_CONFIG	   "application/vnd.mvm.kernel.config.v1+json"
#define MVM_MEDIA_KERNEL_IMAGE	   "application/vnd.mvm.kernel.image.v1"
#define MVM_MEDIA_KERNEL_INITRAMFS "application/vnd.mvm.kernel.initramfs.v1.cpio"

/* In bytes; of each of the two files. */
enum { MVM_KERNEL_CONFIG_MAX = 64 << 10, MVM_KERNEL_FILE_MAX = 512 << 20 };

struct mvm_kernel_parts {
	struct mvm_descriptor config, image, initramfs;
};
/* The media types are those of above, and not set in the descriptors. */
int mvm_kernel_manifest_parse(const char *data, size_t length, struct mvm_kernel_parts *parts, struct mvm_error **err);
/* The caller's. */
char *mvm_kernel_manifest_format(const struct mvm_kernel_parts *parts);

struct mvm_kernel_config {
	enum mvm_arch arch;
	char *version; /* "" where nobody knows it */
};
int mvm_kernel_config_parse(const char *data, size_t length, struct mvm_kernel_config *config, struct mvm_error **err);
void mvm_kernel_config_finish(struct mvm_kernel_config *config);
#define MVM_CLEAN_KERNEL_CONFIG __attribute__((cleanup(mvm_kernel_config_finish)))
/* The caller's. */
char *mvm_kernel_config_format(enum mvm_arch arch, const char *version);

#endif
