/* The part of the guest's command line that all backends have. */
#ifndef MVM_BACKEND_KERNEL_ARGS_H
#define MVM_BACKEND_KERNEL_ARGS_H

#include "runtime/base/arch.h"

struct mvm_buf;
struct mvm_machine_spec;

/* spec->kernel_args, which wins, is for the caller to add. */
void machine_kernel_args(const struct mvm_machine_spec *spec, enum mvm_arch arch, struct mvm_buf *line);

#endif
