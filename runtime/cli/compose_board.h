/*
 * What goes on in a project, on stderr: on a terminal a board with a line for each thing, redrawn in place, else docker
 * compose's plain lines.
 */
#ifndef MVM_CLI_COMPOSE_BOARD_H
#define MVM_CLI_COMPOSE_BOARD_H

#include "runtime/compose/up.h"

struct cli_board;
struct cli_board *cli_board_create(void);
/* Lines on a terminal, too, where others write there. */
void cli_board_set_plain(struct cli_board *board);
/* The board's, for a project. */
const struct mvm_compose_sink *cli_board_sink(struct cli_board *board);
/* What comes stands below what has been. */
void cli_board_destroy(struct cli_board *board);
static inline void cli_board_cleanup(struct cli_board **board)
{
	cli_board_destroy(*board);
}
#define CLEAN_BOARD __attribute__((cleanup(cli_board_cleanup)))

#endif
