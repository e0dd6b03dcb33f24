#include "compose.h"

#include <time.h>

#include "ps_columns.h"

/* Docker compose's own width. */
#define MIN_WIDTH 4

static const struct cli_option options[] = {CLI_OPTIONS_END};

static void add_rows(const struct mvm_container *container, const struct mvm_process_list *list,
		     const struct ps_columns *columns, struct mvm_buf *text)
{
	time_t now = time(NULL);

	for (size_t number = 0; number < list->count; number++) {
		const struct ps_row row = {&list->items[number], list, now};

		mvm_buf_addf(text, "%s\t%lld", mvm_fleet_service(container), (long long)mvm_fleet_number(container));
		for (size_t i = 0; i < columns->titles.count; i++) {
			char *cell MVM_CLEAN_FREE = ps_column_text(columns->items[i], &row);

			mvm_buf_addf(text, "\t%s", cell);
		}
		mvm_buf_add(text, "\n", 1);
	}
}

static int show(struct mvm_engine *engine, const char *project, const struct mvm_fleet *fleet, void *context,
		struct mvm_error **err)
{
	struct ps_columns columns MVM_CLEAN_PS_COLUMNS = {0};
	char *none[] = {NULL};
	struct mvm_buf text MVM_CLEAN_BUF = {0};

	if (ps_columns_parse(none, &columns, err) < 0)
		return -1;
	mvm_buf_addf(&text, "SERVICE\t#");
	for (size_t i = 0; i < columns.titles.count; i++)
		mvm_buf_addf(&text, "\t%s", columns.titles.items[i]);
	mvm_buf_add(&text, "\n", 1);
	for (size_t i = 0; i < fleet->count; i++) {
		struct mvm_process_list list MVM_CLEAN_PROCESSES = {0};

		if (mvm_engine_processes(engine, fleet->items[i]->config.id, &list, err) < 0)
			return -1;
		add_rows(fleet->items[i], &list, &columns, &text);
	}
	if (fleet->count)
		cli_align(text.data, text.length, MIN_WIDTH, stdout);
	return 0;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct mvm_fleet_request request = {.services = args, .oneoff = MVM_ONEOFF_INCLUDE};

	return cli_compose_with_all(&request, show, NULL, err);
}

const struct cli_command cli_compose_top = {
	.name = "compose top",
	.usage = "[SERVICES...]",
	.summary = "Display the running processes",
	.options = options,
	.max_args = SIZE_MAX,
	.complete = cli_complete_services,
	.values_size = 1,
	.run = run,
};
