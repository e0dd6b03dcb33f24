/*
 * What a process of ours gives up before it looks at foreign bytes, on Linux: capabilities and system calls.
 *
 * A filter is put together, then installed; it holds for the process from then on. No memory is taken.
 */
#ifndef MVM_BASE_CONFINE_H
#define MVM_BASE_CONFINE_H

#include <linux/filter.h>
#include <stdint.h>

enum { MVM_FILTER_MAX = 160 };

struct mvm_filter {
	struct sock_filter code[MVM_FILTER_MAX];
	unsigned short length;
};

/* System calls of another architecture end the process. */
void mvm_filter_begin(struct mvm_filter *filter);
/* `verdict` is one of seccomp(2), for a call by its number; the first that is said of a call counts. */
void mvm_filter_answer(struct mvm_filter *filter, unsigned number, uint32_t verdict);
/* The same where the lower half of an argument, masked, is `value`. */
void mvm_filter_answer_where(struct mvm_filter *filter, unsigned number, unsigned index, unsigned mask, unsigned value,
			     uint32_t verdict);
/* `otherwise` is the verdict on all other calls. Sets no_new_privs. Nothing is filtered under a sanitizer, whose
 * runtime has needs of its own. -1 with errno set; E2BIG where it did not fit. */
int mvm_filter_install(struct mvm_filter *filter, uint32_t otherwise);

/* Gives up all capabilities but those of the mask (bits are CAP_... of linux/capability.h), for ever. -1 with errno
 * set. */
int mvm_capabilities_keep(uint64_t kept);

#endif
