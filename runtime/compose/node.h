/*
 * What a YAML document is made of: scalars, lists and maps, each with the place where it was written. All nodes of a
 * project and their texts live in one pool and go with it; what a merge leaves behind stays there until then.
 *
 * Documents are the user's, but include and extends bring files of others in: sizes are bounded (POOL_...).
 */
#ifndef MVM_COMPOSE_NODE_H
#define MVM_COMPOSE_NODE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/error.h"
#include "runtime/base/mem.h"

enum node_kind { NODE_NULL, NODE_BOOL, NODE_INT, NODE_FLOAT, NODE_STRING, NODE_LIST, NODE_MAP };

/* The tags that docker compose has for a file that is merged over another: the value there goes away, or is replaced.
 */
enum node_tag { NODE_PLAIN, NODE_RESET, NODE_OVERRIDE };

struct node_entry {
	const char *key; /* NULL in a list */
	struct node *value;
	int line, column; /* of the key */
};

struct node {
	enum node_kind kind;
	enum node_tag tag;
	const char *file;
	int line, column;
	const char *text; /* of a string: the value */
	int64_t integer;
	double real;
	bool truth;
	bool single;		    /* `real` was rounded to single precision, and is printed so */
	struct node_entry *entries; /* of a list or a map */
	size_t count, capacity;
};

enum {
	POOL_MAX_NODES = 250000,	   /* of what is read */
	POOL_MAX_ALL = 4 * POOL_MAX_NODES, /* and of what it comes to: ranges of ports, services that extend others */
	POOL_MAX_KEYS = 20000,		   /* of one map or list */
	POOL_MAX_DEPTH = 64,
	POOL_MAX_TEXT = 64 << 20, /* all that variables bring in */
	POOL_MAX_FILE = 4 << 20,
};

struct pool {
	struct pool_chunk *chunks;
	size_t nodes;
	size_t substituted; /* bytes */
	/* What the user should know, but nothing fails for. */
	void (*warn)(void *arg, const char *text);
	void *warn_arg;
};

void pool_finish(struct pool *pool);
/* INVALID where it has become too large. */
int pool_check(const struct pool *pool, const struct node *place, struct mvm_error **err);
void *pool_alloc(struct pool *pool, size_t size);
const char *pool_text(struct pool *pool, const char *text, size_t length);
const char *pool_format(struct pool *pool, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Where `place` is, which may be NULL. */
struct node *node_new(struct pool *pool, enum node_kind kind, const struct node *place);
struct node *node_string(struct pool *pool, const char *text, const struct node *place);
struct node *node_int(struct pool *pool, int64_t value, const struct node *place);
struct node *node_bool(struct pool *pool, bool value, const struct node *place);
/* All below it are copies, too, and the tags are gone. */
struct node *node_copy(struct pool *pool, const struct node *node);

void node_append(struct pool *pool, struct node *list, struct node *item);
/* `node` may be NULL or no map: NULL then. */
struct node *node_get(const struct node *node, const char *key);
/* The text under a key; NULL where there is none. */
const char *node_get_text(const struct node *node, const char *key);
/* Replaces it in its place, or comes last. */
void node_set(struct pool *pool, struct node *map, const char *key, struct node *value);
void node_set_text(struct pool *pool, struct node *map, const char *key, const char *value);
/* The same where nothing stands there. */
void node_default(struct pool *pool, struct node *map, const char *key, struct node *value);
void node_remove(struct node *map, const char *key);
bool node_equal(const struct node *a, const struct node *b);

static inline bool node_is(const struct node *node, enum node_kind kind)
{
	return node && node->kind == kind;
}

/* scalar.c: what a plain scalar stands for: YAML 1.2's core schema, and the older octal and binary numbers that docker
 * compose reads. */
void node_resolve(struct node *node, const char *text);
/* A scalar as text: Go's. The caller's. */
char *node_to_text(const struct node *node);
/* Go's shortest text that reads as the same number. */
char *format_real(double value, bool single);
/* Whether a string that is written without quotes would be read as another kind. */
bool text_is_ambiguous(const char *text);

/* The way to a node, for messages: "services.web.ports.0". */
struct path {
	const struct path *up;
	const char *key; /* NULL: an item of a list */
	size_t index;
};
/* The caller's. */
char *path_text(const struct path *path);

/* The place comes before the text, where there is one. */
void node_warn(struct pool *pool, const struct node *node, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* INVALID: "FILE:LINE:COLUMN: MESSAGE". */
int node_fail(struct mvm_error **err, const struct node *node, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Puts the place before an error of something below. */
int node_wrap(struct mvm_error **err, const struct node *node);
#ifdef __clang_analyzer__
#define node_fail(...) ((void)node_fail(__VA_ARGS__), -1)
#define node_wrap(...) ((void)node_wrap(__VA_ARGS__), -1)
#endif

#endif
