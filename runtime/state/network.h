/*
 * Networks on disk: networks/<name>/{config.json,lock,leases.json,net.log}.
 *
 * config.json is written once. While guests are on the network, its process (net/process.h) holds flock() on `lock`,
 * and so does who removes it. A folder appears and leaves in one step, as a container's.
 */
#ifndef MVM_STATE_NETWORK_H
#define MVM_STATE_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "runtime/base/mem.h"

struct mvm_error;
struct mvm_state;

/* Made when it is first needed. */
#define MVM_NETWORK_DEFAULT "default"

struct mvm_network {
	char *name;
	char *id; /* 64 hexadecimal digits */
	struct timespec created;
	char *subnet, *gateway;	  /* "192.168.127.0/24", "192.168.127.1" */
	char *subnet6, *gateway6; /* NULL: no IPv6 */
	int64_t mtu;
	bool internal;
	struct mvm_strv labels; /* key=value, sorted by key */
};

void mvm_network_free(struct mvm_network *network);
static inline void mvm_network_cleanup(struct mvm_network **network)
{
	mvm_network_free(*network);
}
#define MVM_CLEAN_NETWORK __attribute__((cleanup(mvm_network_cleanup)))

/* By its full name. NOT_FOUND. */
int mvm_network_load(const struct mvm_state *state, const char *name, struct mvm_network **network,
		     struct mvm_error **err);
/* By name, ID, or unambiguous beginning of an ID. NOT_FOUND, INVALID. */
int mvm_network_find(const struct mvm_state *state, const char *what, struct mvm_network **network,
		     struct mvm_error **err);
/* All of them, by name; the caller frees them with mvm_network_list_free(). */
int mvm_network_list(const struct mvm_state *state, struct mvm_network ***list, size_t *count, struct mvm_error **err);
void mvm_network_list_free(struct mvm_network **list, size_t count);

/* Held by who decides about subnets and names, from looking at those that are taken to mvm_network_create(). */
int mvm_network_lock_all(const struct mvm_state *state, int *lock, struct mvm_error **err);
/* Fills id and created. EXISTS where the name is taken. */
int mvm_network_create(const struct mvm_state *state, struct mvm_network *network, struct mvm_error **err);
/* CONFLICT while guests are on it. */
int mvm_network_remove(const struct mvm_state *state, const char *name, struct mvm_error **err);

/* The lock of its process: 0 and a descriptor, or 1 where somebody has it. */
int mvm_network_lock(const struct mvm_state *state, const char *name, int *lock, struct mvm_error **err);
/* Removes the sockets that a process which was killed has left. The caller holds the lock. */
void mvm_network_clear_sockets(const struct mvm_state *state, const struct mvm_network *network);
/* A file of its folder, and its process's socket; the caller owns the paths. */
char *mvm_network_path(const struct mvm_state *state, const char *name, const char *file);
char *mvm_network_socket(const struct mvm_state *state, const struct mvm_network *network);

#endif
