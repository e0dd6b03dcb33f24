/* Config blobs of images. */
#include "fuzz.h"

#include "image/config.h"

bool fuzz_one(const uint8_t *data, size_t size)
{
	struct mvm_config_blob blob MVM_CLEAN_CONFIG_BLOB = {0};

	return mvm_config_blob_parse((const char *)data, size, &blob, NULL) == 0;
}
