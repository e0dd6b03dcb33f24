/* What the kernel commands share. */
#ifndef MVM_CLI_KERNEL_FLAGS_H
#define MVM_CLI_KERNEL_FLAGS_H

#include "cli.h"
#include "image/kernel.h"

#define CLI_ARCHITECTURES CLI_WORDS("amd64", "arm64")

/* `flag` is what errors call it. USAGE for what is none. */
int cli_parse_arch(const char *flag, const char *text, enum mvm_arch *arch, struct mvm_error **err);
/* Lets a kernel that has just come be used where its architecture has no other, and says so on stderr unless `quiet`.
 */
int cli_adopt_kernel(struct mvm_engine *engine, const struct mvm_kernel *kernel, bool quiet, struct mvm_error **err);

#endif
