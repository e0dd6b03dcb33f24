/* The tags of a repository (distribution-spec, "Listing Tags"), whose pages a Link header joins (RFC 8288). */
#include <stdlib.h>
#include <string.h>

#include "registry_internal.h"
#include "runtime/base/error.h"
#include "runtime/base/json.h"
#include "url.h"

#define MAX_PAGE (4u << 20)
/* A server that goes on for ever is stopped somewhere. */
#define MAX_TAGS 100000

/* The target of the link whose relation is "next"; NULL where there is none. The caller's. */
static char *next_link(const char *header)
{
	const char *open = header ? strchr(header, '<') : NULL;

	while (open) {
		const char *close = strchr(open, '>');
		const char *after = close ? strchr(close, '<') : NULL;
		char *parameters MVM_CLEAN_FREE = NULL;

		if (!close)
			return NULL;
		parameters = after ? mvm_strndup(close, (size_t)(after - close)) : mvm_strdup(close);
		if (strstr(parameters, "rel=\"next\"") || strstr(parameters, "rel=next"))
			return mvm_strndup(open + 1, (size_t)(close - open - 1));
		open = after;
	}
	return NULL;
}

/* Where the next page is, by its path at the same endpoint. 1 where this was the last. */
static int follow(const struct mvm_registry *registry, const struct mvm_http_transfer *transfer, char **path,
		  struct mvm_error **err)
{
	const struct mvm_endpoint *endpoint = &registry->endpoints[registry->current];
	char *link MVM_CLEAN_FREE = next_link(transfer->answer.link);
	char *url MVM_CLEAN_FREE = link ? mvm_url_resolve(transfer->request.url, link) : NULL;

	if (!link)
		return 1;
	if (!url || !mvm_url_same_origin(url, endpoint->base) || strncmp(url, endpoint->base, strlen(endpoint->base)))
		return mvm_fail(err, MVM_ERR_INVALID, "%s continues its list of tags at another server: %.200s",
				endpoint->name, link);
	free(*path);
	*path = mvm_strdup(url + strlen(endpoint->base));
	return 0;
}

static int take_page(const struct mvm_buf *body, struct mvm_strv *tags, struct mvm_error **err)
{
	json_t *root MVM_CLEAN_JSON = NULL;
	const json_t *list;
	json_t *value;
	size_t i;

	if (mvm_json_parse(body->data ? body->data : "", body->length, "list of tags", &root, err) < 0)
		return -1;
	/* A repository that has lost its last tag says null. */
	list = json_object_get(root, "tags");
	if (!json_is_object(root) || (list && !json_is_null(list) && !json_is_array(list)))
		return mvm_fail(err, MVM_ERR_INVALID, "the list of tags is not one");
	json_array_foreach(list, i, value)
	{
		if (!json_is_string(value))
			return mvm_fail(err, MVM_ERR_INVALID, "a tag in the list of tags is not a text");
		if (tags->count >= MAX_TAGS)
			return mvm_fail(err, MVM_ERR_INVALID, "more than %d tags", MAX_TAGS);
		mvm_strv_add(tags, json_string_value(value));
	}
	return 0;
}

int mvm_registry_list_tags(struct mvm_registry *registry, struct mvm_strv *out, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_format("/v2/%s/tags/list", registry->path);
	struct mvm_strv tags MVM_CLEAN_STRV = {0};
	size_t before;
	int result;

	do {
		struct mvm_http_request request = {.max = MAX_PAGE};
		struct mvm_http_transfer *transfer;

		before = tags.count;
		if (mvm_registry_ask_any(registry, &request, path, "list of tags", &transfer, err) < 0)
			return -1;
		result = take_page(&transfer->answer.body, &tags, err);
		if (result == 0)
			result = follow(registry, transfer, &path, err);
		mvm_http_destroy(transfer);
	} while (result == 0 && tags.count > before);
	if (result < 0)
		return -1;
	*out = tags;
	tags = (struct mvm_strv){0};
	return 0;
}
