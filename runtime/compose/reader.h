/*
 * A YAML 1.2 reader on libyaml's events: bytes in, nodes out. Anchors, aliases and merge keys are resolved, what a key
 * says twice is refused, and what aliases expand to is bounded. Bytes are untrusted.
 */
#ifndef MVM_COMPOSE_READER_H
#define MVM_COMPOSE_READER_H

#include "node.h"

/* All documents of a file, a list; `file` is what errors call it. INVALID. */
int yaml_read(struct pool *pool, const char *file, const char *data, size_t length, struct node **documents,
	      struct mvm_error **err);

#endif
