/*
 * Platforms: "linux/amd64", "linux/arm64/v8", normalised as containerd does
 * (github.com/containerd/platforms), and which image of an index fits one.
 *
 * Pure text, no I/O; inputs come from users and registries.
 */
#ifndef MVM_IMAGE_PLATFORM_H
#define MVM_IMAGE_PLATFORM_H

#include <stdbool.h>

struct mvm_error;

/* A plain value. `variant` is "" where there is none; arm64's v8 is normalised away. */
struct mvm_platform {
	char os[16];
	char architecture[16];
	char variant[16];
};

/* "linux/amd64", "amd64", "aarch64", "linux/arm/v7". INVALID where malformed or empty. */
int mvm_platform_parse(const char *text, struct mvm_platform *platform, struct mvm_error **err);
/* Linux on the host's processor. */
void mvm_platform_default(struct mvm_platform *platform);
/* From the fields of a descriptor or an image config; NULL reads as "". Too long is INVALID. */
int mvm_platform_set(const char *os, const char *architecture, const char *variant, struct mvm_platform *platform,
		     struct mvm_error **err);

/* "linux/arm/v7"; the caller owns it. */
char *mvm_platform_format(const struct mvm_platform *platform);

/* How well an image for `offered` serves who wants `wanted`: 0 not at all, larger is better. An older
 * variant of the same architecture runs (arm/v6 on arm/v7), a newer one does not. */
int mvm_platform_match(const struct mvm_platform *wanted, const struct mvm_platform *offered);

#endif
