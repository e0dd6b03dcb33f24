#include "ids.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"
#include "runtime/base/spawn.h"
#include "runtime/base/text.h"

enum { SUBID_FILE_MAX = 1 << 20, NOBODY = 65534 };

static bool is_owner(const char *line, size_t length, const char *owner)
{
	return owner && strlen(owner) == length && !memcmp(line, owner, length);
}

/* "first:count", which ends at `length`. */
static bool parse_range(const char *text, size_t length, struct mvm_id_range *range)
{
	char *line MVM_CLEAN_FREE = mvm_strndup(text, length);
	char *colon = strchr(line, ':');
	int64_t first, count;

	if (!colon)
		return false;
	*colon = '\0';
	if (!mvm_parse_int(line, 1, UINT32_MAX - 1, &first) || !mvm_parse_int(colon + 1, 1, UINT32_MAX, &count) ||
	    first + count > UINT32_MAX)
		return false;
	*range = (struct mvm_id_range){(uint32_t)first, (uint32_t)count};
	return true;
}

struct mvm_id_range mvm_share_ids_parse(const char *text, const char *name, const char *id)
{
	struct mvm_id_range range = {0};

	while (*text) {
		size_t length = strcspn(text, "\n"), owner = strcspn(text, ":\n");

		if (owner < length && (is_owner(text, owner, name) || is_owner(text, owner, id)) &&
		    parse_range(text + owner + 1, length - owner - 1, &range))
			return range;
		text += length + (text[length] == '\n');
	}
	return range;
}

static struct mvm_id_range read_range(const char *path)
{
	const struct passwd *user = getpwuid(getuid());
	struct mvm_id_range none = {0};
	char *text MVM_CLEAN_FREE = NULL;
	char id[16];
	size_t length;

	snprintf(id, sizeof(id), "%u", (unsigned)getuid());
	if (mvm_read_file(path, SUBID_FILE_MAX, &text, &length, NULL) < 0)
		return none;
	return mvm_share_ids_parse(text, user ? user->pw_name : NULL, id);
}

static bool can_map(void)
{
	char *users MVM_CLEAN_FREE = NULL, *groups MVM_CLEAN_FREE = NULL;

	return mvm_find_program("newuidmap", &users, NULL) == 0 && mvm_find_program("newgidmap", &groups, NULL) == 0;
}

void mvm_share_ids_find(struct mvm_share_id_map *map)
{
	*map = (struct mvm_share_id_map){.kind = MVM_SHARE_IDS_OWN};
	if (geteuid() == 0)
		return;
	map->users = read_range("/etc/subuid");
	map->groups = read_range("/etc/subgid");
	/* A range that is too short for nobody would leave programs with ids that the server refuses. */
	map->kind = map->users.count >= NOBODY && map->groups.count >= NOBODY && can_map() ? MVM_SHARE_IDS_MAPPED
											   : MVM_SHARE_IDS_SQUASHED;
}

static bool holds(const struct mvm_id_range *range, uint32_t own, uint32_t id)
{
	return id == own || (id >= range->first && id - range->first < range->count);
}

bool mvm_share_ids_hold(const struct mvm_share_id_map *map, uint32_t user, uint32_t group)
{
	return map->kind == MVM_SHARE_IDS_MAPPED && holds(&map->users, geteuid(), user) &&
	       holds(&map->groups, getegid(), group);
}
