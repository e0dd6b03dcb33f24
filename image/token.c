/*
 * What goes with a request that a registry refuses with 401: a token (distribution-spec "Token Authentication", and its
 * OAuth2 variant for identity tokens), or name and password.
 *
 * Credentials are looked up when a server asks for them, those of its own domain only: a mirror gets none that are
 * not stored for it. Name and password go to the server and to the token server that it names; not to that one over
 * plain HTTP, unless it is the same host.
 */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "auth.h"
#include "registry_internal.h"
#include "runtime/base/error.h"
#include "url.h"

#define MAX_ANSWER (1 << 20)
#define CLIENT_ID  "mvm"

/* "mvm login" for Docker Hub, "mvm login registry.example". */
static char *login_command(const struct mvm_endpoint *endpoint)
{
	return strcmp(endpoint->domain, "docker.io") ? mvm_format("mvm login %s", endpoint->domain)
						     : mvm_strdup("mvm login");
}

static const char *user_of(const struct mvm_endpoint *endpoint)
{
	return endpoint->credential.username ? endpoint->credential.username : "the stored token";
}

static bool is_known(const struct mvm_credential *credential)
{
	return credential->username || credential->identity_token || credential->registry_token;
}

/* No credentials, or a token that does not reach this far. */
static int wants_login(const struct mvm_registry *registry, const struct mvm_endpoint *endpoint, struct mvm_error **err)
{
	char *login MVM_CLEAN_FREE = login_command(endpoint);
	const char *action = registry->push ? "push" : "pull";

	if (registry->login)
		return mvm_fail(err, MVM_ERR_AUTH, "%s grants nothing to %s", endpoint->name, user_of(endpoint));
	if (is_known(&endpoint->credential))
		return mvm_fail(
			err, MVM_ERR_AUTH,
			"%s access denied by %s: repository %s does not exist, or %s may not %s; check the name, or "
			"run '%s' as somebody who may",
			action, endpoint->name, registry->display, user_of(endpoint), action, login);
	return mvm_fail(
		err, MVM_ERR_AUTH,
		"%s access denied by %s: repository %s does not exist, or requires a login; check the name, or run "
		"'%s'",
		action, endpoint->name, registry->display, login);
}

static int wrong_credential(const struct mvm_registry *registry, const struct mvm_endpoint *endpoint,
			    const struct mvm_http_answer *answer, struct mvm_error **err)
{
	char *login MVM_CLEAN_FREE = login_command(endpoint);
	char code[64], reason[200];

	mvm_registry_reason(answer, code, sizeof(code), reason, sizeof(reason));
	if (registry->login)
		return mvm_fail(err, MVM_ERR_AUTH, "unauthorized: %s",
				*reason ? reason : "incorrect username or password");
	return mvm_fail(err, MVM_ERR_AUTH, "%s refuses the credentials of %s%s%s; run '%s' anew", endpoint->name,
			user_of(endpoint), *reason ? ": " : "", reason, login);
}

int mvm_registry_unauthorized(const struct mvm_registry *registry, const struct mvm_endpoint *endpoint,
			      const struct mvm_http_answer *answer, struct mvm_error **err)
{
	/* A token was had with good credentials; name and password are tried here. */
	if (endpoint->authorization && !strncmp(endpoint->authorization, "Basic ", 6))
		return wrong_credential(registry, endpoint, answer, err);
	return wants_login(registry, endpoint, err);
}

static char *basic(const struct mvm_credential *credential)
{
	char *text MVM_CLEAN_FREE =
		mvm_format("%s:%s", credential->username, credential->password ? credential->password : "");
	char *encoded MVM_CLEAN_FREE = mvm_alloc(strlen(text) / 3 * 4 + 5);

	EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)text, (int)strlen(text));
	return mvm_format("Basic %s", encoded);
}

static void add_field(CURL *curl, struct mvm_buf *form, const char *name, const char *value)
{
	char *escaped = mvm_curl.easy_escape(curl, value ? value : "", 0);

	mvm_buf_addf(form, "%s%s=%s", form->length ? "&" : "", name, escaped ? escaped : "");
	mvm_curl.free(escaped);
}

/* What we are going to do, whatever more the server would have us ask for. At a login it is nothing. */
static void get_scopes(const struct mvm_registry *registry, const struct mvm_challenge *challenge,
		       struct mvm_strv *scopes)
{
	char *longer = registry->login ? NULL : mvm_challenge_scope(challenge, registry->path, registry->actions);

	for (size_t i = 0; i < registry->scopes.count && !registry->login; i++)
		mvm_strv_add(scopes, registry->scopes.items[i]);
	if (longer)
		mvm_strv_take(scopes, longer);
}

static void get_query(CURL *curl, const struct mvm_registry *registry, const struct mvm_endpoint *endpoint,
		      const struct mvm_challenge *challenge, struct mvm_buf *query)
{
	struct mvm_strv scopes MVM_CLEAN_STRV = {0};

	get_scopes(registry, challenge, &scopes);
	if (endpoint->credential.username)
		add_field(curl, query, "account", endpoint->credential.username);
	if (registry->login) {
		add_field(curl, query, "client_id", CLIENT_ID);
		add_field(curl, query, "offline_token", "true");
	}
	add_field(curl, query, "service", challenge->service);
	for (size_t i = 0; i < scopes.count; i++)
		add_field(curl, query, "scope", scopes.items[i]);
}

static void get_form(CURL *curl, const struct mvm_registry *registry, const struct mvm_endpoint *endpoint,
		     const struct mvm_challenge *challenge, struct mvm_buf *form)
{
	struct mvm_strv scopes MVM_CLEAN_STRV = {0};
	struct mvm_buf list MVM_CLEAN_BUF = {0};

	get_scopes(registry, challenge, &scopes);
	for (size_t i = 0; i < scopes.count; i++)
		mvm_buf_addf(&list, "%s%s", i ? " " : "", scopes.items[i]);
	add_field(curl, form, "grant_type", "refresh_token");
	add_field(curl, form, "service", challenge->service);
	add_field(curl, form, "client_id", CLIENT_ID);
	if (list.length)
		add_field(curl, form, "scope", list.data);
	add_field(curl, form, "refresh_token", endpoint->credential.identity_token);
}

static void settle(struct mvm_endpoint *endpoint, char *authorization)
{
	free(endpoint->authorization);
	endpoint->authorization = authorization;
}

static int take_answer(struct mvm_registry *registry, struct mvm_endpoint *endpoint,
		       const struct mvm_http_answer *answer, struct mvm_error **err)
{
	const struct mvm_credential *credential = &endpoint->credential;
	bool known = is_known(credential);
	struct mvm_token token = {0};

	/* OAuth2 says 400 for a refresh token that has come to its end (RFC 6749 §5.2). */
	if (answer->status == 401 || answer->status == 403 || (answer->status == 400 && credential->identity_token))
		return known ? wrong_credential(registry, endpoint, answer, err) : wants_login(registry, endpoint, err);
	if (answer->status != 200)
		return mvm_fail(err, MVM_ERR_NETWORK, "the token server answers with status %ld; try again later",
				answer->status);
	if (mvm_token_parse(answer->body.data ? answer->body.data : "", answer->body.length, &token, err) < 0)
		return -1;
	settle(endpoint, mvm_format("Bearer %s", token.access));
	if (registry->login && token.refresh && !credential->identity_token)
		endpoint->credential.identity_token = mvm_strdup(token.refresh);
	mvm_token_finish(&token);
	return 0;
}

struct token_request {
	struct mvm_http_request http;
	struct mvm_buf fields;
	char *url, *authorization;
};

static void token_request_finish(struct token_request *request)
{
	mvm_buf_finish(&request->fields);
	free(request->url);
	free(request->authorization);
}

static void prepare(const struct mvm_registry *registry, const struct mvm_endpoint *endpoint, const char *realm,
		    const struct mvm_challenge *challenge, struct token_request *request)
{
	const struct mvm_credential *credential = &endpoint->credential;
	CURL *curl = mvm_curl.easy_init(); /* escaping wants one */

	request->http = (struct mvm_http_request){.tls = &endpoint->tls, .max = MAX_ANSWER};
	if (credential->identity_token) {
		get_form(curl, registry, endpoint, challenge, &request->fields);
		request->url = mvm_strdup(realm);
		request->http.method = MVM_HTTP_POST;
		request->http.body = (struct mvm_http_body){.type = "application/x-www-form-urlencoded",
							    .data = request->fields.data,
							    .fd = -1,
							    .length = request->fields.length};
		request->http.stay = true;
	} else {
		get_query(curl, registry, endpoint, challenge, &request->fields);
		request->url = mvm_format("%s%s%s", realm, strchr(realm, '?') ? "&" : "?", request->fields.data);
		request->authorization = credential->username ? basic(credential) : NULL;
		request->http.authorization = request->authorization;
	}
	request->http.url = request->url;
	mvm_curl.easy_cleanup(curl);
}

static int request_token(struct mvm_registry *registry, struct mvm_endpoint *endpoint, const char *realm,
			 const struct mvm_challenge *challenge, struct mvm_error **err)
{
	struct token_request request __attribute__((cleanup(token_request_finish))) = {0};

	prepare(registry, endpoint, realm, challenge, &request);
	for (int attempt = 1;; attempt++) {
		struct mvm_http_transfer *transfer = mvm_http_create(&request.http, &registry->limits);
		struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
		int result = mvm_http_perform(transfer, &cause), wait = -1;

		if (result == 0)
			result = take_answer(registry, endpoint, &transfer->answer, &cause);
		if (result < 0 && transfer->transient && attempt < MVM_REGISTRY_TRIES)
			wait = mvm_registry_backoff(&transfer->answer, attempt);
		mvm_http_destroy(transfer);
		if (wait < 0)
			return result < 0 ? mvm_error_move(err, &cause) : 0;
		mvm_registry_pause(registry, wait);
	}
}

/* Plain HTTP is for where the registry itself is spoken to so; and name and password stay on its host, whatever the
 * port. */
static int check_realm(const struct mvm_endpoint *endpoint, const char *realm, struct mvm_error **err)
{
	bool known = is_known(&endpoint->credential);

	if (!strncmp(realm, "https://", 8))
		return 0;
	if (!strncmp(endpoint->base, "https://", 8))
		return mvm_fail(err, MVM_ERR_NETWORK,
				"%s names a token server that is not to be trusted, being without TLS: %.200s",
				endpoint->name, realm);
	if (known && !mvm_url_same_host(realm, endpoint->base))
		return mvm_fail(
			err, MVM_ERR_AUTH,
			"%s names a token server without TLS on another host, which gets no credentials: %.200s",
			endpoint->name, realm);
	return 0;
}

static int get_token(struct mvm_registry *registry, struct mvm_endpoint *endpoint,
		     const struct mvm_challenge *challenge, struct mvm_error **err)
{
	char *realm MVM_CLEAN_FREE = mvm_url_resolve(endpoint->base, challenge->realm);

	if (!realm)
		return mvm_fail(err, MVM_ERR_NETWORK, "%s names a token server that is not to be trusted: %.200s",
				endpoint->name, challenge->realm);
	if (check_realm(endpoint, realm, err) == 0 && request_token(registry, endpoint, realm, challenge, err) == 0)
		return 0;
	return registry->login ? -1 : mvm_error_wrap(err, "no token for %s", endpoint->name);
}

static int load_credential(struct mvm_endpoint *endpoint, struct mvm_error **err)
{
	if (endpoint->has_credential)
		return 0;
	if (mvm_credentials_get(endpoint->domain, &endpoint->credential, err) < 0)
		return -1;
	endpoint->has_credential = true;
	return 0;
}

/* Where a redirect has led us, nobody may ask for what the registry's own server is trusted with. */
static int check_who_asks(const struct mvm_endpoint *endpoint, const struct mvm_http_transfer *refused,
			  struct mvm_error **err)
{
	char *url = NULL, *host MVM_CLEAN_FREE = NULL;

	mvm_curl.easy_getinfo(refused->curl, CURLINFO_EFFECTIVE_URL, &url);
	if (url && mvm_url_same_origin(url, endpoint->base))
		return 0;
	host = mvm_http_host(url ? url : "");
	return mvm_fail(err, MVM_ERR_AUTH,
			"%s redirects to %s, which wants a login; refused, for that is another server", endpoint->name,
			host);
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
	const struct mvm_credential *credential = &endpoint->credential;

	if (is_renewed(endpoint, refused->request.authorization))
		return 0;
	if (check_who_asks(endpoint, refused, err) < 0 || load_credential(endpoint, err) < 0)
		return -1;
	mvm_challenge_parse(refused->answer.challenge ? refused->answer.challenge : "", &challenge);
	if (challenge.realm && !credential->registry_token)
		return get_token(registry, endpoint, &challenge, err);
	if (credential->registry_token)
		settle(endpoint, mvm_format("Bearer %s", credential->registry_token));
	else if (challenge.basic && credential->username && credential->password)
		settle(endpoint, basic(credential));
	else
		return wants_login(registry, endpoint, err);
	return 0;
}
