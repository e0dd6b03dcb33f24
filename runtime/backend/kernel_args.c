#include "kernel_args.h"

#include "backend.h"
#include "runtime/base/mem.h"

void machine_kernel_args(const struct mvm_machine_spec *spec, enum mvm_arch arch, struct mvm_buf *line)
{
	/* Warnings and worse. All of it costs a line's way through three processes each, some 300 times. */
	mvm_buf_addf(line, "console=hvc0 %s", spec->debug ? "loglevel=7" : "loglevel=5");
	/* A panic ends the machine at once; on x86-64 by a triple fault, which needs no device. */
	mvm_buf_addf(line, " panic=-1%s", arch == MVM_ARCH_AMD64 ? " reboot=t" : "");
	/* No stray interface in the guest's lists. */
	mvm_buf_addf(line, " dummy.numdummies=0");
	/* There is none; looking for it takes 10 ms under emulation. */
	if (arch == MVM_ARCH_AMD64)
		mvm_buf_addf(line, " 8250.nr_uarts=0");
	/* While the kernel goes on with what else there is. Several disks at a time would get their names by chance. */
	mvm_buf_addf(line, " driver_async_probe=virtio_balloon%s", spec->disk_count <= 1 ? ",virtio_blk" : "");
}
