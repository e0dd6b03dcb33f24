/*
 * Registry credentials, shared with docker: $DOCKER_CONFIG/config.json, else ~/.docker/config.json, and the credential
 * helpers that it names (helper.h).
 *
 *   {"auths": {"registry.example": {"auth": "<base64 of user:password>"}},
 *    "credsStore": "secretservice", "credHelpers": {"gcr.io": "gcloud"}}
 *
 * A server is named by its domain as in image references: "docker.io", "127.0.0.1:5000". In the file Docker Hub is
 * "https://index.docker.io/v1/", and keys of old files may have a scheme and a path. What mvm does not know of the
 * file stays as it is. Saving is atomic and follows a symlink; two at once wait for each other (config.json.lock).
 *
 * Blocks. Errors name file or helper: INVALID, AUTH, TIMEOUT, NOT_FOUND, IO.
 */
#ifndef MVM_IMAGE_CREDENTIALS_H
#define MVM_IMAGE_CREDENTIALS_H

#include <stdbool.h>

struct mvm_error;

struct mvm_credential {
	char *username;
	char *password;	      /* NULL: none */
	char *identity_token; /* for tokens, in place of a password; NULL: none */
	char *registry_token; /* a token as it is; NULL: none */
};
void mvm_credential_finish(struct mvm_credential *credential);
#define MVM_CLEAN_CREDENTIAL __attribute__((cleanup(mvm_credential_finish)))

/* The domain for what a user types, "https://registry.example/v2/" say, or nothing; the caller's. */
char *mvm_credentials_domain(const char *server);

/* 0, or 1 where there are none. */
int mvm_credentials_get(const char *domain, struct mvm_credential *credential, struct mvm_error **err);
/* Keeps user name and password, or identity token, in place of what was there. `*plain` becomes the path of the file
 * they are in as plain text, or NULL where a helper has them; the caller's. */
int mvm_credentials_store(const char *domain, const struct mvm_credential *credential, char **plain,
			  struct mvm_error **err);
/* Success too where there were none. */
int mvm_credentials_erase(const char *domain, struct mvm_error **err);

#endif
