#include "compose_board.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "runtime/base/loop.h"

struct line {
	char *what, *text;
	enum mvm_compose_phase phase;
	uint64_t since, until; /* ns; until 0: it goes on */
};

struct cli_board {
	struct mvm_compose_sink sink;
	bool terminal;
	struct line *lines;
	size_t count, drawn;
	size_t width; /* of the longest `what` */
};

static const struct {
	const char *mark, *colour;
} looks[] = {
	[MVM_COMPOSE_WORKING] = {"\xe2\xa0\xbf", "\033[34m"},
	[MVM_COMPOSE_DONE] = {"\xe2\x9c\x94", "\033[32m"},
	[MVM_COMPOSE_WARNING] = {"!", "\033[33m"},
	[MVM_COMPOSE_FAILED] = {"\xe2\x9c\x98", "\033[31m"},
};

static struct line *line_of(struct cli_board *board, const char *what)
{
	struct line *line;

	for (size_t i = 0; i < board->count; i++)
		if (!strcmp(board->lines[i].what, what))
			return &board->lines[i];
	board->lines = mvm_realloc(board->lines, board->count + 1, sizeof(*board->lines));
	line = &board->lines[board->count++];
	*line = (struct line){.what = mvm_strdup(what), .since = mvm_now_ns()};
	if (strlen(what) > board->width)
		board->width = strlen(what);
	return line;
}

static void erase(struct cli_board *board)
{
	if (board->drawn)
		fprintf(stderr, "\033[%zuA\033[J", board->drawn);
	board->drawn = 0;
}

/* No more than fit: the last ones, for the first are done. */
static void draw(struct cli_board *board)
{
	size_t done = 0, first = 0;
	int rows = 0, cols = 0;

	cli_window_size(&rows, &cols);
	if (rows > 2 && board->count > (size_t)rows - 2)
		first = board->count - ((size_t)rows - 2);
	for (size_t i = 0; i < board->count; i++)
		done += board->lines[i].phase != MVM_COMPOSE_WORKING;
	fprintf(stderr, "[+] Running %zu/%zu\n", done, board->count);
	for (size_t i = first; i < board->count; i++) {
		const struct line *line = &board->lines[i];
		double seconds = (double)((line->until ? line->until : mvm_now_ns()) - line->since) / 1e9;

		fprintf(stderr, " %s%s\033[0m %-*s  %s%s\033[0m  %.1fs\n", looks[line->phase].colour,
			looks[line->phase].mark, (int)board->width, line->what, looks[line->phase].colour, line->text,
			seconds);
	}
	board->drawn = board->count - first + 1;
	fflush(stderr);
}

/* Docker's two spaces come of a column that is empty for what has a kind. */
static void print_plain(const char *what, const char *text)
{
	fprintf(stderr, " %s %s%s\n", what, strchr(what, ' ') ? " " : "", text);
	fflush(stderr);
}

static void show(void *arg, const char *what, enum mvm_compose_phase phase, const char *text)
{
	struct cli_board *board = arg;
	struct line *line;

	if (!board->terminal) {
		print_plain(what, text);
		return;
	}
	line = line_of(board, what);
	free(line->text);
	line->text = mvm_strdup(text);
	line->phase = phase;
	line->until = phase == MVM_COMPOSE_WORKING ? 0 : mvm_now_ns();
	erase(board);
	draw(board);
}

static void warn(void *arg, const char *text)
{
	struct cli_board *board = arg;

	erase(board);
	fprintf(stderr, "WARNING: %s\n", text);
	if (board->count)
		draw(board);
}

struct cli_board *cli_board_create(void)
{
	struct cli_board *board = mvm_alloc(sizeof(*board));

	board->sink = (struct mvm_compose_sink){.event = show, .warn = warn, .arg = board};
	board->terminal = isatty(STDERR_FILENO);
	return board;
}

void cli_board_set_plain(struct cli_board *board)
{
	board->terminal = false;
}

const struct mvm_compose_sink *cli_board_sink(struct cli_board *board)
{
	return &board->sink;
}

void cli_board_destroy(struct cli_board *board)
{
	if (!board)
		return;
	for (size_t i = 0; i < board->count; i++) {
		free(board->lines[i].what);
		free(board->lines[i].text);
	}
	free(board->lines);
	free(board);
}
