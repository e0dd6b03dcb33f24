/*
 * Platforms: "linux/amd64", "linux/arm64/v8", read, normalised and matched as containerd does
 * (github.com/containerd/platforms), and which image of an index fits one.
 *
 * Pure text, no I/O; inputs come from users and registries.
 */
#ifndef MVM_IMAGE_PLATFORM_H
#define MVM_IMAGE_PLATFORM_H

#include <stdbool.h>

struct mvm_error;

/* A plain value. `variant` is "" where there is none. What a descriptor or a config says is kept as it is said, for
 * people to see; whatever compares normalises. */
struct mvm_platform {
	char os[16];
	char architecture[16];
	char variant[16];
};

/* "linux/amd64", "amd64", "aarch64", "linux/arm/v7", "linux". INVALID where malformed or empty. */
int mvm_platform_parse(const char *text, struct mvm_platform *platform, struct mvm_error **err);
/* From the fields of a descriptor or an image config; NULL reads as "". Too long is INVALID. */
int mvm_platform_set(const char *os, const char *architecture, const char *variant, struct mvm_platform *platform,
		     struct mvm_error **err);
/* One spelling for all that mean the same: amd64 and its v1, arm64 and its v8 have no variant, arm is v7. */
void mvm_platform_normalise(struct mvm_platform *platform);

/* Linux on the host's processor: what images are looked for where nobody asks for another one. */
void mvm_platform_default(struct mvm_platform *platform);
/* The same with the highest variant that the processor has: "linux/amd64/v3", "linux/arm64/v8". */
void mvm_platform_host(struct mvm_platform *platform);

/* "linux/arm/v7"; the caller owns it. */
char *mvm_platform_format(const struct mvm_platform *platform);

/* How well an image for `offered` serves who wants `wanted`: 0 not at all, larger is better. The same variant is best,
 * then the next older one (arm/v6 on arm/v7, amd64/v2 on amd64/v3) and so on, then the 32-bit sibling (386, arm). */
int mvm_platform_match(const struct mvm_platform *wanted, const struct mvm_platform *offered);
/* Whether it serves at all; an image's config, which often leaves the variant out, is taken at the architecture. */
bool mvm_platform_suits(const struct mvm_platform *wanted, const struct mvm_platform *offered);
/* Whether both mean the same, and nothing that is merely good enough. */
bool mvm_platform_same(const struct mvm_platform *a, const struct mvm_platform *b);

#endif
