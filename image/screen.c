/*
 * Progress for people.
 *
 * Theory of operation: on a terminal the lines of the layers are a block above the cursor, which is drawn anew as a
 * whole: up to its first line, over it, and down again. What does not fit is left out, what is finished first, and
 * counted in a last line. A message ends the block: it stays above it as it then is, with all its lines. Nothing but
 * cursor up, erase to the end of the line and of the screen is asked of a terminal, and no line is as wide as it, for
 * one that wraps would put all others in the wrong place. The size is looked up at each drawing; where it has become
 * narrower, lines that now wrap are counted as the rows they take.
 *
 * Elsewhere each change of state is a plain line.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "digest.h"
#include "progress.h"
#include "runtime/base/io.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"

/* Redrawing more often than this, in nanoseconds, only costs. */
#define REDRAW_INTERVAL 100000000u
/* A speed is that of so many nanoseconds, smoothed by those before. */
#define RATE_INTERVAL 500000000u
#define RATE_WEIGHT   0.3
#define MIN_BAR	      5u
#define MAX_BAR	      30u

struct line {
	char id[MVM_DIGEST_SHORT + 1];
	enum mvm_progress_state state;
	char *detail; /* NULL for none */
	uint64_t done, total;
	double rate; /* bytes a second; 0: not known yet */
	uint64_t mark_time, mark_done;
	bool hidden;
};

struct screen {
	struct mvm_progress sink; /* first, so that destroy() finds the rest */
	pthread_mutex_t mutex;
	int fd, result_fd;
	bool terminal;
	struct line *lines;
	size_t count;
	size_t *widths; /* of the rows that were drawn last */
	size_t drawn;
	uint64_t drawn_at; /* mvm_now_ns() */
};

/* States that have a bar, and change too often for a log. */
static bool is_moving(enum mvm_progress_state state)
{
	return state == MVM_PROGRESS_DOWNLOADING || state == MVM_PROGRESS_EXTRACTING || state == MVM_PROGRESS_PUSHING;
}

static bool is_over(enum mvm_progress_state state)
{
	return state == MVM_PROGRESS_COMPLETE || state == MVM_PROGRESS_EXISTS || state == MVM_PROGRESS_PUSHED ||
	       state == MVM_PROGRESS_PUSHED_EARLIER || state == MVM_PROGRESS_MOUNTED;
}

/* A terminal that is gone is no reason to fail a pull. */
static void put(int fd, const struct mvm_buf *text)
{
	if (text->length && mvm_write_full(fd, text->data, text->length) < 0)
		return;
}

static struct winsize screen_size(const struct screen *screen)
{
	struct winsize size;

	if (ioctl(screen->fd, TIOCGWINSZ, &size) < 0 || !size.ws_col || !size.ws_row)
		size = (struct winsize){.ws_col = 80, .ws_row = 24};
	return size;
}

static char *format_left(double seconds)
{
	unsigned left = seconds < 359999 ? (unsigned)seconds + 1 : 359999;

	if (left < 60)
		return mvm_format(" %us left", left);
	if (left < 3600)
		return mvm_format(" %um%02us left", left / 60, left % 60);
	return mvm_format(" %uh%02um left", left / 3600, left / 60 % 60);
}

static void add_bar(struct mvm_buf *out, const struct line *line, size_t width)
{
	uint64_t done = line->done < line->total ? line->done : line->total;
	size_t filled = (size_t)((double)done / (double)line->total * (double)width);

	mvm_buf_addf(out, " [");
	for (size_t i = 0; i < width; i++)
		mvm_buf_addf(out, "%c", i < filled ? '=' : i == filled ? '>' : ' ');
	mvm_buf_addf(out, "]");
}

/* Bytes, speed, time left and a bar, as far as there is room, in that order. */
static void add_measures(struct mvm_buf *out, const struct line *line, size_t width, bool final)
{
	char *sofar MVM_CLEAN_FREE = mvm_format_size(line->done), *all MVM_CLEAN_FREE = mvm_format_size(line->total);
	char *bytes MVM_CLEAN_FREE = mvm_format(" %s/%s", sofar, all);
	char *rate MVM_CLEAN_FREE = mvm_format_size((uint64_t)line->rate);
	char *speed MVM_CLEAN_FREE = line->rate >= 1 && !final ? mvm_format(" %s/s", rate) : mvm_strdup("");
	char *left MVM_CLEAN_FREE = *speed && line->done < line->total
					    ? format_left((double)(line->total - line->done) / line->rate)
					    : mvm_strdup("");
	size_t room = width > out->length ? width - out->length : 0;
	size_t length;

	if (strlen(bytes) + strlen(speed) + strlen(left) > room)
		*left = '\0';
	if (strlen(bytes) + strlen(speed) > room)
		*speed = '\0';
	if (strlen(bytes) > room)
		*bytes = '\0';
	length = strlen(bytes) + strlen(speed) + strlen(left);
	/* A space and two brackets go around it. */
	if (room >= length + MIN_BAR + 3)
		add_bar(out, line, room - length - 3 < MAX_BAR ? room - length - 3 : MAX_BAR);
	mvm_buf_addf(out, "%s%s%s", bytes, speed, left);
}

static void add_line(struct mvm_buf *out, const struct line *line, size_t width, bool final)
{
	struct mvm_buf text MVM_CLEAN_BUF = {0};

	mvm_buf_addf(&text, "%s: %s%s%s", line->id, mvm_progress_state_name(line->state), line->detail ? " " : "",
		     line->detail ? line->detail : "");
	if (line->total && is_moving(line->state))
		add_measures(&text, line, width, final);
	mvm_buf_add(out, text.data, text.length < width ? text.length : width);
}

/* Leaves out as many as there is no room for: what is finished from the top, then what comes last. */
static size_t hide_lines(struct screen *screen, size_t room)
{
	size_t shown = screen->count;

	for (size_t i = 0; i < screen->count; i++)
		screen->lines[i].hidden = false;
	if (shown <= room)
		return 0;
	for (size_t i = 0; i < screen->count && shown && shown >= room; i++)
		if (is_over(screen->lines[i].state)) {
			screen->lines[i].hidden = true;
			shown--;
		}
	for (size_t i = screen->count; i-- > 0 && shown && shown >= room;)
		if (!screen->lines[i].hidden) {
			screen->lines[i].hidden = true;
			shown--;
		}
	return screen->count - shown;
}

static void add_summary(struct mvm_buf *out, const struct screen *screen, size_t hidden, size_t width)
{
	char *text MVM_CLEAN_FREE = NULL;
	size_t over = 0;

	for (size_t i = 0; i < screen->count; i++)
		over += screen->lines[i].hidden && is_over(screen->lines[i].state);
	text = mvm_format("%zu more, %zu of them complete", hidden, over);
	mvm_buf_add(out, text, strlen(text) < width ? strlen(text) : width);
}

/* How many rows the block takes that was drawn last, now that the screen has so many columns. */
static size_t rows_drawn(const struct screen *screen, size_t columns)
{
	size_t rows = 0;

	for (size_t i = 0; i < screen->drawn; i++)
		rows += screen->widths[i] > columns ? (screen->widths[i] + columns - 1) / columns : 1;
	return rows;
}

static void end_row(struct screen *screen, struct mvm_buf *out, size_t start)
{
	screen->widths[screen->drawn++] = out->length - start;
	mvm_buf_addf(out, "\033[K\n");
}

/* `final`: all lines, as they shall stay. */
static void draw(struct screen *screen, bool final)
{
	struct winsize size = screen_size(screen);
	size_t up = rows_drawn(screen, size.ws_col), width = size.ws_col - 1u;
	size_t hidden = hide_lines(screen, final ? SIZE_MAX : size.ws_row - 1u);
	struct mvm_buf out MVM_CLEAN_BUF = {0};

	screen->widths = mvm_realloc(screen->widths, screen->count + 1, sizeof(*screen->widths));
	screen->drawn = 0;
	mvm_buf_addf(&out, "\r");
	if (up)
		mvm_buf_addf(&out, "\033[%zuA", up);
	for (size_t i = 0; i < screen->count; i++) {
		size_t start = out.length;

		if (screen->lines[i].hidden)
			continue;
		add_line(&out, &screen->lines[i], width, final);
		end_row(screen, &out, start);
	}
	if (hidden && size.ws_row > 1) {
		size_t start = out.length;

		add_summary(&out, screen, hidden, width);
		end_row(screen, &out, start);
	}
	mvm_buf_addf(&out, "\033[J");
	put(screen->fd, &out);
	screen->drawn_at = mvm_now_ns();
}

/* The lines stay as they are, and what comes is below. */
static void end_block(struct screen *screen)
{
	if (screen->terminal && screen->count)
		draw(screen, true);
	for (size_t i = 0; i < screen->count; i++)
		free(screen->lines[i].detail);
	screen->count = screen->drawn = 0;
}

static void say(struct screen *screen, int fd, const char *text)
{
	struct mvm_buf out MVM_CLEAN_BUF = {0};

	pthread_mutex_lock(&screen->mutex);
	end_block(screen);
	mvm_buf_addf(&out, "%s\n", text);
	put(fd, &out);
	pthread_mutex_unlock(&screen->mutex);
}

static void on_message(void *arg, const char *text)
{
	struct screen *screen = arg;

	say(screen, screen->fd, text);
}

static void on_result(void *arg, const char *text)
{
	struct screen *screen = arg;

	say(screen, screen->result_fd, text);
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

static void measure(struct line *line, bool news)
{
	uint64_t now = mvm_now_ns(), passed = now - line->mark_time;
	double rate;

	if (!news && passed < RATE_INTERVAL)
		return;
	rate = line->done > line->mark_done ? (double)(line->done - line->mark_done) * 1e9 / (double)passed : 0;
	line->rate = news ? 0 : line->rate > 0 ? line->rate * (1 - RATE_WEIGHT) + rate * RATE_WEIGHT : rate;
	line->mark_time = now;
	line->mark_done = line->done;
}

static void put_plain(const struct screen *screen, const struct line *line)
{
	struct mvm_buf out MVM_CLEAN_BUF = {0};

	if (is_moving(line->state))
		return;
	add_line(&out, line, SIZE_MAX, true);
	mvm_buf_addf(&out, "\n");
	put(screen->fd, &out);
}

static void on_layer(void *arg, const char *id, enum mvm_progress_state state, const char *detail, uint64_t done,
		     uint64_t total)
{
	struct screen *screen = arg;
	struct line *line;
	bool news;

	pthread_mutex_lock(&screen->mutex);
	line = find_line(screen, id, &news);
	news = news || line->state != state;
	line->state = state;
	line->done = done;
	line->total = total;
	free(line->detail);
	line->detail = mvm_strdup(detail);
	measure(line, news);
	if (!screen->terminal && news)
		put_plain(screen, line);
	else if (screen->terminal && (news || mvm_now_ns() - screen->drawn_at > REDRAW_INTERVAL))
		draw(screen, false);
	pthread_mutex_unlock(&screen->mutex);
}

/* A terminal that cannot move its cursor is as good as a file. */
static bool can_draw(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && term && *term && strcmp(term, "dumb");
}

struct mvm_progress *mvm_progress_create(int fd, int result_fd)
{
	struct screen *screen = mvm_alloc(sizeof(*screen));

	screen->sink =
		(struct mvm_progress){.message = on_message, .result = on_result, .layer = on_layer, .arg = screen};
	screen->fd = fd;
	screen->result_fd = result_fd;
	screen->terminal = can_draw(fd);
	pthread_mutex_init(&screen->mutex, NULL);
	return &screen->sink;
}

void mvm_progress_destroy(struct mvm_progress *progress)
{
	struct screen *screen = (struct screen *)progress;

	if (!screen)
		return;
	end_block(screen);
	pthread_mutex_destroy(&screen->mutex);
	free(screen->lines);
	free(screen->widths);
	free(screen);
}
