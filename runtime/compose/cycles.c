/*
 * Whether a service depends on itself, over others.
 */
#include <string.h>

#include "internal.h"

enum visit { NOT_SEEN, UNDER_WAY, DONE };

struct walk {
	const struct node *services;
	enum visit *state;
	size_t *way; /* services from the first on, each depending on the next */
	size_t length;
};

static size_t index_of(const struct node *services, const char *name)
{
	size_t i = 0;

	while (i < services->count && strcmp(services->entries[i].key, name) != 0)
		i++;
	return i;
}

static int fail_cycle(const struct walk *walk, size_t again, struct mvm_error **err)
{
	struct mvm_buf text MVM_CLEAN_BUF = {0};
	size_t start = 0;

	while (walk->way[start] != again)
		start++;
	for (size_t i = start; i < walk->length; i++)
		mvm_buf_addf(&text, "%s -> ", walk->services->entries[walk->way[i]].key);
	mvm_buf_addf(&text, "%s", walk->services->entries[again].key);
	return node_fail(err, node_get(walk->services->entries[again].value, "depends_on"),
			 "dependency cycle detected: %s", text.data);
}

static int visit(struct walk *walk, size_t index, struct mvm_error **err)
{
	const struct node *depends = node_get(walk->services->entries[index].value, "depends_on");

	if (walk->state[index] == UNDER_WAY)
		return fail_cycle(walk, index, err);
	if (walk->state[index] == DONE)
		return 0;
	walk->state[index] = UNDER_WAY;
	walk->way[walk->length++] = index;
	for (size_t i = 0; node_is(depends, NODE_MAP) && i < depends->count; i++) {
		size_t next = index_of(walk->services, depends->entries[i].key);

		if (next < walk->services->count && visit(walk, next, err) < 0)
			return -1;
	}
	walk->length--;
	walk->state[index] = DONE;
	return 0;
}

int check_cycles(const struct node *services, struct mvm_error **err)
{
	enum visit *state MVM_CLEAN_FREE = mvm_alloc((services->count + 1) * sizeof(*state));
	size_t *way MVM_CLEAN_FREE = mvm_alloc((services->count + 1) * sizeof(*way));
	struct walk walk = {.services = services, .state = state, .way = way};

	for (size_t i = 0; i < services->count; i++)
		if (visit(&walk, i, err) < 0)
			return -1;
	return 0;
}
