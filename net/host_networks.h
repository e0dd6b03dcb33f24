/*
 * The host's own networks, so that a new one does not hide any of them from its guests.
 */
#ifndef MVM_NET_HOST_NETWORKS_H
#define MVM_NET_HOST_NETWORKS_H

#include <stddef.h>

#include "subnet.h"

/* IPv4, of interfaces and, where the system lets everybody read them (Linux), routes but the default one. The array is
 * the caller's to free(). */
struct mvm_subnet *mvm_host_networks(size_t *count);
/* IPv6, of interfaces: one of them has an address of this subnet. */
bool mvm_host_is_on6(const struct mvm_subnet6 *subnet);

#endif
