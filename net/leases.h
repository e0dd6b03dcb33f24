/*
 * Which container has which address: given out, kept in a file for a successor of this process, and taken back.
 */
#ifndef MVM_NET_LEASES_H
#define MVM_NET_LEASES_H

#include <jansson.h>

#include "subnet.h"

struct mvm_error;
struct mvm_leases;

/* What a predecessor has written counts until mvm_leases_expire(). `path` is copied. A file that cannot be read is
 * none. */
struct mvm_leases *mvm_leases_open(const char *path, const struct mvm_subnet *subnet, uint32_t gateway);
void mvm_leases_close(struct mvm_leases *leases);

/* `wanted` 0: the lowest that is free. CONFLICT where it is another's, or none is left; INVALID where it is not of the
 * network. One holder may ask again, and gets what it has. */
int mvm_leases_take(struct mvm_leases *leases, const char *holder, uint32_t wanted, uint32_t *address,
		    struct mvm_error **err);
void mvm_leases_release(struct mvm_leases *leases, const char *holder);
/* Those of a predecessor whose holders have not come back are free. */
void mvm_leases_expire(struct mvm_leases *leases);

/* [{ip, container, live: bool}]. One of a predecessor's, whose holder has not come back yet, is not live. */
json_t *mvm_leases_status(const struct mvm_leases *leases);

#endif
