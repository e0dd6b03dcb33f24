#include "watch_set.h"

#include <stdlib.h>
#include <string.h>

struct watch_path {
	struct watch_path *next, *chain;
	char text[];
};

static size_t bucket_of(const char *path)
{
	size_t hash = 5381;

	while (*path)
		hash = hash * 33 + (unsigned char)*path++;
	return hash % WATCH_SET_BUCKETS;
}

void watch_set_add(struct watch_set *set, const char *path)
{
	struct watch_path **bucket = &set->buckets[bucket_of(path)], *made;
	size_t size = strlen(path) + 1;

	for (made = *bucket; made; made = made->chain)
		if (!strcmp(made->text, path))
			return;
	made = mvm_alloc(sizeof(*made) + size);
	memcpy(made->text, path, size);
	made->chain = *bucket;
	*bucket = made;
	*(set->first ? set->end : &set->first) = made;
	set->end = &made->next;
	set->size += size;
}

static void remove_first(struct watch_set *set)
{
	struct watch_path *path = set->first, **at = &set->buckets[bucket_of(path->text)];

	while (*at != path)
		at = &(*at)->chain;
	*at = path->chain;
	set->first = path->next;
	set->size -= strlen(path->text) + 1;
	free(path);
}

void watch_set_take(struct watch_set *set, size_t room, struct mvm_strv *paths)
{
	size_t used = 0;

	while (set->first) {
		size_t size = strlen(set->first->text) + 1;

		if (used && used + size > room)
			break;
		used += size;
		mvm_strv_add(paths, set->first->text);
		remove_first(set);
	}
}

void watch_set_finish(struct watch_set *set)
{
	while (set->first)
		remove_first(set);
}
