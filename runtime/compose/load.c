#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"
#include "runtime/base/io.h"
#include "reader.h"

void unit_finish(struct unit *unit)
{
	mvm_strv_finish(&unit->files);
	mvm_strv_finish(&unit->environment);
	free(unit->folder);
}

/* With ".", ".." and double slashes taken out, as Go's filepath.Join() does. */
char *join_path(const char *folder, const char *path)
{
	char *whole MVM_CLEAN_FREE = *path == '/' ? mvm_strdup(path) : mvm_format("%s/%s", folder, path);
	struct mvm_strv parts MVM_CLEAN_STRV = {0};
	char *rest = whole, *part, *joined MVM_CLEAN_FREE = NULL;

	while ((part = strsep(&rest, "/"))) {
		if (!*part || !strcmp(part, "."))
			continue;
		if (strcmp(part, "..") != 0) {
			mvm_strv_add(&parts, part);
		} else if (parts.count) {
			free(parts.items[--parts.count]);
			parts.items[parts.count] = NULL;
		}
	}
	joined = mvm_strv_join(&parts, "/");
	return mvm_format("/%s", joined ? joined : "");
}

char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash != path ? mvm_strndup(path, (size_t)(slash - path)) : mvm_strdup("/");
}

bool is_file(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && !S_ISDIR(status.st_mode);
}

const char *shown_path(struct pool *pool, const char *path)
{
	char here[PATH_MAX];
	size_t length;

	if (!getcwd(here, sizeof(here)))
		return path;
	length = strlen(here);
	if (strncmp(path, here, length) != 0 || path[length] != '/')
		return path;
	return pool_text(pool, path + length + 1, strlen(path + length + 1));
}

static int read_stdin(struct mvm_buf *text, struct mvm_error **err)
{
	enum { PIECE = 64 << 10 };
	ssize_t got;

	do {
		got = mvm_read_full(STDIN_FILENO, mvm_buf_reserve(text, PIECE), PIECE);
		if (got < 0)
			return mvm_fail(err, MVM_ERR_IO, "cannot read stdin");
		text->length += (size_t)got;
	} while (got == PIECE && text->length <= POOL_MAX_FILE);
	return 0;
}

int load_raw_file(struct mvm_compose *compose, const char *path, struct node **documents, struct mvm_error **err)
{
	struct mvm_buf text MVM_CLEAN_BUF = {0};

	if (!strcmp(path, "-")) {
		if (read_stdin(&text, err) < 0)
			return -1;
		return yaml_read(&compose->pool, "stdin", text.data, text.length, documents, err);
	}
	if (mvm_read_file(path, POOL_MAX_FILE, &text.data, &text.length, err) < 0)
		return -1;
	return yaml_read(&compose->pool, shown_path(&compose->pool, path), text.data, text.length, documents, err);
}

int prepare_document(struct mvm_compose *compose, struct node **document, const struct mvm_strv *environment,
		     struct mvm_error **err)
{
	if (!node_is(*document, NODE_MAP))
		return node_fail(err, *document, "top-level object must be a mapping");
	if (!compose->options->no_interpolate && replace_variables(compose, *document, environment, NULL, err) < 0)
		return -1;
	if (check_node(compose, document, &schema_project, NULL, err) < 0)
		return -1;
	return lengthen_node(compose, document, &schema_project, err);
}

static void drop_version(struct mvm_compose *compose, struct node *document)
{
	const struct node *version = node_get(document, "version");

	if (!version)
		return;
	node_warn(&compose->pool, version,
		  "the attribute `version` is obsolete, it will be ignored, please remove it to avoid potential "
		  "confusion");
	node_remove(document, "version");
}

static int add_document(struct mvm_compose *compose, struct unit *unit, const char *file, struct node *document,
			struct node **model, struct mvm_error **err)
{
	if (prepare_document(compose, &document, &unit->environment, err) < 0)
		return -1;
	drop_version(compose, document);
	if (apply_includes(compose, unit, document, err) < 0 || apply_extends(compose, unit, file, document, err) < 0 ||
	    merge_node(&compose->pool, *model, document, &schema_project, NULL, model, err) < 0)
		return -1;
	strip_tags(*model);
	make_unique(*model, &schema_project);
	return 0;
}

static int add_file(struct mvm_compose *compose, struct unit *unit, const char *file, struct node *documents,
		    struct node **model, struct mvm_error **err)
{
	if (!documents && load_raw_file(compose, file, &documents, err) < 0)
		return -1;
	if (!(*model)->file && documents->file)
		(*model)->file = documents->file;
	for (size_t i = 0; i < documents->count; i++)
		if (add_document(compose, unit, file, documents->entries[i].value, model, err) < 0)
			return -1;
	return 0;
}

int load_unit(struct mvm_compose *compose, struct unit *unit, struct node **model, struct mvm_error **err)
{
	struct node *whole = node_new(&compose->pool, NODE_MAP, NULL);

	for (size_t i = 0; i < unit->files.count; i++) {
		struct node *documents = unit->documents ? unit->documents->entries[i].value : NULL;

		if (add_file(compose, unit, unit->files.items[i], documents, &whole, err) < 0)
			return -1;
	}
	if (settle(compose, whole, unit, err) < 0)
		return -1;
	*model = whole;
	return 0;
}
