#include "url.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "curl.h"
#include "runtime/base/mem.h"

static CURLU *parse(const char *url)
{
	CURLU *handle = mvm_curl.url();

	if (!handle)
		abort(); /* only memory can be missing */
	if (mvm_curl.url_set(handle, CURLUPART_URL, url, 0) == CURLUE_OK)
		return handle;
	mvm_curl.url_cleanup(handle);
	return NULL;
}

/* A copy; NULL where the URL has no such part. */
static char *part_of(CURLU *handle, CURLUPart part, unsigned flags)
{
	char *value, *copy;

	if (mvm_curl.url_get(handle, part, &value, flags) != CURLUE_OK)
		return NULL;
	copy = mvm_strdup(value);
	mvm_curl.free(value);
	return copy;
}

char *mvm_url_resolve(const char *base, const char *location)
{
	CURLU *handle = parse(base);
	char *scheme MVM_CLEAN_FREE = NULL;
	char *url = NULL;

	if (!handle)
		return NULL;
	if (mvm_curl.url_set(handle, CURLUPART_URL, location, CURLU_DISALLOW_USER) == CURLUE_OK &&
	    mvm_curl.url_set(handle, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK)
		scheme = part_of(handle, CURLUPART_SCHEME, 0);
	if (scheme && (!strcasecmp(scheme, "http") || !strcasecmp(scheme, "https")))
		url = part_of(handle, CURLUPART_URL, 0);
	mvm_curl.url_cleanup(handle);
	return url;
}

char *mvm_url_with_field(const char *url, const char *name, const char *value)
{
	char *field MVM_CLEAN_FREE = mvm_format("%s=%s", name, value);
	CURLU *handle = parse(url);
	char *result = NULL;

	if (!handle)
		return NULL;
	if (mvm_curl.url_set(handle, CURLUPART_QUERY, field, CURLU_APPENDQUERY | CURLU_URLENCODE) == CURLUE_OK)
		result = part_of(handle, CURLUPART_URL, 0);
	mvm_curl.url_cleanup(handle);
	return result;
}

static char *origin_of(const char *url)
{
	static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
	CURLU *handle = parse(url);
	struct mvm_buf origin = {0};

	for (size_t i = 0; handle && i < MVM_COUNT(parts); i++) {
		char *part MVM_CLEAN_FREE = part_of(handle, parts[i], CURLU_DEFAULT_PORT);

		mvm_buf_addf(&origin, "%s\n", part ? part : "");
	}
	mvm_curl.url_cleanup(handle);
	return mvm_buf_steal(&origin);
}

static char *host_of(const char *url)
{
	CURLU *handle = parse(url);
	char *host = handle ? part_of(handle, CURLUPART_HOST, 0) : NULL;

	mvm_curl.url_cleanup(handle);
	return host;
}

bool mvm_url_same_host(const char *a, const char *b)
{
	char *left MVM_CLEAN_FREE = host_of(a);
	char *right MVM_CLEAN_FREE = host_of(b);

	return left && right && !strcasecmp(left, right);
}

bool mvm_url_same_origin(const char *a, const char *b)
{
	char *left MVM_CLEAN_FREE = origin_of(a);
	char *right MVM_CLEAN_FREE = origin_of(b);

	return *left && !strcasecmp(left, right);
}
