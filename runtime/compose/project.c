#include <string.h>

#include "image/digest.h"
#include "internal.h"

void mvm_compose_destroy(struct mvm_compose *compose)
{
	if (!compose)
		return;
	pool_finish(&compose->pool);
	mvm_strv_finish(&compose->environment);
	mvm_strv_finish(&compose->warned);
	mvm_strv_finish(&compose->files);
	mvm_strv_finish(&compose->profiles);
	free(compose->folder);
	free(compose->name);
	free(compose);
}

/* Each is read once, for the project's name and for all else: one may be stdin. */
static int read_files(struct mvm_compose *compose, struct mvm_error **err)
{
	struct node *files = node_new(&compose->pool, NODE_LIST, NULL);

	for (size_t i = 0; i < compose->files.count; i++) {
		struct node *documents;

		if (load_raw_file(compose, compose->files.items[i], &documents, err) < 0)
			return -1;
		node_append(&compose->pool, files, documents);
	}
	compose->documents = files;
	return 0;
}

static int load_model(struct mvm_compose *compose, struct mvm_error **err)
{
	struct unit unit __attribute__((cleanup(unit_finish))) = {.documents = compose->documents};

	unit.folder = mvm_strdup(compose->folder);
	for (size_t i = 0; i < compose->files.count; i++)
		mvm_strv_add(&unit.files, compose->files.items[i]);
	for (size_t i = 0; i < compose->environment.count; i++)
		mvm_strv_add(&unit.environment, compose->environment.items[i]);
	if (load_unit(compose, &unit, &compose->model, err) < 0)
		return -1;
	if (!compose->model->count)
		return mvm_fail(err, MVM_ERR_INVALID, "empty compose file");
	node_set_text(&compose->pool, compose->model, "name", compose->name);
	return check_complete(compose->model, &schema_project, NULL, err);
}

/* From what is written to what it means. */
static int complete_model(struct mvm_compose *compose, struct mvm_error **err)
{
	const struct mvm_compose_options *options = compose->options;

	if (!options->no_normalize)
		normalize(compose);
	/* What variables would stand for nobody knows. */
	if (options->no_interpolate)
		return 0;
	if (finish_node(compose, &compose->model, &schema_project, err) < 0)
		return -1;
	choose_profiles(compose);
	if (!options->no_consistency && check_consistency(compose, err) < 0)
		return -1;
	if (choose_services(compose, err) < 0)
		return -1;
	if (!options->all_resources)
		drop_unused(compose);
	return resolve_files(compose, err);
}

int mvm_compose_load(const struct mvm_compose_options *options, struct mvm_compose **out, struct mvm_error **err)
{
	struct mvm_compose *compose MVM_CLEAN_COMPOSE = mvm_alloc(sizeof(*compose));

	compose->options = options;
	compose->pool.warn = options->warn;
	compose->pool.warn_arg = options->arg;
	compose->extended = node_new(&compose->pool, NODE_MAP, NULL);
	compose->disabled = node_new(&compose->pool, NODE_MAP, NULL);
	if (find_files(compose, err) < 0 || read_files(compose, err) < 0 || find_name(compose, err) < 0 ||
	    load_model(compose, err) < 0 || complete_model(compose, err) < 0)
		return -1;
	*out = compose;
	compose = NULL;
	return 0;
}

const char *mvm_compose_name(const struct mvm_compose *compose)
{
	return compose->name;
}

const struct mvm_strv *mvm_compose_environment(const struct mvm_compose *compose)
{
	return &compose->environment;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort_names(struct mvm_strv *names)
{
	if (names->count)
		qsort(names->items, names->count, sizeof(*names->items), by_text);
}

static bool has_name(const struct mvm_strv *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (!strcmp(names->items[i], name))
			return true;
	return false;
}

void mvm_compose_names(const struct mvm_compose *compose, const char *section, struct mvm_strv *names)
{
	const struct node *objects = section_of(compose->model, section);

	for (size_t i = 0; objects && i < objects->count; i++)
		mvm_strv_add(names, objects->entries[i].key);
	sort_names(names);
}

void mvm_compose_attached(const struct mvm_compose *compose, struct mvm_strv *names)
{
	const struct node *services = section_of(compose->model, "services");

	for (size_t i = 0; services && i < services->count; i++) {
		const struct node *attach = node_get(services->entries[i].value, "attach");

		if (!node_is(attach, NODE_BOOL) || attach->truth)
			mvm_strv_add(names, services->entries[i].key);
	}
}

bool mvm_compose_has_service(const struct mvm_compose *compose, const char *name)
{
	return node_get(section_of(compose->model, "services"), name) != NULL;
}

static void add_profiles(const struct node *services, struct mvm_strv *profiles)
{
	for (size_t i = 0; services && i < services->count; i++) {
		const struct node *list = node_get(services->entries[i].value, "profiles");

		for (size_t j = 0; node_is(list, NODE_LIST) && j < list->count; j++)
			if (!has_name(profiles, list->entries[j].value->text))
				mvm_strv_add(profiles, list->entries[j].value->text);
	}
}

void mvm_compose_profiles(const struct mvm_compose *compose, struct mvm_strv *profiles)
{
	add_profiles(section_of(compose->model, "services"), profiles);
	add_profiles(compose->disabled, profiles);
	sort_names(profiles);
}

void mvm_compose_images(const struct mvm_compose *compose, struct mvm_strv *images)
{
	const struct node *services = section_of(compose->model, "services");
	struct mvm_strv names MVM_CLEAN_STRV = {0};

	mvm_compose_names(compose, "services", &names);
	for (size_t i = 0; i < names.count; i++) {
		const struct node *service = node_get(services, names.items[i]);
		const char *image = node_get_text(service, "image");

		if (image && *image)
			mvm_strv_add(images, image);
		else if (!node_get(service, "provider"))
			mvm_strv_addf(images, "%s-%s", compose->name, names.items[i]);
	}
}

/* Without what may change and leaves a container as it is. */
static struct node *hashed_part(struct pool *pool, const struct node *service)
{
	static const char *const left_out[] = {"build", "pull_policy", "scale", "depends_on", "profiles"};
	struct node *copy = node_copy(pool, service);

	for (size_t i = 0; i < MVM_COUNT(left_out); i++)
		node_remove(copy, left_out[i]);
	if (node_is(node_get(copy, "deploy"), NODE_MAP))
		node_remove(node_get(copy, "deploy"), "replicas");
	return copy;
}

int mvm_compose_hash(struct mvm_compose *compose, const char *name, char hash[65], struct mvm_error **err)
{
	const struct node *service = node_get(section_of(compose->model, "services"), name);
	struct mvm_buf text MVM_CLEAN_BUF = {0};
	struct mvm_digest digest;

	if (!service)
		return mvm_fail(err, MVM_ERR_NOT_FOUND, "no such service: %s", name);
	print_json(hashed_part(&compose->pool, service), &schema_service, STYLE_JSON, -1, &text);
	mvm_digest_of(text.data, text.length, &digest);
	memcpy(hash, mvm_digest_hex(&digest), 65);
	return 0;
}

/* What is printed is a compose file again: a dollar that is one is two there. */
static void double_dollars(const struct mvm_buf *text, struct mvm_buf *out)
{
	for (size_t i = 0; i < text->length; i++)
		mvm_buf_add(out, text->data[i] == '$' ? "$$" : &text->data[i], text->data[i] == '$' ? 2 : 1);
}

void mvm_compose_print(const struct mvm_compose *compose, enum mvm_compose_format format, struct mvm_buf *out)
{
	bool raw = compose->options->no_interpolate;
	struct mvm_buf text MVM_CLEAN_BUF = {0};

	if (format == MVM_COMPOSE_JSON)
		print_json(compose->model, &schema_project, raw ? STYLE_RAW_JSON : STYLE_JSON, 0, &text);
	else
		print_yaml(compose->model, raw ? STYLE_RAW_YAML : STYLE_YAML, &text);
	if (raw)
		mvm_buf_add(out, text.data, text.length);
	else
		double_dollars(&text, out);
}
