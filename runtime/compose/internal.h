/*
 * What the files of this folder share. The way of a project:
 *
 *   load.c       each file: read, variables replaced, kinds checked, short forms made long (walk.c), what it includes
 *                (include.c) and extends (extends.c) brought in, and merged over what is there (merge.c)
 *   settle.c     defaults, what excludes what, paths
 *   normalize.c  what is implied: the default network, names, dependencies
 *   project.c    profiles and the chosen services, values as they are kept, whether it all fits together
 * (consistency.c)
 */
#ifndef MVM_COMPOSE_INTERNAL_H
#define MVM_COMPOSE_INTERNAL_H

#include "compose.h"
#include "node.h"
#include "schema.h"

struct mvm_compose {
	struct pool pool;
	const struct mvm_compose_options *options;
	struct mvm_strv environment; /* for variables: ours, and what .env files add */
	struct mvm_strv warned;
	struct mvm_strv files; /* absolute; "-" is stdin */
	struct mvm_strv profiles;
	char *folder; /* the project's, absolute */
	char *name;
	const struct node *documents; /* of each file, as they stand there */
	struct node *model;	      /* by schema_project */
	struct node *disabled;	      /* services that are not to be there: of other profiles, or not chosen */
	struct node *extended;	      /* files that services extend, by path */
};

/* Files that stand for a part of the project, and what paths and variables in them mean. */
struct unit {
	const struct unit *parent; /* that includes it */
	struct mvm_strv files;	   /* absolute; "-" is stdin */
	char *folder;
	struct mvm_strv environment;
	const struct node *documents; /* of each file, where they have been read */
};
void unit_finish(struct unit *unit);

/* walk.c */
int replace_variables(struct mvm_compose *compose, struct node *node, const struct mvm_strv *environment,
		      const struct path *path, struct mvm_error **err);
/* Kinds, and words and numbers in range; what nobody knows goes away, with a warning. */
int check_node(struct mvm_compose *compose, struct node **node, const struct type *type, const struct path *path,
	       struct mvm_error **err);
/* Where variables stay, what cannot be understood for them is left as it is. */
int lengthen_node(struct mvm_compose *compose, struct node **node, const struct type *type, struct mvm_error **err);
int finish_node(struct mvm_compose *compose, struct node **node, const struct type *type, struct mvm_error **err);
/* What must be there, and what may not be there twice: once all files are merged. */
int check_complete(const struct node *node, const struct type *type, const struct path *path, struct mvm_error **err);
/* Calls `visit` for each node that has to do with paths. */
typedef int (*visit_fn)(void *arg, struct node **node, const struct type *type, struct mvm_error **err);
int visit_paths(struct node **node, const struct type *type, visit_fn visit, void *arg, struct mvm_error **err);
void note_unset(void *compose, const char *name);

/* merge.c: `over` over `base`; both are used up. */
int merge_node(struct pool *pool, struct node *base, struct node *over, const struct type *type,
	       const struct path *path, struct node **merged, struct mvm_error **err);
/* What is there more than once in lists that have it once. */
void make_unique(struct node *node, const struct type *type);
/* What a tag took away goes, and the tags go. */
void strip_tags(struct node *node);
/* "key=value" each; what is one already is left as it is. */
struct node *to_sequence(struct pool *pool, struct node *node);

/* load.c: the documents of a file, as they stand there. */
int load_raw_file(struct mvm_compose *compose, const char *path, struct node **documents, struct mvm_error **err);
/* Variables replaced, kinds checked, short forms made long. */
int prepare_document(struct mvm_compose *compose, struct node **document, const struct mvm_strv *environment,
		     struct mvm_error **err);
/* All files of a part, with what they include and extend, merged and settled. */
int load_unit(struct mvm_compose *compose, struct unit *unit, struct node **model, struct mvm_error **err);
/* How errors call a file: from the current folder on. */
const char *shown_path(struct pool *pool, const char *path);
char *join_path(const char *folder, const char *path);
char *folder_of(const char *path);
bool is_file(const char *path);

int apply_includes(struct mvm_compose *compose, const struct unit *unit, struct node *model, struct mvm_error **err);
int apply_extends(struct mvm_compose *compose, const struct unit *unit, const char *file, struct node *model,
		  struct mvm_error **err);

/* settle.c */
int settle(struct mvm_compose *compose, struct node *model, const struct unit *unit, struct mvm_error **err);
int resolve_paths(struct mvm_compose *compose, struct node *model, const char *folder, struct mvm_error **err);

/* normalize.c */
void normalize(struct mvm_compose *compose);
/* consistency.c */
int check_consistency(const struct mvm_compose *compose, struct mvm_error **err);
/* cycles.c */
int check_cycles(const struct node *services, struct mvm_error **err);
/* choose.c: services of other profiles go, and then all but those that were asked for and what they depend on. */
void choose_profiles(struct mvm_compose *compose);
int choose_services(struct mvm_compose *compose, struct mvm_error **err);
/* What no service uses. */
void drop_unused(struct mvm_compose *compose);
/* resolve.c: env_file and label_file go into environment and labels. */
int resolve_files(struct mvm_compose *compose, struct mvm_error **err);
/* name.c */
int find_name(struct mvm_compose *compose, struct mvm_error **err);
/* find.c: files, folder and environment. */
int find_files(struct mvm_compose *compose, struct mvm_error **err);
/* Adds what is not set yet. */
int read_env_files(struct mvm_compose *compose, const struct mvm_strv *files, struct mvm_strv *environment,
		   struct mvm_error **err);

/* order.c: what is shown of a map, one after the other. */
struct shown {
	const char *key;
	const struct node *value;
	const struct type *type; /* NULL: of an extension, or where the table says nothing */
};
enum style { STYLE_YAML, STYLE_JSON, STYLE_RAW_YAML, STYLE_RAW_JSON }; /* raw: all that is written */
/* Their number; the list is the caller's. */
size_t order_entries(const struct node *map, const struct type *type, enum style style, struct shown **entries);
/* yaml_text.c */
void print_yaml(const struct node *node, enum style style, struct mvm_buf *out);
/* json_text.c; `indent` -1: all on one line. */
void print_json(const struct node *node, const struct type *type, enum style style, int indent, struct mvm_buf *out);

/* lengthen_mount.c */
void clean_target(struct pool *pool, struct node *mount);

/* The sections whose entries have names of their own. */
struct node *section_of(const struct node *model, const char *section);

#endif
