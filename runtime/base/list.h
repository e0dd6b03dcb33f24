/* Intrusive doubly linked lists. A node that is in no list points at itself. */
#ifndef MVM_BASE_LIST_H
#define MVM_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct mvm_list {
	struct mvm_list *next;
	struct mvm_list *previous;
};

static inline void mvm_list_init(struct mvm_list *list)
{
	list->next = list->previous = list;
}

static inline bool mvm_list_empty(const struct mvm_list *list)
{
	return list->next == list;
}

static inline void mvm_list_append(struct mvm_list *list, struct mvm_list *node)
{
	node->previous = list->previous;
	node->next = list;
	list->previous->next = node;
	list->previous = node;
}

/* Fine for a node that is in no list. */
static inline void mvm_list_remove(struct mvm_list *node)
{
	node->previous->next = node->next;
	node->next->previous = node->previous;
	mvm_list_init(node);
}

#define mvm_list_entry(node, type, member) ((type *)((char *)(node)-offsetof(type, member)))

#endif
