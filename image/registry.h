/*
 * Registry client: pull and push of the OCI distribution-spec v1.1, over libcurl.
 *
 * A client is for one repository. It speaks to the mirrors that the configuration names for the registry, in
 * order, then to the registry itself; the first that answers well is used from then on:
 *
 *   {"registries": {"docker.io": {"mirrors": ["http://127.0.0.1:5000"], "timeout": 30}}}
 *
 * "timeout" is how many seconds a server may be silent. Plain HTTP is for a mirror whose URL says http://, for a
 * registry on loopback about whose TLS nothing is said (tls.h), and for an insecure one that does not speak TLS; all
 * else needs TLS. A server that asks for it gets the credentials that are stored for it (credentials.h).
 *
 * Blocks; one thread. All that a server sends is untrusted: sizes are limited, digests computed here. Errors name the
 * server: NETWORK, TIMEOUT, AUTH, NOT_FOUND, INVALID, CORRUPT, INTERRUPTED.
 */
#ifndef MVM_IMAGE_REGISTRY_H
#define MVM_IMAGE_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>

#include "digest.h"
#include "reference.h"
#include "runtime/base/mem.h"

struct mvm_config;
struct mvm_descriptor;
struct mvm_error;
struct mvm_ingest;
struct mvm_registry;

/* What a client is going to do there, for which tokens are asked (distribution-spec "Token Scope"). */
struct mvm_registry_access {
	const char *actions;	     /* on the reference's repository: "pull" or "pull,push" */
	const struct mvm_strv *also; /* other scopes, "repository:library/debian:pull" to mount from; may be NULL */
};

/* Who may push speaks to the registry itself only, mirrors are for pulls. NULL for `access` is to pull. `stopped` is
 * asked now and then whether to give up; it may be NULL. */
int mvm_registry_open(const struct mvm_reference *reference, const struct mvm_registry_access *access,
		      const struct mvm_config *config, bool (*stopped)(void *arg), void *arg,
		      struct mvm_registry **registry, struct mvm_error **err);
void mvm_registry_close(struct mvm_registry *registry);

struct mvm_registry_manifest {
	struct mvm_buf body;
	char *media_type;	  /* Content-Type */
	struct mvm_digest digest; /* of the body, computed here */
};
void mvm_registry_manifest_finish(struct mvm_registry_manifest *manifest);
#define MVM_CLEAN_REGISTRY_MANIFEST __attribute__((cleanup(mvm_registry_manifest_finish)))

/* `name` is a tag or a digest. By digest, another answer is CORRUPT. */
int mvm_registry_get_manifest(struct mvm_registry *registry, const char *name, struct mvm_registry_manifest *manifest,
			      struct mvm_error **err);
/* The digest that a tag has now, by HEAD: registries that count pulls do not count it. 1 where the server
 * does not say. */
int mvm_registry_head_manifest(struct mvm_registry *registry, const char *name, struct mvm_digest *digest,
			       struct mvm_error **err);

/* The repository's tags as the server lists them, page by page. */
int mvm_registry_list_tags(struct mvm_registry *registry, struct mvm_strv *tags, struct mvm_error **err);

enum mvm_fetch_event {
	MVM_FETCH_WAITS,   /* for others to be done */
	MVM_FETCH_BYTES,   /* ingest->received says how many there are; now and then, too, when none have come. May fall
			    * back to 0 */
	MVM_FETCH_RETRIES, /* in so many seconds */
	MVM_FETCH_VERIFIES, /* all bytes are there */
	MVM_FETCH_DONE,	    /* committed */
};

/* A blob to fetch into an ingest that has been begun. */
struct mvm_fetch {
	struct mvm_ingest *ingest;
	/* Told what happens. A failure ends everything. May be NULL. */
	int (*changed)(void *arg, enum mvm_fetch_event event, unsigned seconds, struct mvm_error **err);
	void *arg;
};

/* Fetches, `at_once` at a time in the order given, verifies and commits. What an ingest holds already is not asked for
 * again, as long as the server knows ranges; where the whole does not have its digest, it is fetched once more from the
 * first byte. On failure the rest is abandoned. */
int mvm_registry_fetch(struct mvm_registry *registry, struct mvm_fetch *fetches, size_t count, size_t at_once,
		       struct mvm_error **err);

/* A blob to send. All is borrowed. */
enum mvm_upload_event { MVM_UPLOAD_SENDING, MVM_UPLOAD_DONE, MVM_UPLOAD_EXISTS, MVM_UPLOAD_MOUNTED };
struct mvm_upload {
	const struct mvm_descriptor *descriptor;
	const char *path; /* of the file that holds it */
	const char *from; /* a repository of the same registry that may have it; NULL for none */
	/* `bytes` are those that are there, and may fall back. May be NULL. */
	void (*changed)(void *arg, enum mvm_upload_event event, uint64_t bytes);
	void *arg;
};

/* Brings what the repository lacks: mounted from another where that has it, else sent, `at_once` at a time in the order
 * given, in pieces where it is large. On failure the rest is abandoned; CORRUPT where the server's digest of a blob is
 * another. */
int mvm_registry_upload(struct mvm_registry *registry, struct mvm_upload *uploads, size_t count, size_t at_once,
			struct mvm_error **err);
/* Stores the bytes of a manifest under `name`, a tag or its digest. All that it names must be there. */
int mvm_registry_put_manifest(struct mvm_registry *registry, const char *name, const struct mvm_descriptor *descriptor,
			      const void *manifest, struct mvm_error **err);

#endif
