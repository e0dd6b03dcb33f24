/* Manifests and indexes; of an index the choice by platform too. */
#include "fuzz.h"

#include "image/manifest.h"
#include "runtime/base/mem.h"

bool fuzz_one(const uint8_t *data, size_t size)
{
	static const char *const types[] = {NULL, MVM_MEDIA_OCI_INDEX, MVM_MEDIA_DOCKER_MANIFEST, "text/html"};
	struct mvm_manifest manifest MVM_CLEAN_MANIFEST = {0};
	const struct mvm_index_entry *entry = NULL;
	struct mvm_platform platform;

	for (size_t i = 1; i < MVM_COUNT(types); i++) {
		struct mvm_manifest other MVM_CLEAN_MANIFEST = {0};

		mvm_manifest_parse((const char *)data, size, types[i], &other, NULL);
	}
	if (mvm_manifest_parse((const char *)data, size, NULL, &manifest, NULL) < 0)
		return false;
	fuzz_check(manifest.is_index ? !manifest.layers : !manifest.entries);
	mvm_platform_parse("linux/arm/v7", &platform, NULL);
	if (manifest.is_index && mvm_manifest_choose(&manifest, &platform, &entry, NULL) == 0)
		fuzz_check(entry >= manifest.entries && entry < manifest.entries + manifest.entry_count);
	return true;
}
