#include "curl.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/error.h"
#include "runtime/base/mem.h"

#ifdef __APPLE__
#define LIBRARY "/usr/lib/libcurl.4.dylib"
#else
#define LIBRARY "libcurl.so.4"
#endif

struct mvm_curl mvm_curl;

static const struct {
	const char *name;
	size_t offset;
} functions[] = {
#define FUNCTION(name) {"curl_" #name, offsetof(struct mvm_curl, name)},
	MVM_CURL_FUNCTIONS(FUNCTION)
#undef FUNCTION
};

static int missing(struct mvm_error **err)
{
	return mvm_fail(err, MVM_ERR_UNSUPPORTED, "cannot load libcurl, which pulling needs: %s; install it",
			dlerror());
}

/* libcurl does not read HTTP_PROXY, for in a CGI program it would be a header of the client's. We are none, and docker
 * reads it. */
static void use_capital_proxy(void)
{
	const char *proxy = getenv("HTTP_PROXY");

	if (proxy && *proxy)
		setenv("http_proxy", proxy, 0);
}

int mvm_curl_load(struct mvm_error **err)
{
	static bool loaded;
	struct mvm_curl found;
	void *library;

	if (loaded)
		return 0;
	library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return missing(err);
	for (size_t i = 0; i < MVM_COUNT(functions); i++) {
		void *function = dlsym(library, functions[i].name);

		if (!function)
			return missing(err);
		memcpy((char *)&found + functions[i].offset, &function, sizeof(function));
	}
	found.global_init(CURL_GLOBAL_DEFAULT);
	use_capital_proxy();
	mvm_curl = found;
	loaded = true;
	return 0;
}
