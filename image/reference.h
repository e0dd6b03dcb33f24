/*
 * Image references: the grammar of github.com/distribution/reference, with
 * docker's defaults.
 *
 *   alpine                  -> docker.io/library/alpine:latest
 *   127.0.0.1:5000/deb:v1   -> 127.0.0.1:5000/deb:v1
 *   alpine@sha256:...       -> docker.io/library/alpine@sha256:...
 *   alpine:3.20@sha256:...  -> docker.io/library/alpine@sha256:... (a digest says it all, as in docker)
 *
 * On disk and over the wire the full form stands; on the screen the familiar one
 * ("alpine:latest"). Pure text, no I/O; the input is untrusted.
 */
#ifndef MVM_IMAGE_REFERENCE_H
#define MVM_IMAGE_REFERENCE_H

#include <stdbool.h>

#include "digest.h"

struct mvm_error;

struct mvm_reference {
	char *domain;		  /* "docker.io", "127.0.0.1:5000", "[::1]:5000" */
	char *path;		  /* "library/alpine" */
	char *tag;		  /* "latest"; NULL where a digest is given */
	struct mvm_digest digest; /* unset where a tag is given */
};

/* Parses and normalises what a user typed or a file holds. INVALID says what is wrong in docker's words.
 * `reference` is filled on success only; finish it. */
int mvm_reference_parse(const char *text, struct mvm_reference *reference, struct mvm_error **err);
void mvm_reference_finish(struct mvm_reference *reference);
#define MVM_CLEAN_REFERENCE __attribute__((cleanup(mvm_reference_finish)))

/* "docker.io/library/alpine:latest" or "docker.io/library/alpine@sha256:...". The caller owns it. */
char *mvm_reference_full(const struct mvm_reference *reference);
/* "alpine:latest"; the shortest text that parses to the same reference. The caller owns it. */
char *mvm_reference_familiar(const struct mvm_reference *reference);
/* Without tag and digest: "docker.io/library/alpine" and "alpine". The caller owns it. */
char *mvm_reference_repository(const struct mvm_reference *reference);
char *mvm_reference_familiar_repository(const struct mvm_reference *reference);

/* The familiar form of a full name kept on disk; a copy of `name` where it does not parse. */
char *mvm_reference_shorten(const char *name);

/* "localhost", 127.0.0.0/8 or ::1, whatever the port: such a registry is spoken to over plain HTTP. */
bool mvm_reference_is_loopback(const char *domain);

#endif
