/*
 * The columns of ps, by procps' names and titles, and how it prints them.
 */
#include "ps_columns.h"

#include <string.h>

#include "runtime/base/error.h"

#define DAY 86400

struct ps_column {
	const char *name, *title;
	char *(*text)(const struct ps_row *row);
};

static uint64_t age(const struct ps_row *row)
{
	uint64_t uptime = row->list->uptime, start = row->process->start;

	return start < uptime ? (uptime - start) / row->list->ticks : 0;
}

static uint64_t used_seconds(const struct ps_row *row)
{
	return row->process->used / row->list->ticks;
}

static char *count(uint64_t value)
{
	return mvm_format("%llu", (unsigned long long)value);
}

static char *pid(const struct ps_row *row)
{
	return count(row->process->pid);
}

static char *ppid(const struct ps_row *row)
{
	return count(row->process->ppid);
}

static char *group(const struct ps_row *row)
{
	return count(row->process->group);
}

static char *session(const struct ps_row *row)
{
	return count(row->process->session);
}

static char *uid(const struct ps_row *row)
{
	return count(row->process->uid);
}

static char *gid(const struct ps_row *row)
{
	return count(row->process->gid);
}

static char *user(const struct ps_row *row)
{
	return mvm_strdup(row->process->user);
}

static char *grp(const struct ps_row *row)
{
	return mvm_strdup(row->process->grp);
}

static char *name(const struct ps_row *row)
{
	return mvm_format("%s%s", row->process->name, row->process->state == 'Z' ? " <defunct>" : "");
}

/* One without arguments, which one that has ended is, too. */
static char *args(const struct ps_row *row)
{
	if (*row->process->args)
		return mvm_strdup(row->process->args);
	return mvm_format("[%s]%s", row->process->name, row->process->state == 'Z' ? " <defunct>" : "");
}

static char *state(const struct ps_row *row)
{
	return mvm_format("%c", row->process->state);
}

static char *stat(const struct ps_row *row)
{
	const struct mvm_process *process = row->process;

	return mvm_format("%c%s%s%s%s", process->state,
			  process->nice < 0   ? "<"
			  : process->nice > 0 ? "N"
					      : "",
			  process->session == process->pid ? "s" : "", process->threads > 1 ? "l" : "",
			  process->foreground ? "+" : "");
}

/* Numbers of devices as the kernel packs them. */
static char *tty(const struct ps_row *row)
{
	unsigned long number = (unsigned long)row->process->tty, major = number >> 8 & 0xfff,
		      minor = (number & 0xff) | (number >> 12 & 0xfff00);

	if (row->process->tty <= 0)
		return mvm_strdup("?");
	if (major >= 136 && major <= 143)
		return mvm_format("pts/%lu", minor + (major - 136) * 256);
	return major == 4		  ? mvm_format("tty%lu", minor)
	       : major == 5 && minor == 1 ? mvm_strdup("console")
					  : mvm_strdup("?");
}

/* [DD-]HH:MM:SS */
static char *used(const struct ps_row *row)
{
	unsigned long long seconds = used_seconds(row), days = seconds / DAY;
	char *clock MVM_CLEAN_FREE =
		mvm_format("%02llu:%02llu:%02llu", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);

	return days ? mvm_format("%llu-%s", days, clock) : mvm_strdup(clock);
}

/* M:SS */
static char *bsd_used(const struct ps_row *row)
{
	unsigned long long seconds = used_seconds(row);

	return mvm_format("%llu:%02llu", seconds / 60, seconds % 60);
}

/* [[DD-]HH:]MM:SS */
static char *elapsed(const struct ps_row *row)
{
	unsigned long long seconds = age(row), days = seconds / DAY, hours = seconds / 3600 % 24;
	char *clock MVM_CLEAN_FREE = mvm_format("%02llu:%02llu", seconds / 60 % 60, seconds % 60);

	return days    ? mvm_format("%llu-%02llu:%s", days, hours, clock)
	       : hours ? mvm_format("%02llu:%s", hours, clock)
		       : mvm_strdup(clock);
}

static char *elapsed_seconds(const struct ps_row *row)
{
	return count(age(row));
}

static char *format_start(const struct ps_row *row, const char *format)
{
	uint64_t ago = age(row);
	time_t start = row->now - (time_t)(ago > INT32_MAX ? INT32_MAX : ago);
	char text[64];
	struct tm parts;

	localtime_r(&start, &parts);
	strftime(text, sizeof(text), format, &parts);
	return mvm_strdup(text);
}

/* The time of today, else the day. */
static char *start(const struct ps_row *row)
{
	char *day MVM_CLEAN_FREE = format_start(row, "%Y-%j");
	const struct ps_row now_row = {&(const struct mvm_process){.start = row->list->uptime}, row->list, row->now};
	char *today MVM_CLEAN_FREE = format_start(&now_row, "%Y-%j");

	if (!strcmp(day, today))
		return format_start(row, "%H:%M");
	return format_start(row, strncmp(day, today, 4) ? "%Y" : "%b%d");
}

static char *long_start(const struct ps_row *row)
{
	return format_start(row, "%a %b %e %H:%M:%S %Y");
}

/* Of its life so far, in which it may have used several processors. */
static double cpu(const struct ps_row *row)
{
	uint64_t ticks = row->process->start < row->list->uptime ? row->list->uptime - row->process->start : 0;

	return ticks ? (double)row->process->used / (double)ticks * 100 : 0;
}

static char *cpu_percent(const struct ps_row *row)
{
	return mvm_format("%.1f", cpu(row));
}

static char *cpu_whole(const struct ps_row *row)
{
	return mvm_format("%.0f", cpu(row) > 99 ? 99.0 : cpu(row) - 0.5 > 0 ? cpu(row) - 0.5 : 0.0);
}

static char *memory_percent(const struct ps_row *row)
{
	uint64_t all = row->list->memory;

	return mvm_format("%.1f", all ? (double)row->process->resident / (double)all * 100 : 0.0);
}

static char *size(const struct ps_row *row)
{
	return count(row->process->size);
}

static char *resident(const struct ps_row *row)
{
	return count(row->process->resident);
}

static char *nice_value(const struct ps_row *row)
{
	return mvm_format("%lld", (long long)row->process->nice);
}

static char *priority(const struct ps_row *row)
{
	return mvm_format("%lld", 39 - (long long)row->process->priority);
}

static char *threads(const struct ps_row *row)
{
	return mvm_format("%lld", (long long)row->process->threads);
}

static const struct ps_column known[] = {
	{"%cpu", "%CPU", cpu_percent},
	{"%mem", "%MEM", memory_percent},
	{"args", "COMMAND", args},
	{"bsdstart", "START", start},
	{"bsdtime", "TIME", bsd_used},
	{"c", "C", cpu_whole},
	{"cmd", "CMD", args},
	{"comm", "COMMAND", name},
	{"command", "COMMAND", args},
	{"cputime", "TIME", used},
	{"egid", "EGID", gid},
	{"egroup", "EGROUP", grp},
	{"etime", "ELAPSED", elapsed},
	{"etimes", "ELAPSED", elapsed_seconds},
	{"euid", "EUID", uid},
	{"euser", "EUSER", user},
	{"gid", "GID", gid},
	{"group", "GROUP", grp},
	{"lstart", "STARTED", long_start},
	{"ni", "NI", nice_value},
	{"nice", "NI", nice_value},
	{"nlwp", "NLWP", threads},
	{"pcpu", "%CPU", cpu_percent},
	{"pgid", "PGID", group},
	{"pgrp", "PGRP", group},
	{"pid", "PID", pid},
	{"pmem", "%MEM", memory_percent},
	{"ppid", "PPID", ppid},
	{"pri", "PRI", priority},
	{"rss", "RSS", resident},
	{"rssize", "RSS", resident},
	{"rsz", "RSZ", resident},
	{"s", "S", state},
	{"sess", "SESS", session},
	{"sid", "SID", session},
	{"start", "STARTED", start},
	{"start_time", "START", start},
	{"stat", "STAT", stat},
	{"state", "S", state},
	{"stime", "STIME", start},
	{"thcount", "THCNT", threads},
	{"time", "TIME", used},
	{"tname", "TTY", tty},
	{"tt", "TT", tty},
	{"tty", "TT", tty},
	{"ucmd", "CMD", name},
	{"ucomm", "COMMAND", name},
	{"uid", "UID", uid},
	{"uname", "USER", user},
	{"user", "USER", user},
	{"vsize", "VSZ", size},
	{"vsz", "VSZ", size},
};

char *ps_column_text(const struct ps_column *column, const struct ps_row *row)
{
	return column->text(row);
}

void ps_columns_finish(struct ps_columns *columns)
{
	free(columns->items);
	mvm_strv_finish(&columns->titles);
}

/* A title of NULL is the column's own. */
static int add(struct ps_columns *columns, const char *wanted, const char *title, struct mvm_error **err)
{
	for (size_t i = 0; i < MVM_COUNT(known); i++) {
		if (strcmp(known[i].name, wanted))
			continue;
		columns->items = mvm_realloc(columns->items, columns->titles.count + 1, sizeof(*columns->items));
		columns->items[columns->titles.count] = &known[i];
		mvm_strv_add(&columns->titles, title ? title : known[i].title);
		return 0;
	}
	return mvm_fail(err, MVM_ERR_INVALID,
			"ps: unknown column \"%s\"; there are pid, ppid, user, %%cpu, %%mem, vsz, rss, tty, stat, "
			"start_time, etime, time, comm, args and others",
			wanted);
}

/* "pid,user,comm=NAME": a title of one's own goes to the end. */
static int add_list(struct ps_columns *columns, const char *list, struct mvm_error **err)
{
	while (*list) {
		size_t length = strcspn(list, ",=");
		char *one MVM_CLEAN_FREE = mvm_strndup(list, length);
		const char *title = list[length] == '=' ? list + length + 1 : NULL;

		if (add(columns, one, title, err) < 0)
			return -1;
		if (title)
			return 0;
		list += length + (list[length] == ',');
	}
	return 0;
}

/* ps's formats that are no lists: names, and where they differ from the columns' own, titles. */
static int add_format(struct ps_columns *columns, const char *const (*format)[2], struct mvm_error **err)
{
	for (; (*format)[0]; format++)
		if (add(columns, (*format)[0], (*format)[1], err) < 0)
			return -1;
	return 0;
}

static const char *const full[][2] = {{"user", "UID"}, {"pid", NULL},  {"ppid", NULL}, {"c", NULL}, {"stime", NULL},
				      {"tname", NULL}, {"time", NULL}, {"cmd", NULL},  {NULL, NULL}};
static const char *const plain[][2] = {{"pid", NULL}, {"tname", NULL}, {"time", NULL}, {"ucmd", NULL}, {NULL, NULL}};
static const char *const bsd_user[][2] = {{"user", NULL},	{"pid", NULL},	   {"%cpu", NULL},    {"%mem", NULL},
					  {"vsz", NULL},	{"rss", NULL},	   {"tname", NULL},   {"stat", NULL},
					  {"start_time", NULL}, {"bsdtime", NULL}, {"command", NULL}, {NULL, NULL}};
static const char *const bsd_plain[][2] = {{"pid", NULL},     {"tname", NULL},	 {"stat", NULL},
					   {"bsdtime", NULL}, {"command", NULL}, {NULL, NULL}};

struct parser {
	char **words;
	size_t count, at;
	const char *const (*format)[2];
	struct ps_columns *columns;
};

static int unknown(const char *word, struct mvm_error **err)
{
	return mvm_fail(
		err, MVM_ERR_INVALID,
		"ps: option \"%s\" is not known to mvm, which has no ps of the host's to ask; use -ef, aux or -o "
		"pid,user,args",
		word);
}

/* `rest` of the word, or else the next word, is a list of columns. */
static int take_list(struct parser *parser, const char *rest, struct mvm_error **err)
{
	if (!*rest && parser->at + 1 < parser->count)
		rest = parser->words[++parser->at];
	if (!*rest)
		return mvm_fail(err, MVM_ERR_INVALID, "ps: the list of columns is missing");
	return add_list(parser->columns, rest, err);
}

/* All that choose which processes: all of the container's are. */
static int take_letters(struct parser *parser, const char *word, bool dash, struct mvm_error **err)
{
	for (const char *at = word + dash; *at; at++) {
		if (*at == 'o')
			return take_list(parser, at + 1, err);
		if (dash && *at == 'f')
			parser->format = full;
		else if (!dash && *at == 'u')
			parser->format = bsd_user;
		else if (!dash && strchr("ax", *at))
			parser->format = parser->format == plain ? bsd_plain : parser->format;
		else if (!strchr(dash ? "eAadw" : "w", *at))
			return unknown(word, err);
	}
	return 0;
}

static int take_word(struct parser *parser, struct mvm_error **err)
{
	const char *word = parser->words[parser->at];

	if (!strncmp(word, "--format", strlen("--format"))) {
		word += strlen("--format");
		if (*word && *word != '=')
			return unknown(parser->words[parser->at], err);
		return take_list(parser, *word ? word + 1 : word, err);
	}
	if (!strncmp(word, "--", 2))
		return unknown(word, err);
	/* As ps has it: there is no user "x". */
	if (!strcmp(word, "-aux"))
		word++;
	return take_letters(parser, word, *word == '-', err);
}

/* Docker splits at blanks, whatever the shell had quoted. */
static void split_words(char *const *given, struct mvm_strv *words)
{
	for (; *given; given++)
		for (const char *at = *given + strspn(*given, " "); *at; at += strspn(at, " ")) {
			size_t length = strcspn(at, " ");

			mvm_strv_take(words, mvm_strndup(at, length));
			at += length;
		}
}

int ps_columns_parse(char *const *given, struct ps_columns *columns, struct mvm_error **err)
{
	struct mvm_strv words MVM_CLEAN_STRV = {0};
	struct parser parser = {.format = plain, .columns = columns};

	split_words(given, &words);
	parser.words = words.items;
	parser.count = words.count;
	if (!parser.count)
		parser.format = full;
	for (; parser.at < parser.count; parser.at++)
		if (take_word(&parser, err) < 0)
			return -1;
	if (!columns->titles.count && add_format(columns, parser.format, err) < 0)
		return -1;
	for (size_t i = 0; i < columns->titles.count; i++)
		if (!strcmp(columns->titles.items[i], "PID"))
			return 0;
	return mvm_fail(err, MVM_ERR_INVALID, "Couldn't find PID field in ps output");
}
