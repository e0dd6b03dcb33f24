#include "filter.h"

#include <stddef.h>
#include <string.h>
#include <time.h>

#include "image/reference.h"
#include "runtime/base/text.h"

struct values {
	bool all, quiet, no_trunc, digests;
	const char *format;
	struct mvm_strv filters;
};

enum { ID_COLUMN = 3 };

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"all", 'a', CLI_FLAG, AT(all), NULL, "Accepted for docker's sake: all are shown anyway"},
	{"digests", 0, CLI_FLAG, AT(digests), NULL, "Show digests"},
	{"filter", 'f', CLI_LIST, AT(filters), "FILTER", "dangling=, label=, before=, since=, until= or reference=",
	 CLI_WORDS("before=", "dangling=false", "dangling=true", "label=", "reference=", "since=", "until=")},
	{"format", 0, CLI_STRING, AT(format), "FORMAT", CLI_FORMAT_HELP, CLI_WORDS("json", "table")},
	{"no-trunc", 0, CLI_FLAG, AT(no_trunc), NULL, "Show IDs in full"},
	{"quiet", 'q', CLI_FLAG, AT(quiet), NULL, "Show IDs only"},
	CLI_OPTIONS_END,
};

/* One repository's name, in the form of the screen; the full one of a reference. */
static char *short_repository(const char *name)
{
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};

	if (mvm_reference_parse(name, &reference, NULL) < 0)
		return mvm_strdup("<none>");
	return mvm_reference_familiar_repository(&reference);
}

static size_t repository_length(const char *name)
{
	const char *at = strchr(name, '@');

	return at ? (size_t)(at - name) : (size_t)(strrchr(name, ':') - name);
}

static bool same_repository(const char *a, const char *b)
{
	size_t length = repository_length(a);

	return length == repository_length(b) && !strncmp(a, b, length);
}

/* What all rows are made with. */
struct listing {
	struct mvm_engine *engine;
	const struct values *values;
	struct cli_image_filter filter;
	struct cli_table table;
};

/* `name` is a full reference of the repository, NULL for an image that has none. */
static void add_row(struct listing *listing, const struct mvm_image *image, const char *name, const char *tag,
		    const char *digest)
{
	const struct mvm_digest *id = mvm_image_id(image);
	struct mvm_strv *cells = &listing->table.cells;
	time_t created = mvm_image_created(image);

	mvm_strv_take(cells, name ? short_repository(name) : mvm_strdup("<none>"));
	mvm_strv_add(cells, tag);
	mvm_strv_add(cells, digest);
	mvm_strv_take(cells, listing->values->no_trunc ? mvm_strdup(id->text)
						       : mvm_strndup(mvm_digest_hex(id), MVM_DIGEST_SHORT));
	mvm_strv_take(cells, created ? cli_ago(created) : mvm_strdup("N/A"));
	mvm_strv_take(cells, mvm_format_size(mvm_engine_image_size(listing->engine, image)));
	mvm_strv_take(cells, cli_moment_text(created));
	mvm_strv_take(cells, mvm_format_size(mvm_engine_image_size(listing->engine, image)));
	/* Docker's, which counts these for `system df -v` only. */
	for (int i = 0; i < 3; i++)
		mvm_strv_add(cells, "N/A");
}

/* A tag, once for each digest of its repository where digests are shown. */
static void add_tag(struct listing *listing, const struct mvm_image *image, const char *name)
{
	const struct mvm_strv *digests = mvm_image_repo_digests(image);
	const char *tag = name + repository_length(name) + 1;
	bool added = false;

	for (size_t i = 0; listing->values->digests && i < digests->count; i++) {
		if (!same_repository(digests->items[i], name) ||
		    !cli_image_filter_shows(&listing->filter, digests->items[i]))
			continue;
		add_row(listing, image, name, tag, strchr(digests->items[i], '@') + 1);
		added = true;
	}
	if (!added)
		add_row(listing, image, name, tag, "<none>");
}

/* Whether the digest at `index` needs a row: no tag of its repository is shown, nor, where digests are not, an
 * earlier digest of it. */
static bool needs_row(const struct listing *listing, const struct mvm_image *image, size_t index)
{
	const struct mvm_strv *names = mvm_image_names(image), *digests = mvm_image_repo_digests(image);
	const char *digest = digests->items[index];

	if (!cli_image_filter_shows(&listing->filter, digest))
		return false;
	for (size_t i = 0; i < names->count; i++)
		if (same_repository(names->items[i], digest) &&
		    cli_image_filter_shows(&listing->filter, names->items[i]))
			return false;
	for (size_t i = 0; !listing->values->digests && i < index; i++)
		if (same_repository(digests->items[i], digest) &&
		    cli_image_filter_shows(&listing->filter, digests->items[i]))
			return false;
	return true;
}

static void add_image(struct listing *listing, const struct mvm_image *image)
{
	const struct mvm_strv *names = mvm_image_names(image), *digests = mvm_image_repo_digests(image);

	if (!cli_image_filter_takes(&listing->filter, image))
		return;
	for (size_t i = 0; i < names->count; i++)
		if (cli_image_filter_shows(&listing->filter, names->items[i]))
			add_tag(listing, image, names->items[i]);
	for (size_t i = 0; i < digests->count; i++)
		if (needs_row(listing, image, i))
			add_row(listing, image, digests->items[i], "<none>",
				listing->values->digests ? strchr(digests->items[i], '@') + 1 : "<none>");
	if (!names->count && !digests->count)
		add_row(listing, image, NULL, "<none>", "<none>");
}

static void print_ids(const struct cli_table *table)
{
	for (size_t i = ID_COLUMN; i < table->cells.count; i += table->column_count)
		puts(table->cells.items[i]);
}

static int list(struct listing *listing, const char *pattern, struct mvm_error **err)
{
	struct mvm_image_list images MVM_CLEAN_IMAGE_LIST = {0};
	struct mvm_store *store;

	if (mvm_engine_store(listing->engine, &store, err) < 0 ||
	    cli_image_filter_init(&listing->filter, store, &listing->values->filters, pattern, err) < 0 ||
	    mvm_store_list(store, &images, err) < 0)
		return -1;
	for (size_t i = 0; i < images.count; i++)
		add_image(listing, images.items[i]);
	if (!listing->values->quiet || listing->values->format)
		return cli_table_print(&listing->table, listing->values->format, err);
	print_ids(&listing->table);
	return 0;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	const struct cli_column columns[] = {
		{"REPOSITORY", "Repository"},
		{"TAG", "Tag"},
		{"DIGEST", "Digest", !values->digests},
		{"IMAGE ID", "ID"},
		{"CREATED", "CreatedSince"},
		{"SIZE", "Size"},
		{"CREATED AT", "CreatedAt", true},
		/* Docker's old name of the size. */
		{"SIZE", "VirtualSize", true},
		{"CONTAINERS", "Containers", true},
		{"SHARED SIZE", "SharedSize", true},
		{"UNIQUE SIZE", "UniqueSize", true},
	};
	struct listing listing = {.values = values,
				  .table = {.columns = columns, .column_count = MVM_COUNT(columns), .type = "image"}};
	int result;

	if (cli_check_format(values->format, err) < 0 || mvm_engine_open(&listing.engine, err) < 0)
		return -1;
	result = list(&listing, args[0], err);
	cli_table_finish(&listing.table);
	cli_image_filter_finish(&listing.filter);
	mvm_engine_close(listing.engine);
	return result;
}

const struct cli_command cli_images = {
	.name = "images",
	.names = {"image ls", "image list", "images"},
	.common = true,
	.usage = "[OPTIONS] [REPOSITORY[:TAG]]",
	.summary = "List images",
	.options = options,
	.max_args = 1,
	.complete = cli_complete_images,
	.values_size = sizeof(struct values),
	.run = run,
};
