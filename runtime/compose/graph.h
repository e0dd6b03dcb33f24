/*
 * The services of a project that a command is about, and what each depends on: from its files, or, where there are
 * none, from the labels of its containers.
 */
#ifndef MVM_COMPOSE_GRAPH_H
#define MVM_COMPOSE_GRAPH_H

#include "fleet.h"
#include "internal.h"
#include "work.h"

enum condition { CONDITION_STARTED, CONDITION_HEALTHY, CONDITION_COMPLETED, CONDITION_RUNNING_OR_HEALTHY };

struct bond {
	char *service;
	enum condition condition;
	bool restart, required;
};

struct member {
	char *name;
	const struct node *node; /* NULL: known by labels alone */
	struct bond *bonds;	 /* to other members */
	size_t bond_count;
	char *image_id;		  /* of the image that is here; NULL: nobody has looked */
	struct step *begin, *end; /* of the work at hand: before and after all that is done to it */
};

struct graph {
	struct member *items;
	size_t count;
};

void graph_of_project(const struct mvm_compose *compose, struct graph *graph);
void graph_of_fleet(const struct mvm_fleet *fleet, struct graph *graph);
void graph_finish(struct graph *graph);
#define CLEAN_GRAPH __attribute__((cleanup(graph_finish)))

struct member *graph_find(const struct graph *graph, const char *name);
/* Containers that a service is to have. */
int64_t member_scale(const struct member *member);
/* Gives each member a beginning and an end, in the order of what depends on what, or, `reverse`, in the other. */
void graph_order(struct graph *graph, struct work *work, bool reverse);

#endif
