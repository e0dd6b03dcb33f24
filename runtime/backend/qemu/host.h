/*
 * What was learnt about the host since it booted, kept in the cache folder so that the
 * next start does not learn it again: whether KVM can run a kernel, what the user was
 * told, how fast the time stamp counter runs.
 *
 * Losing the file, or one of two supervisors' writes, costs only learning it again.
 */
#ifndef MVM_BACKEND_QEMU_HOST_H
#define MVM_BACKEND_QEMU_HOST_H

#include <stdbool.h>
#include <stdint.h>

#define KVM_DEVICE "/dev/kvm"

struct mvm_error;

/* Names of these go into the file. */
enum kvm_state {
	KVM_USABLE,   /* as far as one can tell without running a kernel */
	KVM_MISSING,  /* no /dev/kvm */
	KVM_DENIED,   /* not ours to open */
	KVM_BUSY,     /* opens, but makes no machine now */
	KVM_UNUSABLE, /* makes machines that cannot run a kernel */
};

struct host_facts {
	bool kvm_tried;	     /* kvm_probe() was content with it */
	bool kvm_unusable;   /* it was not, or a kernel could not run */
	enum kvm_state told; /* the state that the user was last told about; KVM_USABLE: none */
	uint32_t tsc_khz;    /* 0: not measured */
	bool tsc_varies;     /* measured once: it does not tick evenly, so the guest must not rely on it */
};

/* Facts of another boot, or a file that cannot be read, are no facts. */
void host_facts_load(struct host_facts *facts);
/* A failure is logged, nothing more. */
void host_facts_save(const struct host_facts *facts);

/* Whether the device can be opened; takes no time. */
enum kvm_state host_open_kvm(const char *device);
/* Whether it is worth starting a machine on. Tries it where the facts do not tell, and adds to them; the caller
 * saves them. */
enum kvm_state host_try_kvm(const char *device, struct host_facts *facts);
/* The line for the user about a state other than KVM_USABLE. */
const char *host_kvm_notice(enum kvm_state state);

#endif
