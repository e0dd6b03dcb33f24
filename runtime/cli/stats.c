/*
 * `stats`: docker's table of what containers use, once or over and over.
 *
 * On a terminal it is drawn in place; what goes elsewhere has no escape sequences.
 */
#include "cli.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/loop.h"
#include "runtime/base/text.h"

#define PERIOD_NS 1000000000ULL
#define FIRST_NS  2000000000ULL /* docker's patience */

#define AT(member) offsetof(struct cli_stats_wishes, member)

static const struct cli_option options[] = {
	{"all", 'a', CLI_FLAG, AT(all), NULL, "Show those that do not run too"},
	{"format", 0, CLI_STRING, AT(format), "FORMAT", CLI_FORMAT_HELP, CLI_WORDS("json", "table")},
	{"no-stream", 0, CLI_FLAG, AT(once), NULL, "Show the figures of the moment and end"},
	{"no-trunc", 0, CLI_FLAG, AT(no_trunc), NULL, "Show IDs in full"},
	CLI_OPTIONS_END,
};

static const struct cli_column columns[] = {
	{"CONTAINER ID", "ID"},	  {"NAME", "Name"},
	{"CPU %", "CPUPerc"},	  {"MEM USAGE / LIMIT", "MemUsage"},
	{"MEM %", "MemPerc"},	  {"NET I/O", "NetIO"},
	{"BLOCK I/O", "BlockIO"}, {"PIDS", "PIDs"},
	{"HOST MEM", "HostMem"},  {"CONTAINER", "Container", true},
};

/* What is shown: the containers that were named, or all that there are at the moment. */
struct listing {
	struct mvm_engine *engine;
	struct mvm_stats_board *board;
	const struct cli_stats_wishes *wanted;
	char **names;	     /* none: all */
	struct mvm_strv ids; /* of those names */
	struct mvm_container **list;
	size_t count;
};

/* The figures */

/* 4 digits of units of 1024, or 3 of 1000: docker's two. */
static char *size_text(uint64_t bytes, bool binary)
{
	static const char *const units[2][7] = {{"B", "kB", "MB", "GB", "TB", "PB", "EB"},
						{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}};
	double value = (double)bytes, base = binary ? 1024 : 1000;
	size_t unit = 0;

	while (value >= base && unit + 1 < MVM_COUNT(units[0])) {
		value /= base;
		unit++;
	}
	return mvm_format(binary ? "%.4g%s" : "%.3g%s", value, units[binary][unit]);
}

static char *pair_text(uint64_t one, uint64_t other, bool binary)
{
	char *first MVM_CLEAN_FREE = size_text(one, binary), *second MVM_CLEAN_FREE = size_text(other, binary);

	return mvm_format("%s / %s", first, second);
}

/* Docker's: of what all processors could have done in that time, times their number. */
static double cpu_percent(const struct mvm_stats_pair *pair)
{
	if (!pair->before || pair->now->at <= pair->before->at || pair->now->cpu <= pair->before->cpu)
		return 0;
	return (double)(pair->now->cpu - pair->before->cpu) / (double)(pair->now->at - pair->before->at) * 100;
}

static void add_figures(struct mvm_strv *cells, const struct mvm_stats_pair *pair)
{
	const struct mvm_stats *now = pair->now;
	uint64_t memory = now->memory_inactive < now->memory ? now->memory - now->memory_inactive : now->memory;

	mvm_strv_addf(cells, "%.2f%%", cpu_percent(pair));
	mvm_strv_take(cells, pair_text(memory, now->memory_limit, true));
	mvm_strv_addf(cells, "%.2f%%", now->memory_limit ? (double)memory / (double)now->memory_limit * 100 : 0);
	mvm_strv_take(cells, pair_text(now->net_received, now->net_sent, false));
	mvm_strv_take(cells, pair_text(now->block_read, now->block_written, false));
	mvm_strv_addf(cells, "%llu", (unsigned long long)now->pids);
	mvm_strv_take(cells, size_text(now->host_memory, true));
}

/* Of one that runs and does not answer, or stands still. */
static void add_unknown(struct mvm_strv *cells)
{
	static const char *const unknown[] = {"--", "-- / --", "--", "--", "--", "--", "--"};

	for (size_t i = 0; i < MVM_COUNT(unknown); i++)
		mvm_strv_add(cells, unknown[i]);
}

/* As it was named, where it was. */
static const char *given_name(const struct listing *listing, const char *id)
{
	for (size_t i = 0; i < listing->ids.count; i++)
		if (!strcmp(listing->ids.items[i], id))
			return listing->names[i];
	return id;
}

static void add_row(const struct listing *listing, size_t i, struct mvm_strv *cells)
{
	static const struct mvm_stats nothing = {0};
	const struct mvm_container *container = listing->list[i];
	struct mvm_stats_pair pair = mvm_stats_board_get(listing->board, container->config.id);
	bool alive = mvm_status_alive(container->state.status);

	mvm_strv_take(cells, mvm_strndup(container->config.id,
					 listing->wanted->no_trunc ? MVM_ID_LENGTH : MVM_SHORT_ID_LENGTH));
	mvm_strv_add(cells, container->config.name);
	if (!alive)
		pair = (struct mvm_stats_pair){NULL, &nothing};
	if (pair.now)
		add_figures(cells, &pair);
	else
		add_unknown(cells);
	mvm_strv_add(cells, given_name(listing, container->config.id));
}

/* The containers */

static void forget_list(struct listing *listing)
{
	mvm_container_list_free(listing->list, listing->count);
	listing->list = NULL;
	listing->count = 0;
}

static bool runs(const struct mvm_container *container)
{
	return mvm_status_alive(container->state.status) && container->state.status != MVM_STATUS_STARTING;
}

static bool is_meant(const struct cli_stats_wishes *wanted, const struct mvm_container *container)
{
	return !container->config.login.user && (wanted->all || runs(container)) &&
	       (!wanted->takes || wanted->takes(wanted->arg, container));
}

static int list_all(struct listing *listing, struct mvm_error **err)
{
	struct mvm_strv damaged MVM_CLEAN_STRV = {0};
	size_t count, kept = 0;

	if (mvm_state_list_readable(mvm_engine_state(listing->engine), &listing->list, &count, &damaged, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (is_meant(listing->wanted, listing->list[i]))
			listing->list[kept++] = listing->list[i];
		else
			mvm_container_free(listing->list[i]);
	}
	listing->count = kept;
	return 0;
}

/* Those that have gone since are left out. */
static int list_named(struct listing *listing, struct mvm_error **err)
{
	listing->list = mvm_alloc((listing->ids.count + 1) * sizeof(*listing->list));
	for (size_t i = 0; i < listing->ids.count; i++) {
		struct mvm_container *container;
		struct mvm_error *local MVM_CLEAN_ERROR = NULL;

		if (mvm_state_find(mvm_engine_state(listing->engine), listing->ids.items[i], &container, &local) == 0)
			listing->list[listing->count++] = container;
		else if (mvm_error_code(local) != MVM_ERR_NOT_FOUND)
			return mvm_error_move(err, &local);
	}
	return 0;
}

/* Docker shows nothing where one of them is unknown. */
static int resolve_name(struct mvm_engine *engine, const char *arg, void *context, struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_strv *ids = context;

	if (mvm_state_find(mvm_engine_state(engine), arg, &container, err) < 0)
		return -1;
	mvm_strv_add(ids, container->config.id);
	return 0;
}

/* The rounds */

static int ask(struct listing *listing, struct mvm_error **err)
{
	forget_list(listing);
	if ((listing->ids.count ? list_named(listing, err) : list_all(listing, err)) < 0)
		return -1;
	mvm_stats_board_ask(listing->board, listing->list, listing->count);
	return 0;
}

static int write_table(const struct listing *listing, FILE *out, struct mvm_error **err)
{
	struct cli_table table = {.columns = columns, .column_count = MVM_COUNT(columns), .type = "container"};
	int result;

	for (size_t i = 0; i < listing->count; i++)
		add_row(listing, i, &table.cells);
	result = cli_table_write(&table, listing->wanted->format, out, err);
	cli_table_finish(&table);
	return result;
}

/* Over what is there, without flicker: each line is ended by what clears its rest, and the last one by what clears all
 * below. */
static int draw(const struct listing *listing, struct mvm_error **err)
{
	char *text = NULL;
	size_t length = 0;
	FILE *memory = open_memstream(&text, &length);
	int result;

	if (!memory)
		return mvm_fail_errno(err, errno, "cannot draw");
	result = write_table(listing, memory, err);
	fclose(memory);
	fputs("\033[H", stdout);
	for (size_t i = 0; result == 0 && i < length; i++) {
		if (text[i] == '\n')
			fputs("\033[K", stdout);
		putchar(text[i]);
	}
	fputs("\033[J", stdout);
	free(text);
	return result;
}

static int show(const struct listing *listing, struct mvm_error **err)
{
	bool in_place = !listing->wanted->once && isatty(STDOUT_FILENO);

	if ((in_place ? draw(listing, err) : write_table(listing, stdout, err)) < 0)
		return -1;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	/* Whoever read has seen enough. */
	if (errno == EPIPE) {
		signal(SIGPIPE, SIG_DFL);
		raise(SIGPIPE);
	}
	return mvm_fail_errno(err, errno, "cannot write to stdout");
}

/* What a processor does is known from two answers. */
static int show_once(struct listing *listing, struct mvm_error **err)
{
	uint64_t begun = mvm_now_ns();

	if (ask(listing, err) < 0 || mvm_stats_board_collect(listing->board, begun + FIRST_NS, false, err) < 0)
		return -1;
	if (listing->count && mvm_stats_board_collect(listing->board, begun + PERIOD_NS, true, err) < 0)
		return -1;
	if (ask(listing, err) < 0 || mvm_stats_board_collect(listing->board, mvm_now_ns() + FIRST_NS, false, err) < 0)
		return -1;
	return show(listing, err);
}

static int show_forever(struct listing *listing, struct mvm_error **err)
{
	uint64_t next = mvm_now_ns() + PERIOD_NS;

	if (ask(listing, err) < 0 || mvm_stats_board_collect(listing->board, next, false, err) < 0)
		return -1;
	for (;; next += PERIOD_NS) {
		if (show(listing, err) < 0 || mvm_stats_board_collect(listing->board, next, true, err) < 0 ||
		    ask(listing, err) < 0)
			return -1;
		/* What is answered at once is shown at once. */
		if (mvm_stats_board_collect(listing->board, next + PERIOD_NS / 4, false, err) < 0)
			return -1;
		/* After a while of standing still, or of being slow, the beat goes on from there. */
		if (mvm_now_ns() > next + PERIOD_NS)
			next = mvm_now_ns();
		if (listing->ids.count && !listing->count)
			return show(listing, err);
	}
}

int cli_show_stats(const struct cli_stats_wishes *wanted, struct mvm_error **err)
{
	struct listing listing = {.wanted = wanted, .names = wanted->names};
	int result;

	if (cli_check_format(wanted->format, err) < 0 || mvm_engine_open(&listing.engine, err) < 0)
		return -1;
	listing.board = mvm_stats_board_create(listing.engine);
	result = *wanted->names ? cli_for_each(wanted->names, resolve_name, &listing.ids, err) : 0;
	if (result == 0)
		result = wanted->once ? show_once(&listing, err) : show_forever(&listing, err);
	forget_list(&listing);
	mvm_stats_board_destroy(listing.board);
	mvm_strv_finish(&listing.ids);
	mvm_engine_close(listing.engine);
	return result;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	struct cli_stats_wishes wanted = *(const struct cli_stats_wishes *)given;

	wanted.names = args;
	return cli_show_stats(&wanted, err);
}

const struct cli_command cli_stats = {
	.name = "stats",
	.names = {"container stats", "stats"},
	.usage = "[OPTIONS] [CONTAINER...]",
	.summary = "Show what containers use, over and over",
	.options = options,
	.max_args = SIZE_MAX,
	.complete = cli_complete_running,
	.values_size = sizeof(struct cli_stats_wishes),
	.run = run,
};
