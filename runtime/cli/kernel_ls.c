#include "kernel_flags.h"

#include <stddef.h>
#include <sys/stat.h>

#include "runtime/base/kernel.h"
#include "runtime/base/text.h"

struct values {
	bool quiet, no_trunc;
	const char *format;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"format", 0, CLI_STRING, AT(format), "FORMAT", CLI_FORMAT_HELP, CLI_WORDS("json", "table")},
	{"no-trunc", 0, CLI_FLAG, AT(no_trunc), NULL, "Show whole IDs"},
	{"quiet", 'q', CLI_FLAG, AT(quiet), NULL, "Show IDs only"},
	CLI_OPTIONS_END,
};

/* In the table's order. */
struct row {
	const char *name, *id, *arch, *version;
	uint64_t size;
	bool used;
};

static void add_row(struct cli_table *table, const struct row *row)
{
	mvm_strv_add(&table->cells, row->name);
	mvm_strv_add(&table->cells, row->id);
	mvm_strv_add(&table->cells, row->arch);
	mvm_strv_add(&table->cells, *row->version ? row->version : "<none>");
	mvm_strv_take(&table->cells, mvm_format_size(row->size));
	mvm_strv_add(&table->cells, row->used ? "*" : "");
}

static void add_kernel(struct cli_table *table, const struct mvm_kernel *kernel, const struct values *values)
{
	char *id MVM_CLEAN_FREE = values->no_trunc
					  ? mvm_strdup(kernel->manifest.digest.text)
					  : mvm_strndup(mvm_digest_hex(&kernel->manifest.digest), MVM_DIGEST_SHORT);
	struct row row = {.id = id,
			  .arch = mvm_arch_name(kernel->config.arch),
			  .version = kernel->config.version,
			  .size = mvm_kernel_size(kernel),
			  .used = kernel->used};

	if (values->quiet) {
		puts(id);
		return;
	}
	for (size_t i = 0; i < kernel->names.count; i++) {
		char *name MVM_CLEAN_FREE = mvm_reference_shorten(kernel->names.items[i]);

		row.name = name;
		add_row(table, &row);
	}
	row.name = "<none>";
	if (!kernel->names.count)
		add_row(table, &row);
}

static uint64_t file_size(const char *path)
{
	struct stat st;

	return path && stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* mvm's own, which is no artifact. */
static void add_own(struct cli_table *table, enum mvm_arch arch, bool used)
{
	char *image MVM_CLEAN_FREE = NULL, *initramfs MVM_CLEAN_FREE = NULL;
	struct mvm_kernel_facts facts;

	if (mvm_boot_file(arch, mvm_backend_kernel(), &image, NULL) < 0 ||
	    mvm_kernel_examine(image, image, &facts, NULL) < 0)
		return;
	(void)mvm_boot_file(arch, MVM_BOOT_INITRAMFS, &initramfs, NULL);
	const struct row row = {.name = "<own>",
				.id = "<none>",
				.arch = mvm_arch_name(arch),
				.version = facts.version,
				.size = file_size(image) + file_size(initramfs),
				.used = used};
	add_row(table, &row);
}

static void fill(struct cli_table *table, const struct mvm_kernel_list *kernels, const struct values *values)
{
	for (int arch = MVM_ARCH_AMD64; arch <= MVM_ARCH_ARM64; arch++) {
		bool used = false;

		for (size_t i = 0; i < kernels->count; i++)
			used |= kernels->items[i]->used && kernels->items[i]->config.arch == (enum mvm_arch)arch;
		if (!values->quiet)
			add_own(table, (enum mvm_arch)arch, !used);
		for (size_t i = 0; i < kernels->count; i++)
			if (kernels->items[i]->config.arch == (enum mvm_arch)arch)
				add_kernel(table, kernels->items[i], values);
	}
}

static int list(struct mvm_engine *engine, const struct values *values, struct mvm_error **err)
{
	static const struct cli_column columns[] = {
		{"NAME", "Name"},	{"KERNEL ID", "ID"}, {"ARCHITECTURE", "Architecture"},
		{"VERSION", "Version"}, {"SIZE", "Size"},    {"USED", "Used"},
	};
	struct mvm_kernel_list kernels MVM_CLEAN_KERNEL_LIST = {0};
	struct cli_table table = {.columns = columns, .column_count = MVM_COUNT(columns), .type = "kernel"};
	struct mvm_store *store;
	int result = 0;

	if (mvm_engine_kernels(engine, &store, err) < 0 || mvm_kernels_list(store, &kernels, err) < 0)
		return -1;
	fill(&table, &kernels, values);
	if (!values->quiet)
		result = cli_table_print(&table, values->format, err);
	cli_table_finish(&table);
	return result;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_engine *engine;
	int result;

	if (cli_check_format(values->format, err) < 0 || mvm_engine_open(&engine, err) < 0)
		return -1;
	result = list(engine, values, err);
	mvm_engine_close(engine);
	return result;
}

const struct cli_command cli_kernel_ls = {
	.name = "kernel ls",
	.names = {"kernel ls", "kernel list"},
	.usage = "[OPTIONS]",
	.summary = "List kernels",
	.options = options,
	.values_size = sizeof(struct values),
	.run = run,
};
