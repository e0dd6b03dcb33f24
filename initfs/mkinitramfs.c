/*
 * mkinitramfs AGENT OUTPUT: the build's tool that packs the guest agent into
 * the initramfs beside the kernel.
 */
#include <stdio.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"

#include "initramfs.h"

static int make(const char *agent_path, const char *output, struct mvm_error **err)
{
	struct mvm_buf archive MVM_CLEAN_BUF = {0};
	char *agent MVM_CLEAN_FREE = NULL;
	size_t length;

	if (mvm_read_file(agent_path, MVM_INITRAMFS_AGENT_MAX, &agent, &length, err) < 0)
		return -1;
	if (mvm_initramfs_build(agent, length, &archive, err) < 0)
		return mvm_error_wrap(err, "%s", agent_path);
	return mvm_replace_file(output, archive.data, archive.length, 0644, err);
}

int main(int argc, char **argv)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	if (argc != 3) {
		fprintf(stderr, "usage: mkinitramfs AGENT OUTPUT\n");
		return 2;
	}
	if (make(argv[1], argv[2], &err) < 0) {
		fprintf(stderr, "mkinitramfs: %s\n", mvm_error_message(err));
		return 1;
	}
	return 0;
}
