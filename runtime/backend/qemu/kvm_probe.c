#include "kvm_probe.h"

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "runtime/base/io.h"
#include "runtime/base/loop.h"

#ifdef __x86_64__

enum {
	PAGE = 4096,
	ROUNDS = 20000,	 /* of a loop of two instructions: 10 us on a processor */
	LIMIT_US = 3000, /* 150 ns a round: fifty times slower than a slow processor */
	ATTEMPTS = 3,	 /* the best counts, so that a busy host does not look like a slow one */
};

/* Three pages that Intel's KVM needs, out of the way. */
#define TSS_AT 0xfffbd000ul

struct probe {
	int vm, cpu;
	uint8_t *code;
	struct kvm_run *run;
	size_t run_size;
};

/* mov ecx, ROUNDS; again: dec ecx; jnz again; hlt */
static const uint8_t loop_code[] = {0xb9, ROUNDS & 0xff, ROUNDS >> 8, 0, 0, 0x49, 0x75, 0xfd, 0xf4};

static bool make_machine(int device, struct probe *probe)
{
	struct kvm_userspace_memory_region memory = {.memory_size = PAGE};
	int size;

	probe->vm = ioctl(device, KVM_CREATE_VM, 0);
	size = ioctl(device, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (probe->vm < 0 || size < (int)sizeof(struct kvm_run))
		return false;
	probe->code = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (probe->code == MAP_FAILED)
		return false;
	memcpy(probe->code, loop_code, sizeof(loop_code));
	memory.userspace_addr = (uintptr_t)probe->code;
	if (ioctl(probe->vm, KVM_SET_TSS_ADDR, TSS_AT) < 0 || ioctl(probe->vm, KVM_SET_USER_MEMORY_REGION, &memory) < 0)
		return false;
	probe->cpu = ioctl(probe->vm, KVM_CREATE_VCPU, 0);
	if (probe->cpu < 0)
		return false;
	probe->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, probe->cpu, 0);
	probe->run_size = (size_t)size;
	return probe->run != MAP_FAILED;
}

static void drop_machine(struct probe *probe)
{
	if (probe->run != MAP_FAILED)
		munmap(probe->run, probe->run_size);
	mvm_close(&probe->cpu);
	mvm_close(&probe->vm);
	if (probe->code != MAP_FAILED)
		munmap(probe->code, PAGE);
}

/* Protected mode, flat segments, no paging: the least that every processor runs by itself. */
static bool set_registers(int cpu)
{
	struct kvm_regs registers = {.rflags = 2};
	struct kvm_segment flat = {.limit = 0xffffffff, .present = 1, .s = 1, .g = 1, .db = 1};
	struct kvm_sregs special;

	if (ioctl(cpu, KVM_GET_SREGS, &special) < 0)
		return false;
	flat.type = 11;
	flat.selector = 8;
	special.cs = flat;
	flat.type = 3;
	flat.selector = 16;
	special.ds = special.es = special.fs = special.gs = special.ss = flat;
	special.cr0 |= 1;
	return ioctl(cpu, KVM_SET_SREGS, &special) == 0 && ioctl(cpu, KVM_SET_REGS, &registers) == 0;
}

static bool runs_fast(struct probe *probe)
{
	for (int i = 0; i < ATTEMPTS; i++) {
		uint64_t from = mvm_now_ns();

		if (!set_registers(probe->cpu) || ioctl(probe->cpu, KVM_RUN, 0) < 0 ||
		    probe->run->exit_reason != KVM_EXIT_HLT)
			return false;
		if (mvm_now_ns() - from < LIMIT_US * 1000u)
			return true;
	}
	return false;
}

enum kvm_probe kvm_probe(int device)
{
	struct probe probe = {.vm = -1, .cpu = -1, .code = MAP_FAILED, .run = MAP_FAILED};
	enum kvm_probe result = KVM_PROBE_BUSY;

	if (make_machine(device, &probe))
		result = runs_fast(&probe) ? KVM_PROBE_RUNS : KVM_PROBE_INTERPRETS;
	drop_machine(&probe);
	return result;
}

#else

enum kvm_probe kvm_probe(int device)
{
	(void)device;
	return KVM_PROBE_RUNS;
}

#endif
