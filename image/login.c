#include "login.h"

#include <string.h>

#include "registry_internal.h"
#include "runtime/base/error.h"

#define MAX_ANSWER (64 << 10)

static void copy_credential(const struct mvm_credential *from, struct mvm_credential *to)
{
	*to = (struct mvm_credential){.username = mvm_strdup(from->username),
				      .password = mvm_strdup(from->password),
				      .identity_token = mvm_strdup(from->identity_token),
				      .registry_token = mvm_strdup(from->registry_token)};
}

/* A good answer to GET /v2/ says that a registry knows us (distribution-spec "Determining Support"). */
static int check(struct mvm_registry *registry, struct mvm_endpoint *endpoint, struct mvm_error **err)
{
	char *url MVM_CLEAN_FREE = mvm_format("%s/v2/", endpoint->base);
	struct mvm_http_request request = {.url = url, .max = MAX_ANSWER};
	struct mvm_http_transfer *transfer = NULL;
	int result = mvm_registry_ask(registry, endpoint, &request, &transfer, err);
	long status = result == 0 ? transfer->answer.status : 0;

	if (status == 401)
		result = mvm_registry_unauthorized(registry, endpoint, &transfer->answer, err);
	else if (result == 0 && status != 200)
		result = mvm_fail(err, MVM_ERR_NETWORK,
				  "login attempt to %s failed with status: %ld; is it a registry?", url, status);
	mvm_http_destroy(transfer);
	return result;
}

int mvm_registry_login(const char *domain, const struct mvm_config *config, struct mvm_credential *credential,
		       bool (*stopped)(void *arg), void *arg, struct mvm_error **err)
{
	char *name MVM_CLEAN_FREE = mvm_format("%s/login", domain);
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	struct mvm_registry *registry;
	struct mvm_endpoint *endpoint;
	int result;

	/* To push, so that it is the registry and not a mirror. */
	if (mvm_reference_parse(name, &reference, NULL) < 0 || strcmp(reference.domain, domain))
		return mvm_fail(err, MVM_ERR_INVALID,
				"\"%.200s\" is not the name of a registry, like registry.example:5000", domain);
	if (mvm_registry_open(&reference, &(struct mvm_registry_access){.actions = "pull,push"}, config, stopped, arg,
			      &registry, err) < 0)
		return -1;
	registry->login = true;
	endpoint = &registry->endpoints[0];
	copy_credential(credential, &endpoint->credential);
	endpoint->has_credential = true;
	result = check(registry, endpoint, err);
	if (result == 0 && endpoint->credential.identity_token && !credential->identity_token)
		credential->identity_token = mvm_strdup(endpoint->credential.identity_token);
	mvm_registry_close(registry);
	return result < 0 ? mvm_error_wrap(err, "cannot log in to %s", domain) : 0;
}
