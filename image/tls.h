/*
 * Whom to trust at one registry, beyond the authorities of the system, and who to be there:
 *
 *   {"registries": {"registry.example:5000": {"ca": "/etc/ssl/corporate.pem"}, "10.0.0.5:5000": {"insecure": true}}}
 *
 * in the configuration file ("ca" is a path or a list of them), and what docker and podman keep for the host: *.crt of
 * authorities, and a client's certificate NAME.cert with its NAME.key, in
 *
 *   ~/.config/containers/certs.d/HOST[:PORT]/   /etc/containers/certs.d/HOST[:PORT]/
 *   ~/.config/docker/certs.d/HOST[:PORT]/       /etc/docker/certs.d/HOST[:PORT]/
 *   ~/.docker/certs.d/HOST[:PORT]/
 *
 * The authorities of all of them count; of client certificates the first. Blocks for files. Errors name the file.
 */
#ifndef MVM_IMAGE_TLS_H
#define MVM_IMAGE_TLS_H

#include <stdbool.h>

#include "runtime/base/mem.h"

struct mvm_config;
struct mvm_error;

struct mvm_tls {
	bool insecure;		    /* take any certificate */
	struct mvm_buf authorities; /* PEM; empty: those of the system only */
	char *certificate, *key;    /* paths; NULL: none */
};

/* `domain` is HOST[:PORT]. INVALID, NOT_FOUND, IO. */
int mvm_tls_load(const struct mvm_config *config, const char *domain, struct mvm_tls *tls, struct mvm_error **err);
void mvm_tls_finish(struct mvm_tls *tls);

/* Whether anything at all is said about TLS there. */
static inline bool mvm_tls_is_set(const struct mvm_tls *tls)
{
	return tls->insecure || tls->authorities.length || tls->certificate;
}

#endif
