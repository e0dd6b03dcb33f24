/*
 * The short form of a service's volumes: [SOURCE:]TARGET[:OPTIONS].
 */
#include <string.h>

#include "internal.h"

/* Where the next part ends: at a colon outside of ${...}. */
static size_t part_length(const char *text)
{
	size_t length = 0;
	unsigned open = 0;

	for (; text[length]; length++) {
		if (text[length] == '$' && text[length + 1] == '{')
			open++;
		else if (text[length] == '}' && open)
			open--;
		else if (text[length] == ':' && !open)
			break;
	}
	return length;
}

static bool is_path(const char *source)
{
	return *source && strchr("./~", *source);
}

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (!strcmp(text, *words))
			return true;
	return false;
}

static struct node *part_of(struct pool *pool, struct node *map, const char *key)
{
	node_default(pool, map, key, node_new(pool, NODE_MAP, map));
	return node_get(map, key);
}

static void set_option(struct pool *pool, struct node *map, const char *option)
{
	static const char *const propagations[] = {"rprivate", "private", "rshared", "shared", "rslave", "slave", NULL};

	if (!strcmp(option, "ro"))
		node_set(pool, map, "read_only", node_bool(pool, true, map));
	else if (!strcmp(option, "rw"))
		node_remove(map, "read_only");
	else if (!strcmp(option, "nocopy"))
		node_set(pool, part_of(pool, map, "volume"), "nocopy", node_bool(pool, true, map));
	else if (is_one_of(option, propagations))
		node_set_text(pool, part_of(pool, map, "bind"), "propagation", option);
	else if (!strcmp(option, "z") || !strcmp(option, "Z"))
		node_set_text(pool, part_of(pool, map, "bind"), "selinux", option);
	/* Docker compose says nothing of others. */
}

static void set_options(struct pool *pool, struct node *map, const char *options)
{
	char *copy MVM_CLEAN_FREE = mvm_strdup(options), *rest = copy, *option;

	while ((option = strsep(&rest, ",")))
		set_option(pool, map, option);
}

/* Go's path.Clean(). */
static char *clean_path(const char *path)
{
	bool rooted = *path == '/';
	struct mvm_strv parts MVM_CLEAN_STRV = {0};
	char *copy MVM_CLEAN_FREE = mvm_strdup(path), *rest = copy, *part, *joined MVM_CLEAN_FREE = NULL;

	while ((part = strsep(&rest, "/"))) {
		bool up = !strcmp(part, "..");

		if (!*part || !strcmp(part, "."))
			continue;
		if (up && parts.count && strcmp(parts.items[parts.count - 1], "..") != 0) {
			free(parts.items[--parts.count]);
			parts.items[parts.count] = NULL;
		} else if (!up || !rooted) {
			mvm_strv_add(&parts, part);
		}
	}
	joined = parts.count ? mvm_strv_join(&parts, "/") : mvm_strdup("");
	return rooted || *joined ? mvm_format("%s%s", rooted ? "/" : "", joined) : mvm_strdup(".");
}

void clean_target(struct pool *pool, struct node *mount)
{
	const char *target = node_get_text(mount, "target");
	char *clean MVM_CLEAN_FREE = target && *target ? clean_path(target) : NULL;

	if (clean)
		node_set_text(pool, mount, "target", clean);
}

/* The parts, up to three. Their number, or -1. */
static int split_spec(struct pool *pool, const struct node *spec, const char *parts[3], struct mvm_error **err)
{
	const char *at = spec->text;
	int count = 0;

	for (;; at++) {
		size_t length = part_length(at);

		if (!length)
			return node_fail(err, spec, "invalid spec: %s: empty section between colons", spec->text);
		if (count == 3)
			return node_fail(err, spec, "invalid spec: %s: too many colons", spec->text);
		parts[count++] = pool_text(pool, at, length);
		at += length;
		if (!*at)
			return count;
	}
}

int lengthen_mount(struct pool *pool, struct node **node, struct mvm_error **err)
{
	struct node *map = node_new(pool, NODE_MAP, *node);
	const char *parts[3] = {NULL, NULL, NULL};
	bool bind;
	int count;

	if (!node_is(*node, NODE_STRING))
		return 0;
	if (!*(*node)->text)
		return node_fail(err, *node, "invalid empty volume spec");
	count = split_spec(pool, *node, parts, err);
	if (count < 0)
		return -1;
	bind = count > 1 && is_path(parts[0]);
	map->tag = (*node)->tag;
	node_set_text(pool, map, "type", bind ? "bind" : "volume");
	if (count > 1)
		node_set_text(pool, map, "source", parts[0]);
	node_set_text(pool, map, "target", parts[count > 1 ? 1 : 0]);
	clean_target(pool, map);
	if (count == 3)
		set_options(pool, map, parts[2]);
	if (bind)
		/* The short form makes a folder of the host that is not there. */
		node_set(pool, part_of(pool, map, "bind"), "create_host_path", node_bool(pool, true, map));
	else
		(void)part_of(pool, map, "volume");
	*node = map;
	return 0;
}
