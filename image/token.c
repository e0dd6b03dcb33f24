/* Tokens for requests that a registry refuses with 401 (distribution-spec "Token Authentication"). */
#include <stdlib.h>
#include <string.h>

#include "auth.h"
#include "registry_internal.h"
#include "runtime/base/error.h"

#define MAX_ANSWER (1 << 20)

int mvm_registry_wants_login(const struct mvm_registry *registry, const struct mvm_endpoint *endpoint,
			     struct mvm_error **err)
{
	return mvm_fail(err, MVM_ERR_AUTH,
			"pull access denied by %s: repository %s does not exist, or requires a login, and mvm pulls "
			"without one; check the name",
			endpoint->name, registry->display);
}

static void add_parameter(CURL *curl, struct mvm_buf *url, const char *name, const char *value)
{
	char *escaped = mvm_curl.easy_escape(curl, value, 0);

	mvm_buf_addf(url, "%s%s=%s", strchr(url->data, '?') ? "&" : "?", name, escaped ? escaped : "");
	mvm_curl.free(escaped);
}

/* The scopes are what we are going to do, whatever more the server would have us ask for. */
static char *token_url(CURL *curl, const struct mvm_registry *registry, const struct mvm_challenge *challenge)
{
	struct mvm_buf url = {0};

	mvm_buf_addf(&url, "%s", challenge->realm);
	add_parameter(curl, &url, "service", challenge->service ? challenge->service : "");
	for (size_t i = 0; i < registry->scopes.count; i++)
		add_parameter(curl, &url, "scope", registry->scopes.items[i]);
	return mvm_buf_steal(&url);
}

static int request_token(struct mvm_registry *registry, struct mvm_endpoint *endpoint, const char *url,
			 struct mvm_error **err)
{
	struct mvm_http_request request = {.url = url, .max = MAX_ANSWER};
	struct mvm_http_transfer *transfer = mvm_http_create(&request, &registry->limits);
	int result = mvm_http_perform(transfer, err);
	const struct mvm_http_answer *answer = &transfer->answer;
	char *token;

	if (result == 0 && (answer->status == 401 || answer->status == 403))
		result = mvm_registry_wants_login(registry, endpoint, err);
	else if (result == 0 && answer->status != 200)
		result = mvm_fail(err, MVM_ERR_NETWORK, "the token server answers with status %ld; try again later",
				  answer->status);
	else if (result == 0)
		result = mvm_token_parse(answer->body.data ? answer->body.data : "", answer->body.length, &token, err);
	if (result == 0) {
		free(endpoint->authorization);
		endpoint->authorization = mvm_format("Bearer %s", token);
		free(token);
	}
	mvm_http_destroy(transfer);
	return result;
}

/* Several requests under way meet the end of one token; the first gets the next one for all. */
static bool is_renewed(const struct mvm_endpoint *endpoint, const char *used)
{
	return endpoint->authorization && (!used || strcmp(endpoint->authorization, used) != 0);
}

int mvm_registry_authorize(struct mvm_registry *registry, struct mvm_endpoint *endpoint,
			   const struct mvm_http_transfer *refused, struct mvm_error **err)
{
	struct mvm_challenge challenge MVM_CLEAN_CHALLENGE = {0};
	struct mvm_http_transfer *transfer;
	struct mvm_http_request request;
	char *url;
	int result;

	if (is_renewed(endpoint, refused->request.authorization))
		return 0;
	mvm_challenge_parse(refused->answer.challenge ? refused->answer.challenge : "", &challenge);
	if (!challenge.realm)
		return mvm_registry_wants_login(registry, endpoint, err);
	if (strncmp(challenge.realm, "https://", 8) &&
	    (strncmp(challenge.realm, "http://", 7) || strncmp(endpoint->base, "http://", 7)))
		return mvm_fail(err, MVM_ERR_NETWORK, "%s names a token server that is not to be trusted: %.200s",
				endpoint->name, challenge.realm);
	request = (struct mvm_http_request){.url = challenge.realm};
	transfer = mvm_http_create(&request, &registry->limits);
	url = token_url(transfer->curl, registry, &challenge);
	mvm_http_destroy(transfer);
	result = request_token(registry, endpoint, url, err);
	free(url);
	return result < 0 ? mvm_error_wrap(err, "no token for %s", endpoint->name) : 0;
}
