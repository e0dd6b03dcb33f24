/*
 * Who a container's process runs as: "name", "uid", "name:group", "uid:gid",
 * resolved in the image's own /etc/passwd and /etc/group with docker's rules:
 *
 *  - a number is always an id, never a name; it needs no entry;
 *  - the user's own group and home come from the entry, else 0 and "/";
 *  - supplementary groups are those that list the user's name, unless a group is named;
 *  - the process's own group is always the first of its supplementary ones.
 *
 * Pure: the files' bytes come in. They are the image's and so untrusted: lines that
 * are no entries are skipped, also those whose id is no number (elsewhere that reads
 * as 0, which would make root of a typing error).
 */
#ifndef AGENT_USERS_H
#define AGENT_USERS_H

#include <stddef.h>
#include <stdint.h>

struct failure;

struct text {
	const char *data;
	size_t length;
};

enum { USERS_GROUPS_MAX = 1024 };

struct identity {
	uint32_t uid;
	uint32_t gid;
	uint32_t groups[USERS_GROUPS_MAX];
	size_t group_count;
	char home[4096];
};

/* NO_USER or NO_GROUP in docker's words. A missing file is an empty text. */
int users_resolve(const char *spec, struct text passwd, struct text group, struct identity *identity,
		  struct failure *failure);
/* More groups for who has been resolved, by name or number; a list that ends with NULL, or NULL. */
int users_add_groups(char *const *names, struct text group, struct identity *identity, struct failure *failure);

/* What the first entry with this id is called, in passwd or group alike; "" where there is none. Longer names are cut.
 */
void users_name(struct text file, uint32_t id, char *name, size_t size);

#endif
