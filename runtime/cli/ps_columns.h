/*
 * What `top` shows of processes: the columns that options of ps ask for, and their text. Pure.
 */
#ifndef MVM_CLI_PS_COLUMNS_H
#define MVM_CLI_PS_COLUMNS_H

#include <stddef.h>
#include <time.h>

#include "runtime/base/mem.h"
#include "runtime/engine/processes.h"

struct mvm_error;

struct ps_column; /* what ps calls "pid" or "comm" */

struct ps_columns {
	const struct ps_column **items;
	struct mvm_strv titles; /* one for each */
};
void ps_columns_finish(struct ps_columns *columns);
#define MVM_CLEAN_PS_COLUMNS __attribute__((cleanup(ps_columns_finish)))

/* From the words after the container: none is -ef, as docker has it. USAGE for what we do not know of ps. */
int ps_columns_parse(char *const *words, struct ps_columns *columns, struct mvm_error **err);

struct ps_row {
	const struct mvm_process *process;
	const struct mvm_process_list *list;
	time_t now; /* when the list was made */
};

/* The cell of a column; the caller's. */
char *ps_column_text(const struct ps_column *column, const struct ps_row *row);

#endif
