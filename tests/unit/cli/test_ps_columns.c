/* What ps's options ask for, and how its columns look. */
#include "tests/unit/unit.h"

#include "runtime/cli/ps_columns.h"

#define DAYS (24 * 3600 * 100)

static const struct mvm_process_list list = {.uptime = 3 * DAYS, .ticks = 100, .memory = 100000};
static const time_t noon = 1795867200; /* with TZ=UTC */

static char *titles(const char *words)
{
	struct ps_columns columns MVM_CLEAN_PS_COLUMNS = {0};
	char *all = mvm_strdup(words), *given[8] = {NULL};
	struct mvm_error *err = NULL;
	struct mvm_buf text = {0};
	size_t count = 0;

	for (char *word = strtok(all, "|"); word; word = strtok(NULL, "|"))
		given[count++] = word;
	assert_ok(ps_columns_parse(given, &columns, &err));
	for (size_t i = 0; i < columns.titles.count; i++)
		mvm_buf_addf(&text, "%s%s", i ? " " : "", columns.titles.items[i]);
	free(all);
	return mvm_buf_steal(&text);
}

static void options_as_ps_has_them(void **state)
{
	static const char full[] = "UID PID PPID C STIME TTY TIME CMD", plain[] = "PID TTY TIME CMD",
			  user[] = "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND";
	static const struct {
		const char *words, *titles;
	} cases[] = {
		{"", full},
		{"-ef", full},
		{"-e|-f", full},
		{"-A f", NULL},
		{"-f|-ww", full},
		{"-e", plain},
		{"-a", plain},
		{"aux", user},
		{"-aux", user},
		{"auxww", user},
		{"u", user},
		{"ax", "PID TTY STAT TIME COMMAND"},
		{"-o|pid,comm", "PID COMMAND"},
		{"-opid,args", "PID COMMAND"},
		{"-eo|pid|-o|user,%cpu", "PID USER %CPU"},
		{"-eo pid,cmd", "PID CMD"},
		{"o|pid,tty", "PID TT"},
		{"axo|pid,ni", "PID NI"},
		{"--format|pid", "PID"},
		{"--format=pid,pcpu", "PID %CPU"},
		{"-o|pid,comm=WHAT, I SAY", NULL},
		{"-o|pid,comm=WHAT", "PID WHAT"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		char *text MVM_CLEAN_FREE = NULL;

		if (!cases[i].titles)
			continue;
		text = titles(cases[i].words);
		assert_string_equal(text, cases[i].titles);
	}
}

static void what_we_do_not_know_is_an_error(void **state)
{
	static const struct {
		const char *word, *text;
	} cases[] = {
		{"-z", "option \"-z\" is not known"},
		{"-eLf", "option \"-eLf\" is not known"},
		{"f", "option \"f\" is not known"},
		{"--sort=-pcpu", "option \"--sort=-pcpu\" is not known"},
		{"--formatted", "option \"--formatted\" is not known"},
		{"-o", "the list of columns is missing"},
		{"-opid,wchan", "unknown column \"wchan\""},
		{"-opid,,comm", "unknown column \"\""},
		{"-ocomm", "Couldn't find PID field in ps output"},
		{"-opid=", "Couldn't find PID field in ps output"},
	};
	struct mvm_error *err = NULL;

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct ps_columns columns MVM_CLEAN_PS_COLUMNS = {0};
		char *given[] = {(char *)cases[i].word, NULL};

		assert_error(ps_columns_parse(given, &columns, &err), MVM_ERR_INVALID, cases[i].text);
	}
}

static void assert_cell(const char *name, const struct mvm_process *process, const char *expected)
{
	struct ps_columns columns MVM_CLEAN_PS_COLUMNS = {0};
	char *words MVM_CLEAN_FREE = mvm_format("pid,%s", name), *given[] = {(char *)"-o", words, NULL};
	char *text MVM_CLEAN_FREE = NULL;
	struct mvm_error *err = NULL;

	assert_ok(ps_columns_parse(given, &columns, &err));
	text = ps_column_text(columns.items[1], &(const struct ps_row){process, &list, noon});
	assert_string_equal(text, expected);
}

static void times_and_states(void **state)
{
	struct mvm_process process = {
		.pid = 7,
		.session = 7,
		.state = 'S',
		.nice = -1,
		.threads = 2,
		.foreground = true,
		.tty = 136 << 8 | 3,
		.priority = 20,
		.resident = 5000,
		.start = 3 * DAYS - 360000,
		.used = 180000,
		.name = (char *)"java",
		.args = (char *)"",
	};

	assert_cell("stat", &process, "S<sl+");
	assert_cell("tty", &process, "pts/3");
	assert_cell("pri", &process, "19");
	assert_cell("%mem", &process, "5.0");
	assert_cell("%cpu", &process, "50.0");
	assert_cell("c", &process, "50");
	assert_cell("etime", &process, "01:00:00");
	assert_cell("time", &process, "00:30:00");
	assert_cell("bsdtime", &process, "30:00");
	assert_cell("stime", &process, "11:00");
	assert_cell("args", &process, "[java]");
	process.state = 'Z';
	assert_cell("args", &process, "[java] <defunct>");
	assert_cell("comm", &process, "java <defunct>");
	/* Yesterday. */
	process.start = 3 * DAYS - DAYS;
	process.used = 3 * DAYS;
	assert_cell("stime", &process, "Nov27");
	assert_cell("etime", &process, "1-00:00:00");
	assert_cell("time", &process, "3-00:00:00");
	assert_cell("c", &process, "99");
	assert_cell("%cpu", &process, "300.0");
	/* What cannot be, a guest may say all the same. */
	process.start = UINT64_MAX;
	process.used = UINT64_MAX;
	process.tty = -1;
	assert_cell("etime", &process, "00:00");
	assert_cell("%cpu", &process, "0.0");
	assert_cell("tty", &process, "?");
	assert_cell("stime", &process, "12:00");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_as_ps_has_them),
		cmocka_unit_test(what_we_do_not_know_is_an_error),
		cmocka_unit_test(times_and_states),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
