/*
 * Walks over a document beside the table of what it may hold.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "runtime/base/text.h"
#include "substitute.h"

void note_unset(void *arg, const char *name)
{
	struct mvm_compose *compose = arg;

	for (size_t i = 0; i < compose->warned.count; i++)
		if (!strcmp(compose->warned.items[i], name))
			return;
	mvm_strv_add(&compose->warned, name);
	node_warn(&compose->pool, NULL, "The \"%s\" variable is not set. Defaulting to a blank string.", name);
}

static const char *find_value(void *environment, const char *name)
{
	return environment_find(environment, name);
}

struct lookup {
	struct mvm_compose *compose;
	struct mvm_strv environment;
};

static const char *look_up(void *arg, const char *name)
{
	const struct lookup *lookup = arg;

	return find_value((void *)&lookup->environment, name);
}

static void look_up_failed(void *arg, const char *name)
{
	const struct lookup *lookup = arg;

	note_unset(lookup->compose, name);
}

static int replace_text(const struct lookup *lookup, struct node *node, const struct path *path, struct mvm_error **err)
{
	const struct substitution how = {.find = look_up, .unset = look_up_failed, .arg = (void *)lookup};
	struct mvm_buf out MVM_CLEAN_BUF = {0};
	struct pool *pool = &lookup->compose->pool;

	if (!strchr(node->text, '$'))
		return 0;
	if (substitute(node->text, &how, &out, err) < 0) {
		char *shown MVM_CLEAN_FREE = path_text(path);

		(void)mvm_error_wrap(err, "error while interpolating %s", shown);
		return node_wrap(err, node);
	}
	pool->substituted += out.length;
	if (pool->substituted > POOL_MAX_TEXT)
		return node_fail(err, node, "all texts with their variables are larger than %d bytes", POOL_MAX_TEXT);
	node->text = pool_text(pool, out.data ? out.data : "", out.length);
	return 0;
}

static int replace_in(const struct lookup *lookup, struct node *node, const struct path *path, struct mvm_error **err)
{
	if (node_is(node, NODE_STRING))
		return replace_text(lookup, node, path, err);
	for (size_t i = 0; i < node->count; i++) {
		const struct path below = {.up = path, .key = node->entries[i].key, .index = i};

		if (replace_in(lookup, node->entries[i].value, &below, err) < 0)
			return -1;
	}
	return 0;
}

int replace_variables(struct mvm_compose *compose, struct node *node, const struct mvm_strv *environment,
		      const struct path *path, struct mvm_error **err)
{
	const struct lookup lookup = {.compose = compose, .environment = *environment};

	return replace_in(&lookup, node, path, err);
}

static const char *article(const char *name)
{
	return strchr("aeiou", *name) ? "an" : "a";
}

/* "services.web.ports must be an array" */
static int fail_kind(const struct node *node, const struct type *type, const struct path *path, struct mvm_error **err)
{
	static const struct {
		unsigned kind;
		const char *name;
	} names[] = {{TAKES_LIST, "array"},  {TAKES_BOOL, "boolean"}, {TAKES_MAP, "mapping"}, {TAKES_NUMBER, "number"},
		     {TAKES_INT, "integer"}, {TAKES_TEXT, "string"},  {TAKES_NULL, "null"}};
	char *shown MVM_CLEAN_FREE = path_text(path);
	struct mvm_buf kinds MVM_CLEAN_BUF = {0};
	unsigned left = type->takes;

	for (size_t i = 0; i < MVM_COUNT(names); i++) {
		if ((left & names[i].kind) != names[i].kind)
			continue;
		left &= ~names[i].kind;
		mvm_buf_addf(&kinds, "%s%s%s%s",
			     !kinds.length ? article(names[i].name)
			     : left	   ? ","
					   : " or",
			     " ", names[i].name, "");
	}
	return node_fail(err, node, "%s must be %s", path ? shown : "top-level object", kinds.data);
}

static bool cast_bool(struct pool *pool, struct node *node)
{
	static const struct {
		const char *text;
		bool value, old;
	} words[] = {{"true", true, false}, {"false", false, false}, {"y", true, true},	  {"yes", true, true},
		     {"on", true, true},    {"n", false, true},	     {"no", false, true}, {"off", false, true}};

	for (size_t i = 0; i < MVM_COUNT(words); i++) {
		if (strcasecmp(node->text, words[i].text) != 0)
			continue;
		if (words[i].old)
			node_warn(pool, node, "\"%s\" for boolean is not supported by YAML 1.2, please use `%s`",
				  node->text, words[i].value ? "true" : "false");
		node->kind = NODE_BOOL;
		node->truth = words[i].value;
		return true;
	}
	return false;
}

static bool cast_int(struct node *node)
{
	if (!mvm_parse_int(node->text, INT64_MIN, INT64_MAX, &node->integer))
		return false;
	node->kind = NODE_INT;
	return true;
}

static bool cast_real(struct node *node)
{
	char *end;

	errno = 0;
	node->real = strtod(node->text, &end);
	if (end == node->text || *end || errno || !isfinite(node->real))
		return false;
	node->kind = NODE_FLOAT;
	return true;
}

static int cast_text(struct mvm_compose *compose, struct node *node, const struct type *type, const struct path *path,
		     struct mvm_error **err)
{
	static const char *const wanted[] = {
		[CAST_BOOL] = "a boolean", [CAST_INT] = "an integer", [CAST_REAL] = "a number"};
	char *shown MVM_CLEAN_FREE = path_text(path);
	bool done = type->cast == CAST_BOOL  ? cast_bool(&compose->pool, node)
		    : type->cast == CAST_INT ? cast_int(node)
					     : cast_real(node);

	if (done)
		return 0;
	return node_fail(err, node, "%s must be %s, and \"%s\" is none", shown, wanted[type->cast], node->text);
}

static int check_word(const struct node *node, const struct type *type, const struct path *path, struct mvm_error **err)
{
	struct mvm_buf words MVM_CLEAN_BUF = {0};
	char *shown MVM_CLEAN_FREE = path_text(path);

	for (size_t i = 0; type->words[i]; i++) {
		if (!strcmp(type->words[i], node->text))
			return 0;
		mvm_buf_addf(&words, "%s'%s'", words.length ? ", " : "", type->words[i]);
	}
	return node_fail(err, node, "%s value must be one of %s", shown, words.data);
}

static int check_range(const struct node *node, const struct type *type, const struct path *path,
		       struct mvm_error **err)
{
	double value = node_is(node, NODE_INT) ? (double)node->integer : node->real;
	char *shown MVM_CLEAN_FREE = path_text(path);

	if (value < (double)type->least)
		return node_fail(err, node, "%s must be greater than or equal to %lld", shown, (long long)type->least);
	if (value > (double)type->most)
		return node_fail(err, node, "%s must be less than or equal to %lld", shown, (long long)type->most);
	return 0;
}

static bool is_name(const char *key)
{
	return *key && !key[strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")];
}

/* What the entry's key is in the way; a name that is none is refused. */
static int check_key(const struct node_entry *entry, const struct type *type, const struct path *path,
		     struct mvm_error **err)
{
	struct node place = *entry->value;
	char *shown MVM_CLEAN_FREE = path_text(path);

	place.line = entry->line;
	place.column = entry->column;
	if (type->named && !is_name(entry->key))
		return node_fail(
			err, &place,
			"%s: additional properties '%s' not allowed; names are letters, digits, '.', '_' and '-'",
			shown, entry->key);
	return 0;
}

static void warn_unknown(struct mvm_compose *compose, const struct node_entry *entry, const struct path *path)
{
	struct node place = *entry->value;
	char *shown MVM_CLEAN_FREE = path_text(path);

	place.line = entry->line;
	place.column = entry->column;
	node_warn(&compose->pool, &place, "%s%sadditional properties '%s' not allowed; it is ignored", shown,
		  path ? ": " : "", entry->key);
}

static int check_children(struct mvm_compose *compose, struct node *node, const struct type *type,
			  const struct path *path, struct mvm_error **err)
{
	size_t kept = 0;

	for (size_t i = 0; i < node->count; i++) {
		struct node_entry entry = node->entries[i];
		const struct path below = {.up = path, .key = entry.key, .index = i};
		const struct type *own = entry.key ? schema_of(type, entry.key) : type->items;

		if (entry.key && type->fields && !own && !is_extension(entry.key)) {
			warn_unknown(compose, &entry, path);
			continue;
		}
		if (entry.key && check_key(&entry, type, path, err) < 0)
			return -1;
		if (own && entry.value->tag != NODE_RESET && check_node(compose, &entry.value, own, &below, err) < 0)
			return -1;
		node->entries[kept++] = entry;
	}
	node->count = kept;
	return 0;
}

int check_node(struct mvm_compose *compose, struct node **node, const struct type *type, const struct path *path,
	       struct mvm_error **err)
{
	if (node_is(*node, NODE_STRING) && type->cast != CAST_NONE && !compose->options->no_interpolate &&
	    cast_text(compose, *node, type, path, err) < 0)
		return -1;
	if (!(type->takes & 1u << (*node)->kind) && !(node_is(*node, NODE_FLOAT) && type->cast == CAST_REAL))
		return fail_kind(*node, type, path, err);
	if (node_is(*node, NODE_STRING) && type->words && !compose->options->no_interpolate)
		return check_word(*node, type, path, err);
	if ((node_is(*node, NODE_INT) || node_is(*node, NODE_FLOAT)) && type->least != type->most)
		return check_range(*node, type, path, err);
	return check_children(compose, *node, type, path, err);
}

static const struct type *type_below(const struct type *type, const struct node_entry *entry)
{
	return entry->key ? schema_of(type, entry->key) : type->items;
}

int lengthen_node(struct mvm_compose *compose, struct node **node, const struct type *type, struct mvm_error **err)
{
	struct mvm_error *cause = NULL;

	if ((*node)->tag == NODE_RESET)
		return 0;
	if (type->lengthen && type->lengthen(&compose->pool, node, &cause) < 0) {
		if (!compose->options->no_interpolate)
			return mvm_error_move(err, &cause);
		mvm_error_clear(&cause);
	}
	for (size_t i = 0; i < (*node)->count; i++) {
		struct node_entry *entry = &(*node)->entries[i];
		const struct type *below = type_below(type, entry);

		if (below && lengthen_node(compose, &entry->value, below, err) < 0)
			return -1;
	}
	return 0;
}

int finish_node(struct mvm_compose *compose, struct node **node, const struct type *type, struct mvm_error **err)
{
	if (type->finish && !node_is(*node, NODE_NULL))
		return type->finish(&compose->pool, node, err);
	for (size_t i = 0; i < (*node)->count; i++) {
		struct node_entry *entry = &(*node)->entries[i];
		const struct type *below = type_below(type, entry);

		if (below && finish_node(compose, &entry->value, below, err) < 0)
			return -1;
	}
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp((*(const struct node *const *)a)->text, (*(const struct node *const *)b)->text);
}

static int check_distinct(const struct node *list, const struct path *path, struct mvm_error **err)
{
	const struct node **sorted MVM_CLEAN_FREE = mvm_alloc((list->count + 1) * sizeof(struct node *));
	char *shown MVM_CLEAN_FREE = path_text(path);
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++)
		if (node_is(list->entries[i].value, NODE_STRING))
			sorted[count++] = list->entries[i].value;
	if (count)
		qsort(sorted, count, sizeof(struct node *), by_text);
	for (size_t i = 1; i < count; i++)
		if (!strcmp(sorted[i - 1]->text, sorted[i]->text))
			return node_fail(err, sorted[i], "%s: '%s' is there twice", shown, sorted[i]->text);
	return 0;
}

static int check_needed(const struct node *map, const struct type *type, const struct path *path,
			struct mvm_error **err)
{
	char *shown MVM_CLEAN_FREE = path_text(path);

	for (const struct field *field = type->fields; field->name; field++)
		if ((field->flags & FIELD_NEEDED) && !node_get(map, field->name))
			return node_fail(err, map, "%s missing property '%s'", shown, field->name);
	return 0;
}

int check_complete(const struct node *node, const struct type *type, const struct path *path, struct mvm_error **err)
{
	if (node_is(node, NODE_MAP) && type->fields && check_needed(node, type, path, err) < 0)
		return -1;
	if (node_is(node, NODE_LIST) && type->distinct && type->unique == UNIQUE_NONE &&
	    check_distinct(node, path, err) < 0)
		return -1;
	for (size_t i = 0; i < node->count; i++) {
		const struct node_entry *entry = &node->entries[i];
		const struct path below = {.up = path, .key = entry->key, .index = i};
		const struct type *own = type_below(type, entry);

		if (own && check_complete(entry->value, own, &below, err) < 0)
			return -1;
	}
	return 0;
}

int visit_paths(struct node **node, const struct type *type, visit_fn visit, void *arg, struct mvm_error **err)
{
	if (type->path != PATH_NONE)
		return visit(arg, node, type, err);
	for (size_t i = 0; i < (*node)->count; i++) {
		struct node_entry *entry = &(*node)->entries[i];
		const struct type *below = type_below(type, entry);

		if (below && visit_paths(&entry->value, below, visit, arg, err) < 0)
			return -1;
	}
	return 0;
}
