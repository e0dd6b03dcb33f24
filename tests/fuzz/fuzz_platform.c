/* Platforms: what is taken reads the same when it is written out, and is the best that there is for itself. */
#include "fuzz.h"

#include "image/platform.h"
#include "runtime/base/mem.h"

bool fuzz_one(const uint8_t *data, size_t size)
{
	char *text MVM_CLEAN_FREE = mvm_strndup((const char *)data, size);
	char *written MVM_CLEAN_FREE = NULL;
	struct mvm_platform platform, again, host;

	if (mvm_platform_parse(text, &platform, NULL) < 0)
		return false;
	written = mvm_platform_format(&platform);
	fuzz_check(mvm_platform_parse(written, &again, NULL) == 0);
	fuzz_check(mvm_platform_same(&platform, &again));
	mvm_platform_normalise(&again);
	fuzz_check(mvm_platform_same(&platform, &again));
	mvm_platform_host(&host);
	fuzz_check(mvm_platform_match(&host, &platform) <= mvm_platform_match(&platform, &platform));
	mvm_platform_match(&platform, &host);
	return true;
}
