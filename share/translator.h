/*
 * Translators: programs that run in a VM and carry out there what was compiled for another architecture; on Linux
 * qemu-user, on macOS also Rosetta. A VM gets those that it needs as shares of one file, Rosetta as a share of its own,
 * and its kernel calls them (binfmt_misc).
 *
 * Used by the engine, which finds them, and by the supervisor, which says to the guest what they are for. Architectures
 * go by Go's names: amd64, arm64, 386.
 */
#ifndef MVM_SHARE_TRANSLATOR_H
#define MVM_SHARE_TRANSLATOR_H

#include <stdbool.h>

#include "runtime/base/arch.h"

struct mvm_config;
struct mvm_error;

/* All that there may be a translator for in such a VM, but for those that it runs itself; NULL at the end. Valid until
 * the next call. */
const char *const *mvm_translator_architectures(enum mvm_arch vm);
/* What the VM's processor and kernel run themselves. */
bool mvm_translator_native(enum mvm_arch vm, const char *architecture);
/* What is meant where nobody says an architecture: the other one of amd64 and arm64. */
const char *mvm_translator_usual(enum mvm_arch vm);

/* A static program for the VM: the one that the configuration names ("translators"), else one in the usual places. The
 * path is the caller's. UNSUPPORTED for an architecture that nothing translates, NOT_FOUND with what to install. */
int mvm_translator_find(const struct mvm_config *config, enum mvm_arch vm, const char *architecture, char **path,
			struct mvm_error **err);
/* Whether the VM can use the program at `path`: NOT_FOUND, or INVALID for what is no static program for it. */
int mvm_translator_check(enum mvm_arch vm, const char *path, struct mvm_error **err);

/* In place of a path: macOS's Rosetta, which no file of the host's stands for. */
#define MVM_TRANSLATOR_ROSETTA "rosetta"
/* Whether the configuration says which. */
bool mvm_translator_is_named(const struct mvm_config *config, const char *architecture);

/* What binfmt_misc is told: to run programs of that architecture by the one at `path` in the guest. The caller's. */
char *mvm_translator_rule(const char *architecture, const char *path);
/* The same for Rosetta. */
char *mvm_translator_rosetta_rule(const char *architecture);

#endif
