/*
 * The initramfs that every VM boots: the guest agent as /init and the few
 * folders and nodes that it needs before it has mounted anything.
 *
 * Used by the build (mkinitramfs), not by a running mvm. The result is a newc
 * cpio archive (Linux, Documentation/driver-api/early-userspace/buffer-format.rst),
 * uncompressed: the kernel unpacks it in a moment, and a decompressor under
 * emulation takes longer than the copy.
 *
 * The same agent gives the same bytes: times are zero, owners are root, inode
 * numbers count up in the order of the entries.
 */
#ifndef MVM_INITFS_INITRAMFS_H
#define MVM_INITFS_INITRAMFS_H

#include <stddef.h>

struct mvm_buf;
struct mvm_error;

/* Agents larger than this are refused: the whole archive is held in memory, here and in the guest. */
enum { MVM_INITRAMFS_AGENT_MAX = 16 << 20 };

/* Appends the archive with `agent` (an ELF image for the guest, INVALID where it is none) to `out`. */
int mvm_initramfs_build(const void *agent, size_t length, struct mvm_buf *out, struct mvm_error **err);

#endif
