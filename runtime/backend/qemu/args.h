/*
 * QEMU's argument list, made by one pure function: no file is looked at, no variable read.
 */
#ifndef MVM_BACKEND_QEMU_ARGS_H
#define MVM_BACKEND_QEMU_ARGS_H

#include <stdint.h>

#include "runtime/backend/backend.h"
#include "runtime/base/arch.h"

struct mvm_strv;

/* The descriptors' numbers in the QEMU process. */
enum {
	QEMU_QMP_FD = 3,
	QEMU_CONSOLE_FD = 4,
	QEMU_MEMORY_FD = 5,
	QEMU_VSOCK_FD = 6,
	QEMU_FS_FD = 7,
	QEMU_NIC_FD = 8 /* and those after it */
};

struct qemu_args {
	const char *program;
	const struct mvm_machine_spec *spec;
	enum mvm_arch arch;
	enum mvm_accel accel; /* decided: KVM or TCG */
	uint32_t tsc_khz;     /* the host's; 0 where unknown. Of use to an emulated x86-64 only */
};

/* Names: the port that the hot-plugged NIC number `index` is put into. */
#define QEMU_HOT_PORT "hot%zu"

void qemu_args_build(const struct qemu_args *args, struct mvm_strv *argv);

/* The guest's memory in bytes: what the spec asks for in whole MiB, as QEMU takes it. */
uint64_t qemu_memory(const struct qemu_args *args);

/* The kernel's command line; the caller owns it. */
char *qemu_kernel_args(const struct qemu_args *args);

#endif
