/*
 * Whose the files on a share are: how the guest's users and groups become the host's.
 *
 * Root's server passes numbers through. A user's runs in a user namespace: the guest's root is the user, and the others
 * are the user's subordinate ids where the host has given some (subuid(5)) and newuidmap(1) is there; else all of them
 * are the user.
 */
#ifndef MVM_SHARE_IDS_H
#define MVM_SHARE_IDS_H

#include <stdbool.h>
#include <stdint.h>

enum mvm_share_ids { MVM_SHARE_IDS_OWN, MVM_SHARE_IDS_MAPPED, MVM_SHARE_IDS_SQUASHED };

/* A run of subordinate ids; of `count` 0: none. */
struct mvm_id_range {
	uint32_t first, count;
};

struct mvm_share_id_map {
	enum mvm_share_ids kind;
	struct mvm_id_range users, groups; /* of MAPPED: for the others, from 0 on */
	uint32_t uid, gid;		   /* inside, who is the user outside */
};

/* Of the user that this process belongs to. */
void mvm_share_ids_find(struct mvm_share_id_map *map);
/* Whether the server may do all with a file of theirs because both are subordinate ids or the user's own, whatever its
 * mode says to the user, who is not root over it outside. */
bool mvm_share_ids_hold(const struct mvm_share_id_map *map, uint32_t user, uint32_t group);
/* The first range of a user in the text of /etc/subuid or /etc/subgid; `id` is the user's number as text. */
struct mvm_id_range mvm_share_ids_parse(const char *text, const char *name, const char *id);

#endif
