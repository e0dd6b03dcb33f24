/*
 * What a compose file may hold, as one table: https://github.com/compose-spec/compose-spec. For each place it says what
 * may be written there, what its short form stands for, how a second file changes it, and how it is shown.
 */
#ifndef MVM_COMPOSE_SCHEMA_H
#define MVM_COMPOSE_SCHEMA_H

#include "node.h"

/* What a text stands for where another kind is wanted. */
enum cast { CAST_NONE, CAST_BOOL, CAST_INT, CAST_REAL };

/* How a second file's value joins the first one's: maps by key, lists one behind the other, else it is replaced. */
enum merge_rule {
	MERGE_USUAL,
	MERGE_REPLACE,
	MERGE_SEQUENCE, /* a map, a list or a text: as lists, "key=value" each */
	MERGE_HOSTS,	/* so, too, without those that are there */
	MERGE_LOGGING,	/* as usual, unless the drivers differ */
	MERGE_POOLS,	/* addresses of networks, by subnet */
};

/* What must be there once only in a list: the later one takes the place of the first. */
enum unique_rule { UNIQUE_NONE, UNIQUE_KEY, UNIQUE_TARGET, UNIQUE_PORT, UNIQUE_CONFIG, UNIQUE_SECRET, UNIQUE_PATH };

/* What is a path there, relative to the project's folder. */
enum path_rule { PATH_NONE, PATH_FILE, PATH_CONTEXT, PATH_MOUNT, PATH_DRIVER_OPTIONS };

/* Turns a short form into the long one, or a value into how it is kept and shown. */
typedef int (*shape_fn)(struct pool *pool, struct node **node, struct mvm_error **err);

struct field;
struct type {
	unsigned takes;		    /* TAKES_... */
	enum cast cast;		    /* of a text */
	const char *const *words;   /* the texts that there are; NULL: any */
	int64_t least, most;	    /* of a number; both 0: any */
	const struct field *fields; /* of a map: its keys, in the order they are shown; NULL: any keys */
	const struct type *values;  /* of such a map */
	const struct type *items;   /* of a list */
	bool named;		    /* the keys are names: letters, digits, ".", "_" and "-" */
	bool distinct;		    /* a list may not say the same twice */
	enum merge_rule merge;
	enum unique_rule unique;
	enum path_rule path;
	shape_fn lengthen; /* NULL: there is no short form */
	shape_fn finish;   /* NULL: it is shown as it is written */
};

enum {
	FIELD_KEPT = 1,	   /* shown even where it says nothing: empty, 0 or false */
	FIELD_NEEDED = 2,  /* must be there */
	FIELD_IN_JSON = 4, /* in JSON it is always there, as null or {} */
	FIELD_OPT_OUT = 8, /* true says nothing, and only false is shown */
};

struct field {
	const char *name; /* NULL at the end */
	const struct type *type;
	unsigned flags;
};

#define TAKES_NULL   (1u << NODE_NULL)
#define TAKES_BOOL   (1u << NODE_BOOL)
#define TAKES_INT    (1u << NODE_INT)
#define TAKES_NUMBER (1u << NODE_INT | 1u << NODE_FLOAT)
#define TAKES_TEXT   (1u << NODE_STRING)
#define TAKES_LIST   (1u << NODE_LIST)
#define TAKES_MAP    (1u << NODE_MAP)

extern const struct type schema_project, schema_service;

/* What stands under a key, or NULL: unknown. Extensions ("x-...") have no type. */
const struct type *schema_of(const struct type *map, const char *key);
bool is_extension(const char *key);

/* lengthen.c */
int lengthen_build(struct pool *pool, struct node **node, struct mvm_error **err);
int lengthen_context_list(struct pool *pool, struct node **node, struct mvm_error **err);
int lengthen_depends_on(struct pool *pool, struct node **node, struct mvm_error **err);
int lengthen_device(struct pool *pool, struct node **node, struct mvm_error **err);
int lengthen_env_file(struct pool *pool, struct node **node, struct mvm_error **err);
int lengthen_extends(struct pool *pool, struct node **node, struct mvm_error **err);
int lengthen_external(struct pool *pool, struct node **node, struct mvm_error **err);
int lengthen_gpus(struct pool *pool, struct node **node, struct mvm_error **err);
int lengthen_include(struct pool *pool, struct node **node, struct mvm_error **err);
int lengthen_list(struct pool *pool, struct node **node, struct mvm_error **err);
int lengthen_mount(struct pool *pool, struct node **node, struct mvm_error **err);
int lengthen_names(struct pool *pool, struct node **node, struct mvm_error **err);
int lengthen_ports(struct pool *pool, struct node **node, struct mvm_error **err);
int lengthen_source(struct pool *pool, struct node **node, struct mvm_error **err);
int lengthen_ssh(struct pool *pool, struct node **node, struct mvm_error **err);
int lengthen_text(struct pool *pool, struct node **node, struct mvm_error **err);

/* finish.c */
int finish_bytes(struct pool *pool, struct node **node, struct mvm_error **err);
int finish_command(struct pool *pool, struct node **node, struct mvm_error **err);
int finish_count(struct pool *pool, struct node **node, struct mvm_error **err);
int finish_delay(struct pool *pool, struct node **node, struct mvm_error **err);
int finish_duration(struct pool *pool, struct node **node, struct mvm_error **err);
int finish_environment(struct pool *pool, struct node **node, struct mvm_error **err);
int finish_hosts(struct pool *pool, struct node **node, struct mvm_error **err);
int finish_labels(struct pool *pool, struct node **node, struct mvm_error **err);
int finish_list(struct pool *pool, struct node **node, struct mvm_error **err);
int finish_mode(struct pool *pool, struct node **node, struct mvm_error **err);
int finish_multi(struct pool *pool, struct node **node, struct mvm_error **err);
int finish_single(struct pool *pool, struct node **node, struct mvm_error **err);
int finish_ssh(struct pool *pool, struct node **node, struct mvm_error **err);
int finish_test(struct pool *pool, struct node **node, struct mvm_error **err);
int finish_text(struct pool *pool, struct node **node, struct mvm_error **err);
int finish_whole(struct pool *pool, struct node **node, struct mvm_error **err);

#endif
