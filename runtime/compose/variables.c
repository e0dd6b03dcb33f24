/*
 * What `config` asks of a project besides the whole: its variables, and its images with their digests.
 */
#include <string.h>

#include "internal.h"
#include "substitute.h"

enum { NAME, REQUIRED, DEFAULT, PRESENCE, TEXTS };

/* The last place that names one says what it is, as docker compose has it. */
static void note(void *arg, const struct variable *variable)
{
	struct mvm_strv *texts = arg;
	const char *row[TEXTS] = {variable->name, variable->operation == '?' ? "true" : "false",
				  variable->operation == '-' ? variable->rest : "",
				  variable->operation == '+' ? variable->rest : ""};
	size_t at = 0;

	while (at < texts->count && strcmp(texts->items[at], variable->name) != 0)
		at += TEXTS;
	for (size_t i = 0; i < TEXTS; i++) {
		if (at == texts->count) {
			for (size_t j = 0; j < TEXTS; j++)
				mvm_strv_add(texts, row[j]);
			return;
		}
		free(texts->items[at + i]);
		texts->items[at + i] = mvm_strdup(row[i]);
	}
}

static void collect(const struct node *node, struct mvm_strv *texts)
{
	if (node_is(node, NODE_STRING))
		each_variable(node->text, note, texts);
	for (size_t i = 0; i < node->count; i++)
		collect(node->entries[i].value, texts);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void mvm_compose_variables(const struct mvm_compose *compose, struct mvm_strv *texts)
{
	collect(compose->model, texts);
	if (texts->count)
		qsort(texts->items, texts->count / TEXTS, TEXTS * sizeof(*texts->items), by_name);
}

int mvm_compose_resolve_images(struct mvm_compose *compose,
			       int (*resolve)(void *arg, const char *image, char **resolved, struct mvm_error **err),
			       void *arg, struct mvm_error **err)
{
	const struct node *services = section_of(compose->model, "services");

	for (size_t i = 0; services && i < services->count; i++) {
		struct node *service = services->entries[i].value;
		const char *image = node_get_text(service, "image");
		char *resolved MVM_CLEAN_FREE = NULL;

		if (!image || !*image)
			continue;
		if (resolve(arg, image, &resolved, err) < 0)
			return -1;
		node_set_text(&compose->pool, service, "image", pool_text(&compose->pool, resolved, strlen(resolved)));
	}
	return 0;
}

void mvm_compose_keep_images(struct mvm_compose *compose)
{
	const struct node *services = section_of(compose->model, "services");
	struct node *model = node_new(&compose->pool, NODE_MAP, NULL), *kept = node_new(&compose->pool, NODE_MAP, NULL);

	for (size_t i = 0; services && i < services->count; i++) {
		struct node *service = node_new(&compose->pool, NODE_MAP, NULL);
		struct node *image = node_get(services->entries[i].value, "image");

		if (image)
			node_set(&compose->pool, service, "image", image);
		node_set(&compose->pool, kept, services->entries[i].key, service);
	}
	node_set(&compose->pool, model, "services", kept);
	compose->model = model;
}
