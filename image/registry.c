#include "registry.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manifest.h"
#include "registry_internal.h"
#include "runtime/base/error.h"
#include "runtime/base/json.h"
#include "runtime/base/loop.h"
#include "runtime/base/text.h"

/* A server may ask for this much patience, in seconds; for more the user is told instead. */
#define MAX_PATIENCE 30
/* Before the second try, in milliseconds; from then on twice as long each time. */
#define FIRST_WAIT 250

static const char accepted_manifests[] =
	MVM_MEDIA_OCI_INDEX ", " MVM_MEDIA_DOCKER_LIST ", " MVM_MEDIA_OCI_MANIFEST ", " MVM_MEDIA_DOCKER_MANIFEST;

static void set_access(struct mvm_registry *registry, const struct mvm_registry_access *access)
{
	registry->actions = mvm_strdup(access ? access->actions : "pull");
	registry->push = strstr(registry->actions, "push") != NULL;
	mvm_strv_addf(&registry->scopes, "repository:%s:%s", registry->path, registry->actions);
	for (size_t i = 0; access && access->also && i < access->also->count; i++)
		mvm_strv_add(&registry->scopes, access->also->items[i]);
}

/* Whether an insecure registry speaks TLS, which takes a try. */
static void settle_scheme(struct mvm_registry *registry, struct mvm_endpoint *endpoint)
{
	char *url MVM_CLEAN_FREE = mvm_format("%s/v2/", endpoint->base);
	struct mvm_http_request request = {.url = url, .method = MVM_HTTP_HEAD, .tls = &endpoint->tls, .stay = true};
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	struct mvm_http_transfer *transfer;

	if (!endpoint->try_plain)
		return;
	endpoint->try_plain = false;
	transfer = mvm_http_create(&request, &registry->limits);
	if (mvm_http_perform(transfer, &cause) < 0 && mvm_error_code(cause) != MVM_ERR_INTERRUPTED) {
		free(endpoint->base);
		endpoint->base = mvm_format("http://%s", endpoint->name);
	}
	mvm_http_destroy(transfer);
}

int mvm_registry_open(const struct mvm_reference *reference, const struct mvm_registry_access *access,
		      const struct mvm_config *config, bool (*stopped)(void *arg), void *arg, struct mvm_registry **out,
		      struct mvm_error **err)
{
	struct mvm_registry *registry;

	if (mvm_curl_load(err) < 0)
		return -1;
	registry = mvm_alloc(sizeof(*registry));
	registry->path = mvm_strdup(reference->path);
	registry->display = mvm_reference_familiar_repository(reference);
	set_access(registry, access);
	registry->limits.stopped = stopped;
	registry->limits.arg = arg;
	if (mvm_registry_configure(registry, reference->domain, config, err) < 0) {
		mvm_registry_close(registry);
		return -1;
	}
	if (registry->endpoint_count == 1)
		settle_scheme(registry, &registry->endpoints[0]);
	*out = registry;
	return 0;
}

void mvm_registry_close(struct mvm_registry *registry)
{
	if (!registry)
		return;
	for (size_t i = 0; i < registry->endpoint_count; i++)
		mvm_endpoint_finish(&registry->endpoints[i]);
	free(registry->endpoints);
	mvm_strv_finish(&registry->scopes);
	free(registry->actions);
	free(registry->path);
	free(registry->display);
	free(registry);
}

void mvm_registry_manifest_finish(struct mvm_registry_manifest *manifest)
{
	mvm_buf_finish(&manifest->body);
	free(manifest->media_type);
	*manifest = (struct mvm_registry_manifest){0};
}

void mvm_registry_reason(const struct mvm_http_answer *answer, char *code, size_t code_size, char *message,
			 size_t message_size)
{
	json_t *root MVM_CLEAN_JSON = NULL;
	const json_t *error;
	const char *text;

	*code = *message = '\0';
	if (!answer->body.data || mvm_json_parse(answer->body.data, answer->body.length, "error", &root, NULL) < 0)
		return;
	error = json_array_get(json_object_get(root, "errors"), 0);
	text = json_string_value(json_object_get(error, "code"));
	snprintf(code, code_size, "%s", text ? text : "");
	text = json_string_value(json_object_get(error, "message"));
	snprintf(message, message_size, "%s", text ? text : "");
	/* It ends on a terminal. */
	for (char *at = message; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = ' ';
}

static int not_found(const struct mvm_registry *registry, const struct mvm_endpoint *endpoint, const char *what,
		     const char *code, struct mvm_error **err)
{
	if (!strcmp(code, "NAME_UNKNOWN"))
		return mvm_fail(err, MVM_ERR_NOT_FOUND, "%s has no repository %s; check the name", endpoint->name,
				registry->path);
	if (!strcmp(code, "MANIFEST_UNKNOWN"))
		return mvm_fail(err, MVM_ERR_NOT_FOUND, "manifest unknown: %s has no %s of %s; check name and tag",
				endpoint->name, what, registry->path);
	if (*code)
		return mvm_fail(err, MVM_ERR_NOT_FOUND, "%s has no %s of %s", endpoint->name, what, registry->path);
	return mvm_fail(err, MVM_ERR_NOT_FOUND,
			"%s has no %s of %s, and does not answer like a registry; check the name", endpoint->name, what,
			registry->path);
}

int mvm_registry_refused(const struct mvm_registry *registry, const struct mvm_endpoint *endpoint,
			 const struct mvm_http_answer *answer, const char *what, struct mvm_error **err)
{
	char *patience MVM_CLEAN_FREE =
		answer->retry_after ? mvm_format_age(answer->retry_after) : mvm_strdup("a while");
	char code[64], message[200];

	mvm_registry_reason(answer, code, sizeof(code), message, sizeof(message));
	switch (answer->status) {
	case 401:
		return mvm_registry_unauthorized(registry, endpoint, answer, err);
	case 403:
		return mvm_fail(err, MVM_ERR_AUTH, "%s denies access to %s%s%s", endpoint->name, registry->path,
				*message ? ": " : "", message);
	case 404:
		return not_found(registry, endpoint, what, code, err);
	case 429:
		return mvm_fail(err, MVM_ERR_NETWORK, "%s: too many requests%s%s; try again in %s", endpoint->name,
				*message ? ": " : "", message, patience);
	case 400:
		if (!strncmp(endpoint->base, "http://", 7) && !*code)
			return mvm_fail(err, MVM_ERR_NETWORK,
					"%s does not take plain HTTP requests; if it speaks TLS, name it with https:// "
					"as a mirror in the config file",
					endpoint->name);
		break;
	default:
		break;
	}
	return mvm_fail(err, MVM_ERR_NETWORK, "%s answers for %s with status %ld%s%s; %s", endpoint->name, what,
			answer->status, *message ? ": " : "", message,
			answer->status >= 500 ? "try again later" : "is it a registry?");
}

int mvm_registry_backoff(const struct mvm_http_answer *answer, int attempt)
{
	int least = answer->retry_after ? 1000 * (int)answer->retry_after : FIRST_WAIT << (attempt - 1);
	uint16_t random;

	if (answer->retry_after > MAX_PATIENCE)
		return -1;
	/* Not all clients that a server has lost may come back at the same moment. */
	mvm_random(&random, sizeof(random));
	return least + random % FIRST_WAIT;
}

void mvm_registry_pause(const struct mvm_registry *registry, int milliseconds)
{
	uint64_t end = mvm_now_ns() + (uint64_t)milliseconds * 1000000;

	while (mvm_now_ns() < end && !(registry->limits.stopped && registry->limits.stopped(registry->limits.arg)))
		poll(NULL, 0, milliseconds < 100 ? milliseconds : 100);
}

int mvm_registry_ask(struct mvm_registry *registry, struct mvm_endpoint *endpoint, struct mvm_http_request *request,
		     struct mvm_http_transfer **out, struct mvm_error **err)
{
	bool asked = false;

	for (;;) {
		struct mvm_http_transfer *transfer;
		int result;

		request->authorization = endpoint->authorization;
		request->tls = &endpoint->tls;
		transfer = mvm_http_create(request, &registry->limits);
		*out = transfer;
		if (mvm_http_perform(transfer, err) < 0)
			return -1;
		if (transfer->answer.status != 401 || asked)
			return 0;
		result = mvm_registry_authorize(registry, endpoint, transfer, err);
		if (result < 0)
			return -1;
		mvm_http_destroy(transfer);
		*out = NULL;
		asked = true;
	}
}

/* The same with patience. */
static int ask(struct mvm_registry *registry, struct mvm_endpoint *endpoint, struct mvm_http_request *request,
	       const char *what, struct mvm_http_transfer **out, struct mvm_error **err)
{
	for (int attempt = 1;; attempt++) {
		struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
		struct mvm_http_transfer *transfer = NULL;
		int result = mvm_registry_ask(registry, endpoint, request, &transfer, &cause);
		int wait = attempt < MVM_REGISTRY_TRIES && transfer && transfer->transient
				   ? mvm_registry_backoff(&transfer->answer, attempt)
				   : -1;

		if (result == 0 && transfer->answer.status == 200) {
			*out = transfer;
			return 0;
		}
		if (result == 0)
			result = mvm_registry_refused(registry, endpoint, &transfer->answer, what, &cause);
		mvm_http_destroy(transfer);
		if (wait < 0)
			return mvm_error_move(err, &cause);
		mvm_registry_pause(registry, wait);
	}
}

/* Tells of every server that was tried, when there was more than one. */
static int all_failed(struct mvm_error **err, struct mvm_buf *story, struct mvm_error **last)
{
	enum mvm_error_code code = mvm_error_code(*last);

	if (!story->length || code == MVM_ERR_INTERRUPTED)
		return mvm_error_move(err, last);
	return mvm_fail(err, code, "%s; and then: %s", story->data, mvm_error_message(*last));
}

int mvm_registry_ask_any(struct mvm_registry *registry, struct mvm_http_request *request, const char *path,
			 const char *what, struct mvm_http_transfer **out, struct mvm_error **err)
{
	struct mvm_buf story MVM_CLEAN_BUF = {0};

	for (size_t i = registry->current;; i++) {
		struct mvm_endpoint *endpoint = &registry->endpoints[i];
		struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
		char *url MVM_CLEAN_FREE = NULL;

		settle_scheme(registry, endpoint);
		url = mvm_format("%s%s", endpoint->base, path);
		request->url = url;
		if (ask(registry, endpoint, request, what, out, &cause) == 0) {
			registry->current = i;
			return 0;
		}
		if (i + 1 >= registry->endpoint_count || mvm_error_code(cause) == MVM_ERR_INTERRUPTED)
			return all_failed(err, &story, &cause);
		mvm_buf_addf(&story, "%s%s", story.length ? "; then: " : "", mvm_error_message(cause));
	}
}

static int ask_manifest(struct mvm_registry *registry, struct mvm_http_request *request, const char *name,
			struct mvm_http_transfer **out, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_format("/v2/%s/manifests/%s", registry->path, name);
	char *what MVM_CLEAN_FREE = mvm_format("manifest %s", name);

	return mvm_registry_ask_any(registry, request, path, what, out, err);
}

static int check_digest(const struct mvm_registry *registry, const char *name, const struct mvm_http_answer *answer,
			const struct mvm_digest *digest, struct mvm_error **err)
{
	const struct mvm_endpoint *endpoint = &registry->endpoints[registry->current];
	const char *claimed = strchr(name, ':') ? name : answer->digest;

	/* Another algorithm than ours cannot be compared, and by tag there is nothing that must match. */
	if (!claimed || strncmp(claimed, "sha256:", 7) || !strcmp(claimed, digest->text))
		return 0;
	return mvm_fail(err, MVM_ERR_CORRUPT,
			"%s sends a manifest that does not have its digest: %.100s asked for, %s got", endpoint->name,
			claimed, digest->text);
}

int mvm_registry_get_manifest(struct mvm_registry *registry, const char *name, struct mvm_registry_manifest *manifest,
			      struct mvm_error **err)
{
	struct mvm_http_request request = {.accept = accepted_manifests, .max = MVM_MANIFEST_MAX};
	struct mvm_http_transfer *transfer;
	struct mvm_digest digest;
	struct mvm_buf *body;
	int result;

	if (ask_manifest(registry, &request, name, &transfer, err) < 0)
		return -1;
	body = &transfer->answer.body;
	mvm_digest_of(body->data ? body->data : "", body->length, &digest);
	result = check_digest(registry, name, &transfer->answer, &digest, err);
	if (result == 0) {
		mvm_buf_reserve(body, 0);
		*manifest = (struct mvm_registry_manifest){
			.body = *body, .media_type = mvm_strdup(transfer->answer.content_type), .digest = digest};
		*body = (struct mvm_buf){0};
	}
	mvm_http_destroy(transfer);
	return result;
}

int mvm_registry_head_manifest(struct mvm_registry *registry, const char *name, struct mvm_digest *digest,
			       struct mvm_error **err)
{
	struct mvm_http_request request = {.method = MVM_HTTP_HEAD, .accept = accepted_manifests};
	struct mvm_http_transfer *transfer;
	int result;

	if (ask_manifest(registry, &request, name, &transfer, err) < 0)
		return -1;
	result = transfer->answer.digest && mvm_digest_parse(transfer->answer.digest, digest, NULL) == 0 ? 0 : 1;
	mvm_http_destroy(transfer);
	return result;
}
