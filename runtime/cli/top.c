/*
 * `top`: what runs in a container. Docker asks the host's ps, which does not see into a machine; so the guest lists its
 * processes, and the columns that people ask ps for are made here. The numbers are the container's own.
 */
#include "cli.h"

#include <string.h>

#include "ps_columns.h"

/* Docker's: at least twenty wide. */
#define MIN_WIDTH 20

static const struct cli_option options[] = {CLI_OPTIONS_END};

static void print_list(const struct mvm_process_list *list, const struct ps_columns *columns)
{
	struct mvm_buf text MVM_CLEAN_BUF = {0};
	time_t now = time(NULL);

	for (size_t i = 0; i < columns->titles.count; i++)
		mvm_buf_addf(&text, "%s%s", i ? "\t" : "", columns->titles.items[i]);
	mvm_buf_add(&text, "\n", 1);
	for (size_t number = 0; number < list->count; number++) {
		const struct ps_row row = {&list->items[number], list, now};

		for (size_t i = 0; i < columns->titles.count; i++) {
			char *cell MVM_CLEAN_FREE = ps_column_text(columns->items[i], &row);

			mvm_buf_addf(&text, "%s%s", i ? "\t" : "", cell);
		}
		mvm_buf_add(&text, "\n", 1);
	}
	cli_align(text.data, text.length, MIN_WIDTH, stdout);
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	struct ps_columns columns MVM_CLEAN_PS_COLUMNS = {0};
	struct mvm_process_list list MVM_CLEAN_PROCESSES = {0};
	struct mvm_engine *engine;
	int result;

	if (ps_columns_parse(args + 1, &columns, err) < 0 || mvm_engine_open(&engine, err) < 0)
		return -1;
	result = mvm_engine_processes(engine, args[0], &list, err);
	if (result == 0)
		print_list(&list, &columns);
	mvm_engine_close(engine);
	return result;
}

const struct cli_command cli_top = {
	.name = "top",
	.names = {"container top", "top"},
	.usage = "CONTAINER [ps OPTIONS]",
	.summary = "Show what runs in a container",
	.options = options,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.options_first = true,
	.complete = cli_complete_unpaused_one,
	.values_size = 1,
	.run = run,
};
