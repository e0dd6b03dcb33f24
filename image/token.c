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

/* The scopes are what we are going to do, whatever more the server would have us ask for. */
static void get_query(CURL *curl, const struct mvm_registry *registry, const struct mvm_endpoint *endpoint,
		      const struct mvm_challenge *challenge, struct mvm_buf *query)
{
	if (endpoint->credential.username)
		add_field(curl, query, "account", endpoint->credential.username);
	if (registry->login) {
		add_field(curl, query, "client_id", CLIENT_ID);
		add_field(curl, query, "offline_token", "true");
	}
	add_field(curl, query, "service", challenge->service);
	for (size_t i = 0; i < registry->scopes.count; i++)
		add_field(curl, query, "scope", registry->scopes.items[i]);
}

static void get_form(CURL *curl, const struct mvm_registry *registry, const struct mvm_endpoint *endpoint,
		     const struct mvm_challenge *challenge, struct mvm_buf *form)
{
	struct mvm_buf scopes MVM_CLEAN_BUF = {0};

	for (size_t i = 0; i < registry->scopes.count; i++)
		mvm_buf_addf(&scopes, "%s%s", i ? " " : "", registry->scopes.items[i]);
	add_field(curl, form, "grant_type", "refresh_token");
	add_field(curl, form, "service", challenge->service);
	add_field(curl, form, "client_id", CLIENT_ID);
	if (scopes.length)
		add_field(curl, form, "scope", scopes.data);
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

static int request_token(struct mvm_registry *registry, struct mvm_endpoint *endpoint, const char *realm,
			 const struct mvm_challenge *challenge, struct mvm_error **err)
{
	const struct mvm_credential *credential = &endpoint->credential;
	struct mvm_http_request request = {.tls = &endpoint->tls, .max = MAX_ANSWER};
	struct mvm_buf fields MVM_CLEAN_BUF = {0};
	char *authorization MVM_CLEAN_FREE = NULL;
	char *url MVM_CLEAN_FREE = NULL;
	struct mvm_http_transfer *transfer;
	CURL *curl = mvm_curl.easy_init(); /* escaping wants one */
	int result;

	if (credential->identity_token) {
		get_form(curl, registry, endpoint, challenge, &fields);
		request.method = MVM_HTTP_POST;
		request.body = (struct mvm_http_body){.type = "application/x-www-form-urlencoded",
						      .data = fields.data,
						      .fd = -1,
						      .length = fields.length};
		request.stay = true;
		request.url = realm;
	} else {
		get_query(curl, registry, endpoint, challenge, &fields);
		url = mvm_format("%s%s%s", realm, strchr(realm, '?') ? "&" : "?", fields.data);
		authorization = credential->username ? basic(credential) : NULL;
		request.url = url;
		request.authorization = authorization;
	}
	mvm_curl.easy_cleanup(curl);
	transfer = mvm_http_create(&request, &registry->limits);
	result = mvm_http_perform(transfer, err);
	if (result == 0)
		result = take_answer(registry, endpoint, &transfer->answer, err);
	mvm_http_destroy(transfer);
	return result;
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
	if (load_credential(endpoint, err) < 0)
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
