#include "links.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SIZE = 1024 };

/* Its place, or the free one where it belongs; there always is one. Inodes of one folder are neighbours, so they are
 * spread by 2^64 divided by the golden ratio. */
static struct link *place(const struct links *links, uint64_t inode)
{
	size_t at = (size_t)(inode * 0x9e3779b97f4a7c15u >> 32) & (links->size - 1);

	while (links->table[at].name && links->table[at].inode != inode)
		at = (at + 1) & (links->size - 1);
	return &links->table[at];
}

const char *links_find(const struct links *links, uint64_t inode)
{
	return links->count ? place(links, inode)->name : NULL;
}

static int grow(struct links *links)
{
	struct links larger = {.size = links->size ? links->size * 2 : FIRST_SIZE, .count = links->count};

	larger.table = calloc(larger.size, sizeof(*larger.table));
	if (!larger.table)
		return -1;
	for (size_t i = 0; i < links->size; i++)
		if (links->table[i].name)
			*place(&larger, links->table[i].inode) = links->table[i];
	free(links->table);
	*links = larger;
	return 0;
}

int links_add(struct links *links, uint64_t inode, const char *name)
{
	char *copy;

	if (links->count >= links->size / 4 * 3 && grow(links))
		return -1;
	copy = strdup(name);
	if (!copy)
		return -1;
	*place(links, inode) = (struct link){.inode = inode, .name = copy};
	links->count++;
	return 0;
}

void links_finish(struct links *links)
{
	for (size_t i = 0; i < links->size; i++)
		free(links->table[i].name);
	free(links->table);
	*links = (struct links){0};
}
