/* What registry.c, endpoint.c, token.c, tags.c, batch.c, fetch.c and upload.c share. */
#ifndef MVM_IMAGE_REGISTRY_INTERNAL_H
#define MVM_IMAGE_REGISTRY_INTERNAL_H

#include "credentials.h"
#include "http.h"
#include "registry.h"
#include "tls.h"

/* Tries of one request at one server, as docker. */
enum { MVM_REGISTRY_TRIES = 5 };

/* A server that may have the repository: a mirror, or the registry itself. */
struct mvm_endpoint {
	char *base;	     /* "http://127.0.0.1:5000" */
	char *domain;	     /* whose credentials and certificates it has: "docker.io", "127.0.0.1:5000" */
	char *name;	     /* for messages */
	char *authorization; /* "Bearer ..." or "Basic ..."; NULL until it was asked for */
	struct mvm_tls tls;
	bool try_plain; /* plain HTTP where TLS fails, which is not known yet */
	struct mvm_credential credential;
	bool has_credential; /* it was looked up */
};

struct mvm_registry {
	char *path;    /* "library/alpine" */
	char *display; /* "alpine" */
	char *actions; /* "pull" or "pull,push" */
	bool push;
	struct mvm_strv scopes;
	bool login; /* wants an identity token for its password, and says what is wrong in a login's words */
	struct mvm_endpoint *endpoints;
	size_t endpoint_count;
	size_t current; /* where to begin */
	struct mvm_http_limits limits;
};

/* Fills endpoints and limits for a registry from the configuration. */
int mvm_registry_configure(struct mvm_registry *registry, const char *domain, const struct mvm_config *config,
			   struct mvm_error **err);
void mvm_endpoint_finish(struct mvm_endpoint *endpoint);

/* One answer of one endpoint, with a token where it asks for one. The caller destroys the transfer, which may be there
 * after a failure too. */
int mvm_registry_ask(struct mvm_registry *registry, struct mvm_endpoint *endpoint, struct mvm_http_request *request,
		     struct mvm_http_transfer **transfer, struct mvm_error **err);
/* Asks the endpoints one after the other, with patience, and stays with the one that answers 200. `path` begins with
 * "/v2/"; `what` is for messages. */
int mvm_registry_ask_any(struct mvm_registry *registry, struct mvm_http_request *request, const char *path,
			 const char *what, struct mvm_http_transfer **transfer, struct mvm_error **err);
/* The first error of distribution-spec "Error Codes" in an answer; both are "" where there is none. */
void mvm_registry_reason(const struct mvm_http_answer *answer, char *code, size_t code_size, char *message,
			 size_t message_size);

/* After a 401: makes endpoint->authorization what `refused` lacked, for the same request to be tried once more. AUTH
 * where it wants a login. */
int mvm_registry_authorize(struct mvm_registry *registry, struct mvm_endpoint *endpoint,
			   const struct mvm_http_transfer *refused, struct mvm_error **err);
/* What it means that a server says 401 all the same. */
int mvm_registry_unauthorized(const struct mvm_registry *registry, const struct mvm_endpoint *endpoint,
			      const struct mvm_http_answer *answer, struct mvm_error **err);
/* What an answer other than 200 means, as an error; `what` is "manifest latest" or "blob 0123...". */
int mvm_registry_refused(const struct mvm_registry *registry, const struct mvm_endpoint *endpoint,
			 const struct mvm_http_answer *answer, const char *what, struct mvm_error **err);
/* Milliseconds to wait before try number `attempt` (1 is the second), -1 where the server wants longer than people do.
 */
int mvm_registry_backoff(const struct mvm_http_answer *answer, int attempt);
/* Waits, but for a request to stop. */
void mvm_registry_pause(const struct mvm_registry *registry, int milliseconds);

#endif
