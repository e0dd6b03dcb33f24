/* What registry.c, endpoint.c, token.c and fetch.c share. */
#ifndef MVM_IMAGE_REGISTRY_INTERNAL_H
#define MVM_IMAGE_REGISTRY_INTERNAL_H

#include "http.h"
#include "registry.h"

/* Tries of one request at one server. */
enum { MVM_REGISTRY_TRIES = 3 };

/* A server that may have the repository: a mirror, or the registry itself. */
struct mvm_endpoint {
	char *base;	     /* "http://127.0.0.1:5000" */
	char *name;	     /* for messages */
	char *authorization; /* "Bearer ..."; NULL until it was asked for */
};

struct mvm_registry {
	char *path;    /* "library/alpine" */
	char *display; /* "alpine" */
	bool push;     /* may push, not only pull */
	struct mvm_strv scopes;
	struct mvm_endpoint *endpoints;
	size_t endpoint_count;
	size_t current; /* where to begin */
	struct mvm_http_limits limits;
};

/* Fills endpoints and limits from the reference and the configuration. */
int mvm_registry_configure(struct mvm_registry *registry, const struct mvm_reference *reference,
			   const struct mvm_config *config, struct mvm_error **err);

/* After a 401: makes endpoint->authorization what `refused` lacked, for the same request to be tried once more. AUTH
 * where it wants a login. */
int mvm_registry_authorize(struct mvm_registry *registry, struct mvm_endpoint *endpoint,
			   const struct mvm_http_transfer *refused, struct mvm_error **err);
int mvm_registry_wants_login(const struct mvm_registry *registry, const struct mvm_endpoint *endpoint,
			     struct mvm_error **err);
/* What an answer other than 200 means, as an error; `what` is "manifest latest" or "blob 0123...". */
int mvm_registry_refused(const struct mvm_registry *registry, const struct mvm_endpoint *endpoint,
			 const struct mvm_http_answer *answer, const char *what, struct mvm_error **err);
/* Milliseconds to wait before try number `attempt` (1 is the second), -1 where the server wants longer than people do.
 */
int mvm_registry_backoff(const struct mvm_http_answer *answer, int attempt);

#endif
