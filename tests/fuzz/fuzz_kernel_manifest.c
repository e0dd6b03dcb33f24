/* Manifests and configs of kernels. What is taken is written again and read back. */
#include "fuzz.h"

#include <string.h>

#include "image/kernel_manifest.h"
#include "runtime/base/kernel.h"
#include "runtime/base/mem.h"

static bool take_config(const char *data, size_t size)
{
	struct mvm_kernel_config config MVM_CLEAN_KERNEL_CONFIG = {0}, again MVM_CLEAN_KERNEL_CONFIG = {0};
	char *text MVM_CLEAN_FREE = NULL;

	if (mvm_kernel_config_parse(data, size, &config, NULL) < 0)
		return false;
	fuzz_check(!*config.version || mvm_kernel_version_valid(config.version));
	text = mvm_kernel_config_format(config.arch, config.version);
	fuzz_check(mvm_kernel_config_parse(text, strlen(text), &again, NULL) == 0);
	fuzz_check(again.arch == config.arch && !strcmp(again.version, config.version));
	return true;
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	struct mvm_kernel_parts parts, again;
	char *text MVM_CLEAN_FREE = NULL;

	if (mvm_kernel_manifest_parse((const char *)data, size, &parts, NULL) < 0)
		return take_config((const char *)data, size);
	fuzz_check(parts.image.size && parts.image.size <= MVM_KERNEL_FILE_MAX);
	fuzz_check(parts.initramfs.size && parts.initramfs.size <= MVM_KERNEL_FILE_MAX);
	text = mvm_kernel_manifest_format(&parts);
	fuzz_check(mvm_kernel_manifest_parse(text, strlen(text), &again, NULL) == 0);
	fuzz_check(!memcmp(&parts, &again, sizeof(parts)));
	return true;
}
