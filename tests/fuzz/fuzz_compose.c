/*
 * Compose files: whatever is read ends, within its bounds, and what is made of it is YAML and JSON. No other file is
 * looked at: what names some is taken out.
 */
#include "fuzz.h"

#include "runtime/base/json.h"
#include "runtime/compose/internal.h"
#include "runtime/compose/reader.h"

static void take_out(struct node *document)
{
	static const char *const keys[] = {"extends", "env_file", "label_file"};
	const struct node *services = section_of(document, "services");

	node_remove(document, "include");
	for (size_t i = 0; services && i < services->count; i++)
		for (size_t n = 0; n < MVM_COUNT(keys); n++)
			node_remove(services->entries[i].value, keys[n]);
}

static int load(struct mvm_compose *compose, const struct node *documents)
{
	const struct unit unit = {.folder = compose->folder};

	compose->model = node_new(&compose->pool, NODE_MAP, NULL);
	for (size_t i = 0; i < documents->count; i++) {
		struct node *document = documents->entries[i].value;

		if (prepare_document(compose, &document, &unit.environment, NULL) < 0)
			return -1;
		take_out(document);
		if (merge_node(&compose->pool, compose->model, document, &schema_project, NULL, &compose->model, NULL) <
		    0)
			return -1;
		strip_tags(compose->model);
		make_unique(compose->model, &schema_project);
	}
	if (settle(compose, compose->model, &unit, NULL) < 0 ||
	    check_complete(compose->model, &schema_project, NULL, NULL) < 0)
		return -1;
	normalize(compose);
	if (finish_node(compose, &compose->model, &schema_project, NULL) < 0)
		return -1;
	choose_profiles(compose);
	return check_consistency(compose, NULL);
}

/* What is printed says the same when it is read. */
static void check_printed(const struct mvm_compose *compose)
{
	struct pool pool __attribute__((cleanup(pool_finish))) = {0};
	struct mvm_buf yaml MVM_CLEAN_BUF = {0}, json MVM_CLEAN_BUF = {0}, again MVM_CLEAN_BUF = {0};
	json_t *value MVM_CLEAN_JSON = NULL;
	struct node *documents;

	print_yaml(compose->model, STYLE_RAW_YAML, &yaml);
	print_json(compose->model, &schema_project, STYLE_JSON, 0, &json);
	/* Numbers may be larger than an integer of this reader. */
	value = json_loadb(json.data, json.length, JSON_DECODE_INT_AS_REAL, NULL);
	fuzz_check(value);
	if (yaml.length > POOL_MAX_FILE)
		return;
	fuzz_check(yaml_read(&pool, "again", yaml.data, yaml.length, &documents, NULL) == 0);
	fuzz_check(documents->count == 1);
	print_yaml(documents->entries[0].value, STYLE_RAW_YAML, &again);
	fuzz_check(again.length == yaml.length && !memcmp(again.data, yaml.data, yaml.length));
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	static const struct mvm_compose_options options;
	struct mvm_compose *compose MVM_CLEAN_COMPOSE = mvm_alloc(sizeof(*compose));
	struct node *documents;

	compose->options = &options;
	compose->folder = mvm_strdup("/folder");
	compose->name = mvm_strdup("name");
	compose->disabled = node_new(&compose->pool, NODE_MAP, NULL);
	if (yaml_read(&compose->pool, "fuzz", (const char *)data, size, &documents, NULL) < 0)
		return false;
	fuzz_check(compose->pool.nodes <= POOL_MAX_NODES + 2);
	if (load(compose, documents) < 0)
		return false;
	check_printed(compose);
	return true;
}
