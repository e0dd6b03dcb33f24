/*
 * Whether an image has the signatures that the user's policy asks for (trust.h), by what its registry has of them
 * (signature.h).
 *
 * In the process that pulls, before anything but manifests and config has come. What counts is checked offline: the
 * keys are the user's files, and nobody but the registry is asked.
 */
#ifndef MVM_IMAGE_VERIFY_H
#define MVM_IMAGE_VERIFY_H

#include <signal.h>
#include <stddef.h>

struct mvm_config;
struct mvm_digest;
struct mvm_error;
struct mvm_reference;
struct mvm_registry;
struct mvm_store;

struct mvm_verify {
	struct mvm_store *store; /* signed texts pass through it; the caller holds use.lock */
	struct mvm_registry *registry;
	const struct mvm_reference *reference;
	const struct mvm_config *config;
	const volatile sig_atomic_t *interrupted; /* may be NULL */
};

/* 0 where the policy lets the image pass. `digests` are what the reference stands for and, where that is an index, the
 * manifest of the platform that was chosen of it: a signature of either will do, for the first leads to the second by
 * digests. INVALID says what is missing; NETWORK and the like where the registry could not be asked. */
int mvm_verify_signatures(const struct mvm_verify *verify, const struct mvm_digest *digests, size_t count,
			  struct mvm_error **err);

#endif
