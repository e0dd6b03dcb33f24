#include "progress.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "digest.h"
#include "runtime/base/io.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"

/* Redrawing more often than this, in nanoseconds, only costs. */
#define REDRAW_INTERVAL 100000000u
#define BAR_WIDTH	30

static const char *const state_names[] = {
	[MVM_PROGRESS_PENDING] = "Pulling fs layer", [MVM_PROGRESS_WAITING] = "Waiting",
	[MVM_PROGRESS_DOWNLOADING] = "Downloading",  [MVM_PROGRESS_DOWNLOADED] = "Download complete",
	[MVM_PROGRESS_RETRYING] = "Retrying in",     [MVM_PROGRESS_VERIFYING] = "Verifying Checksum",
	[MVM_PROGRESS_EXISTS] = "Already exists",    [MVM_PROGRESS_EXTRACTING] = "Extracting",
	[MVM_PROGRESS_COMPLETE] = "Pull complete",   [MVM_PROGRESS_PREPARING] = "Preparing",
	[MVM_PROGRESS_PUSHING] = "Pushing",	     [MVM_PROGRESS_PUSHED] = "Pushed",
	[MVM_PROGRESS_MOUNTED] = "Mounted from",     [MVM_PROGRESS_PUSHED_EARLIER] = "Layer already exists",
};

const char *mvm_progress_state_name(enum mvm_progress_state state)
{
	return state_names[state];
}

void mvm_progress_message(const struct mvm_progress *progress, const char *format, ...)
{
	char *text MVM_CLEAN_FREE = NULL;
	va_list args;

	if (!progress)
		return;
	va_start(args, format);
	text = mvm_vformat(format, args);
	va_end(args);
	progress->message(progress->arg, text);
}

static void tell(const struct mvm_progress *progress, const struct mvm_digest *layer, enum mvm_progress_state state,
		 const char *detail, uint64_t done, uint64_t total)
{
	char id[MVM_DIGEST_SHORT + 1] = "";

	if (!progress)
		return;
	memcpy(id, mvm_digest_hex(layer), mvm_digest_is_set(layer) ? MVM_DIGEST_SHORT : 0);
	progress->layer(progress->arg, id, state, detail, done, total);
}

void mvm_progress_layer(const struct mvm_progress *progress, const struct mvm_digest *layer,
			enum mvm_progress_state state, uint64_t done, uint64_t total)
{
	tell(progress, layer, state, NULL, done, total);
}

void mvm_progress_retrying(const struct mvm_progress *progress, const struct mvm_digest *layer, unsigned seconds)
{
	char *detail MVM_CLEAN_FREE = mvm_format("%u second%s", seconds, seconds == 1 ? "" : "s");

	tell(progress, layer, MVM_PROGRESS_RETRYING, detail, 0, 0);
}

void mvm_progress_mounted(const struct mvm_progress *progress, const struct mvm_digest *layer, const char *from)
{
	tell(progress, layer, MVM_PROGRESS_MOUNTED, from, 0, 0);
}

/* States that have a bar, and change too often for a log. */
static bool is_moving(enum mvm_progress_state state)
{
	return state == MVM_PROGRESS_DOWNLOADING || state == MVM_PROGRESS_EXTRACTING || state == MVM_PROGRESS_PUSHING;
}

struct line {
	char id[MVM_DIGEST_SHORT + 1];
	enum mvm_progress_state state;
	const char *detail; /* NULL for none; good for one drawing */
	uint64_t drawn;	    /* mvm_now_ns() */
};

/* The sink for people: the lines of layers are the last on the screen, messages end them. */
struct screen {
	struct mvm_progress sink; /* first, so that destroy() finds the rest */
	pthread_mutex_t mutex;
	int fd;
	bool terminal;
	struct line *lines;
	size_t count;
};

/* A terminal that is gone is no reason to fail a pull. */
static void put(const struct screen *screen, const struct mvm_buf *text)
{
	if (text->length && mvm_write_full(screen->fd, text->data, text->length) < 0)
		return;
}

static void on_message(void *arg, const char *text)
{
	struct screen *screen = arg;
	struct mvm_buf out MVM_CLEAN_BUF = {0};

	pthread_mutex_lock(&screen->mutex);
	mvm_buf_addf(&out, "%s\n", text);
	put(screen, &out);
	screen->count = 0;
	pthread_mutex_unlock(&screen->mutex);
}

static struct line *find_line(struct screen *screen, const char *id, bool *is_new)
{
	struct line *line;

	*is_new = false;
	for (size_t i = 0; i < screen->count; i++)
		if (!strcmp(screen->lines[i].id, id))
			return &screen->lines[i];
	*is_new = true;
	screen->lines = mvm_realloc(screen->lines, screen->count + 1, sizeof(*screen->lines));
	line = &screen->lines[screen->count++];
	*line = (struct line){0};
	memcpy(line->id, id, strnlen(id, MVM_DIGEST_SHORT));
	return line;
}

static void add_words(struct mvm_buf *out, const struct line *line)
{
	mvm_buf_addf(out, "%s: %s%s%s", line->id, state_names[line->state], line->detail ? " " : "",
		     line->detail ? line->detail : "");
}

static void add_bar(struct mvm_buf *out, uint64_t done, uint64_t total)
{
	char *sofar MVM_CLEAN_FREE = mvm_format_size(done);
	char *all MVM_CLEAN_FREE = mvm_format_size(total);
	int filled = total ? (int)((double)(done < total ? done : total) / (double)total * BAR_WIDTH) : 0;

	mvm_buf_addf(out, " [");
	for (int i = 0; i < BAR_WIDTH; i++)
		mvm_buf_addf(out, "%c", i < filled ? '=' : i == filled ? '>' : ' ');
	mvm_buf_addf(out, "] %s/%s", sofar, all);
}

static struct winsize screen_size(const struct screen *screen)
{
	struct winsize size;

	if (ioctl(screen->fd, TIOCGWINSZ, &size) < 0 || !size.ws_col || !size.ws_row)
		size = (struct winsize){.ws_col = 80, .ws_row = 24};
	return size;
}

/* Up to the layer's line, over it, and back below the last. */
static void draw(struct screen *screen, struct line *line, uint64_t done, uint64_t total)
{
	size_t up = screen->count - (size_t)(line - screen->lines);
	struct winsize size = screen_size(screen);
	struct mvm_buf text MVM_CLEAN_BUF = {0};
	struct mvm_buf out MVM_CLEAN_BUF = {0};

	/* What has scrolled off the top cannot be reached. */
	if (up >= size.ws_row)
		return;
	add_words(&text, line);
	if (total && is_moving(line->state))
		add_bar(&text, done, total);
	/* A line that wraps would put all others in the wrong place. */
	if (text.length >= size.ws_col)
		text.length = size.ws_col - 1u;
	mvm_buf_addf(&out, "\033[%zuA\r\033[2K%.*s\r\033[%zuB", up, (int)text.length, text.data, up);
	put(screen, &out);
	line->drawn = mvm_now_ns();
}

static void draw_plain(const struct screen *screen, const struct line *line)
{
	struct mvm_buf out MVM_CLEAN_BUF = {0};

	if (is_moving(line->state))
		return;
	add_words(&out, line);
	mvm_buf_addf(&out, "\n");
	put(screen, &out);
}

static void on_layer(void *arg, const char *id, enum mvm_progress_state state, const char *detail, uint64_t done,
		     uint64_t total)
{
	struct mvm_buf newline = {.data = (char[]){"\n"}, .length = 1};
	struct screen *screen = arg;
	struct line *line;
	bool is_new, news;

	pthread_mutex_lock(&screen->mutex);
	line = find_line(screen, id, &is_new);
	news = is_new || line->state != state;
	line->state = state;
	line->detail = detail;
	if (is_new && screen->terminal)
		put(screen, &newline);
	if (!screen->terminal && news)
		draw_plain(screen, line);
	else if (screen->terminal && (news || mvm_now_ns() - line->drawn > REDRAW_INTERVAL))
		draw(screen, line, done, total);
	pthread_mutex_unlock(&screen->mutex);
}

/* A terminal that cannot move its cursor is as good as a file. */
static bool can_draw(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && term && *term && strcmp(term, "dumb");
}

struct mvm_progress *mvm_progress_create(int fd)
{
	struct screen *screen = mvm_alloc(sizeof(*screen));

	screen->sink = (struct mvm_progress){.message = on_message, .layer = on_layer, .arg = screen};
	screen->fd = fd;
	screen->terminal = can_draw(fd);
	pthread_mutex_init(&screen->mutex, NULL);
	return &screen->sink;
}

void mvm_progress_destroy(struct mvm_progress *progress)
{
	struct screen *screen = (struct screen *)progress;

	if (!screen)
		return;
	pthread_mutex_destroy(&screen->mutex);
	free(screen->lines);
	free(screen);
}
