/*
 * Whether KVM runs code on the processor. Where it is itself emulated, or the host's
 * hypervisor offers it in name only, it interprets one instruction at a time, takes
 * many seconds over a kernel's first steps and then meets one that it does not know.
 * A short loop in a machine of one page tells the two apart in a millisecond.
 */
#ifndef MVM_BACKEND_QEMU_KVM_PROBE_H
#define MVM_BACKEND_QEMU_KVM_PROBE_H

enum kvm_probe {
	KVM_PROBE_RUNS,
	KVM_PROBE_INTERPRETS, /* or fails at the loop: no use for a kernel */
	KVM_PROBE_BUSY,	      /* no machine could be made; perhaps another hypervisor has the processor now */
};

/* `device` is an open /dev/kvm, borrowed. */
enum kvm_probe kvm_probe(int device);

#endif
