/* The files of an archive that have more than one name, by their inode: what is needed to write the later names as
 * hard links. */
#ifndef AGENT_LINKS_H
#define AGENT_LINKS_H

#include <stddef.h>
#include <stdint.h>

struct link {
	uint64_t inode;
	char *name; /* NULL: the place is free */
};

struct links {
	struct link *table;
	size_t size, count; /* size: a power of two */
};

/* The name that the inode was added with, or NULL. */
const char *links_find(const struct links *links, uint64_t inode);
/* Copies the name. -1 where there is no memory. */
int links_add(struct links *links, uint64_t inode, const char *name);
void links_finish(struct links *links);

#endif
