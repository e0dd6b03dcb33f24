/* Options as docker parses them, on a command of the test's own. */
#include "capture.h"

#include "runtime/cli/cli.h"

struct values {
	bool all, detach, interactive, tty;
	const char *name, *hostname;
	struct mvm_strv env, extra;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"all", 'a', CLI_FLAG, AT(all), NULL, "Everything"},
	{"detach", 'd', CLI_FLAG, AT(detach), NULL, "In the background"},
	{"env", 'e', CLI_LIST, AT(env), "NAME=VALUE", "A variable"},
	{"extra", 0, CLI_LIST, AT(extra), "[=NAME]", "One more", .implied = "usual"},
	{"hostname", 'h', CLI_STRING, AT(hostname), "NAME", "A host"},
	{"interactive", 'i', CLI_FLAG, AT(interactive), NULL, "Input"},
	{"name", 0, CLI_STRING, AT(name), "NAME", "A name"},
	{"tty", 't', CLI_FLAG, AT(tty), NULL, "Terminal"},
	CLI_OPTIONS_END,
};

static const struct cli_command command = {
	.name = "try",
	.usage = "[OPTIONS] [ARG...]",
	.summary = "Try it",
	.options = options,
	.max_args = SIZE_MAX,
	.values_size = sizeof(struct values),
};

static const struct cli_option few_options[] = {
	{"force", 'f', CLI_FLAG, 0, NULL, "Do it"},
	CLI_OPTIONS_END,
};

/* A command line, split at blanks; "''" is an empty argument. */
struct line {
	struct mvm_strv words; /* owned: values point into them */
	char **argv;	       /* what the parser shuffles */
	struct values values;
	int first;
	struct mvm_error *err;
};

static int parse_as(const struct cli_command *as, struct line *line, const char *text)
{
	char *copy MVM_CLEAN_FREE = mvm_strdup(text), *rest = copy, *word;

	*line = (struct line){0};
	while ((word = strsep(&rest, " ")))
		if (*word)
			mvm_strv_add(&line->words, strcmp(word, "''") ? word : "");
	line->argv = mvm_alloc((line->words.count + 1) * sizeof(*line->argv));
	for (size_t i = 0; i < line->words.count; i++)
		line->argv[i] = line->words.items[i];
	return cli_parse(as, (int)line->words.count, line->argv, &line->values, &line->first, &line->err);
}

static void finish(struct line *line)
{
	mvm_strv_finish(&line->words);
	mvm_strv_finish(&line->values.env);
	free(line->argv);
	mvm_error_free(line->err);
}

static char *joined(char *const *items)
{
	struct mvm_buf text = {0};

	for (size_t i = 0; items && items[i]; i++)
		mvm_buf_addf(&text, "%s%s", i ? "|" : "", items[i]);
	return mvm_buf_steal(&text);
}

/* Everything a line sets, in one text. */
static char *shown(const struct line *line)
{
	const struct values *v = &line->values;
	char *env MVM_CLEAN_FREE = joined(v->env.items), *args MVM_CLEAN_FREE = joined(line->argv + line->first);

	return mvm_format("%s%s%s%s name=%s host=%s env=%s args=%s", v->all ? "a" : "", v->detach ? "d" : "",
			  v->interactive ? "i" : "", v->tty ? "t" : "", v->name ? v->name : "-",
			  v->hostname ? v->hostname : "-", env, args);
}

static void every_form_of_dockers(void **state)
{
	static const struct {
		const char *line, *shown;
	} cases[] = {
		{"", " name=- host=- env= args="},
		{"x y", " name=- host=- env= args=x|y"},
		{"--name n x", " name=n host=- env= args=x"},
		{"--name=n x", " name=n host=- env= args=x"},
		{"--name= x", " name= host=- env= args=x"},
		{"--name '' x", " name= host=- env= args=x"},
		{"--name=a=b", " name=a=b host=- env= args="},
		{"--name a --name b", " name=b host=- env= args="},
		{"-d x", "d name=- host=- env= args=x"},
		{"-it x", "it name=- host=- env= args=x"},
		{"-itd -a", "adit name=- host=- env= args="},
		{"-e A=1 -eB=2 -e=C=3 --env D=4 --env=E=5", " name=- host=- env=A=1|B=2|C=3|D=4|E=5 args="},
		{"-ite A=1 x", "it name=- host=- env=A=1 args=x"},
		{"-iteA=1 x", "it name=- host=- env=A=1 args=x"},
		/* pflag's own. */
		{"-e= x", " name=- host=- env== args=x"},
		{"-h host x", " name=- host=host env= args=x"},
		{"-hhost x", " name=- host=host env= args=x"},
		{"--detach=false x", " name=- host=- env= args=x"},
		{"--detach=true x", "d name=- host=- env= args=x"},
		{"-d=False -i=1 -t=TRUE", "it name=- host=- env= args="},
		{"-d --detach=0", " name=- host=- env= args="},
		{"-id=false x", "i name=- host=- env= args=x"},
		/* A value is taken as it is, whatever it looks like. */
		{"--name --detach x", " name=--detach host=- env= args=x"},
		{"-e -1 x", " name=- host=- env=-1 args=x"},
		{"--name -- x", " name=-- host=- env= args=x"},
		/* Options may stand behind arguments, until "--". */
		{"x -d y", "d name=- host=- env= args=x|y"},
		{"x -- -d --name n", " name=- host=- env= args=x|-d|--name|n"},
		{"-- -- x", " name=- host=- env= args=--|x"},
		{"- x", " name=- host=- env= args=-|x"},
		{"'' x", " name=- host=- env= args=|x"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct line line;
		char *text MVM_CLEAN_FREE = NULL;

		if (parse_as(&command, &line, cases[i].line))
			fail_msg("'%s': %s", cases[i].line, mvm_error_message(line.err));
		text = shown(&line);
		if (strcmp(text, cases[i].shown))
			fail_msg("'%s': '%s', not '%s'", cases[i].line, text, cases[i].shown);
		finish(&line);
	}
}

static void behind_the_image_options_are_the_programs(void **state)
{
	static const struct {
		const char *line, *shown;
	} cases[] = {
		{"-d image -d --name n", "d name=- host=- env= args=image|-d|--name|n"},
		{"image -- -i", " name=- host=- env= args=image|--|-i"},
		{"-- image -i", " name=- host=- env= args=image|-i"},
		{"-i -- -d -t", "i name=- host=- env= args=-d|-t"},
		{"- -d", " name=- host=- env= args=-|-d"},
	};
	struct cli_command first = command;

	first.options_first = true;
	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct line line;
		char *text MVM_CLEAN_FREE = NULL;

		assert_int_equal(parse_as(&first, &line, cases[i].line), 0);
		text = shown(&line);
		assert_string_equal(text, cases[i].shown);
		finish(&line);
	}
}

static void mistakes_are_named_as_pflag_names_them(void **state)
{
	static const struct {
		const char *line, *message;
	} cases[] = {
		{"--nope", "unknown flag: --nope"},
		{"--nope=1", "unknown flag: --nope"},
		{"--nam x", "unknown flag: --nam; did you mean --name?"},
		{"--hsotname=x", "unknown flag: --hsotname; did you mean --hostname?"},
		{"--=x", "bad flag syntax: --=x"},
		{"---name x", "bad flag syntax: ---name"},
		{"-x", "unknown shorthand flag: 'x' in -x"},
		{"-ixt", "unknown shorthand flag: 'x' in -xt"},
		{"-d=", "unknown shorthand flag: '=' in -="},
		{"--name", "flag needs an argument: --name"},
		{"-it -e", "flag needs an argument: 'e' in -e"},
		{"-ie", "flag needs an argument: 'e' in -e"},
		{"-h", "flag needs an argument: 'h' in -h"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct line line;

		assert_int_equal(parse_as(&command, &line, cases[i].line), -1);
		assert_int_equal(mvm_error_code(line.err), MVM_ERR_USAGE);
		assert_string_equal(mvm_error_message(line.err), cases[i].message);
		finish(&line);
	}
}

static void flags_take_only_truth_values(void **state)
{
	static const char *const cases[] = {"--detach=maybe", "--detach=", "-d=2", "-d=yes", "-d=tRue"};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct line line;

		assert_int_equal(parse_as(&command, &line, cases[i]), -1);
		assert_int_equal(mvm_error_code(line.err), MVM_ERR_USAGE);
		assert_non_null(
			strstr(mvm_error_message(line.err), "for \"-d, --detach\" flag: strconv.ParseBool: parsing "));
		finish(&line);
	}
}

static void help_is_asked_for_in_any_place(void **state)
{
	static const char *const cases[] = {"--help", "-d --help", "x --help", "--help --nope"};
	struct cli_command plain = command;
	struct line line;

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		assert_int_equal(parse_as(&command, &line, cases[i]), 1);
		finish(&line);
	}
	/* -h is help where it is nothing else. */
	plain.options = few_options;
	assert_int_equal(parse_as(&plain, &line, "-h"), 1);
	finish(&line);
	assert_int_equal(parse_as(&plain, &line, "-fh"), 1);
	finish(&line);
	assert_int_equal(parse_as(&plain, &line, "-- --help"), 0);
	finish(&line);
}

static void arguments_are_counted(void **state)
{
	static const struct {
		size_t min, max;
		const char *line, *message;
	} cases[] = {
		{0, 0, "x", "\"mvm try\" accepts no arguments."},
		{1, 1, "", "\"mvm try\" requires exactly 1 argument."},
		{1, 1, "x y", "\"mvm try\" requires exactly 1 argument."},
		{2, 2, "x", "\"mvm try\" requires exactly 2 arguments."},
		{1, SIZE_MAX, "", "\"mvm try\" requires at least 1 argument."},
		{2, SIZE_MAX, "x", "\"mvm try\" requires at least 2 arguments."},
		{0, 1, "x y", "\"mvm try\" requires at most 1 argument."},
		{0, 0, "", NULL},
		{1, 1, "-d x", NULL},
		{1, SIZE_MAX, "x y z", NULL},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct cli_command counted = command;
		struct line line;

		counted.min_args = cases[i].min;
		counted.max_args = cases[i].max;
		assert_int_equal(parse_as(&counted, &line, cases[i].line), cases[i].message ? -1 : 0);
		if (cases[i].message)
			assert_string_equal(mvm_error_message(line.err), cases[i].message);
		finish(&line);
	}
}

static void values_are_freed_by_their_table(void **state)
{
	struct line line;

	assert_int_equal(parse_as(&command, &line, "-e A=1 -e B=2"), 0);
	cli_values_finish(&command, &line.values);
	assert_int_equal(line.values.env.count, 0);
	assert_null(line.values.env.items);
	finish(&line);
}

/* Standard input is no terminal here, or this test would depend on its width. */
static char *help_of(const struct cli_command *which)
{
	int saved = dup(STDIN_FILENO);
	struct capture capture;
	char *text;

	assert_non_null(freopen("/dev/null", "r", stdin));
	capture_begin(&capture, stdout);
	cli_print_help(which, stdout);
	text = capture_end(&capture);
	dup2(saved, STDIN_FILENO);
	close(saved);
	return text;
}

static void help_shows_usage_and_options(void **state)
{
	char *text MVM_CLEAN_FREE = help_of(&command);

	assert_string_equal(text, "Usage:  mvm try [OPTIONS] [ARG...]\n\nTry it\n\nOptions:\n"
				  "  -a, --all              Everything\n"
				  "  -d, --detach           In the background\n"
				  "  -e, --env NAME=VALUE   A variable\n"
				  "      --extra[=NAME]     One more\n"
				  "  -h, --hostname NAME    A host\n"
				  "  -i, --interactive      Input\n"
				  "      --name NAME        A name\n"
				  "  -t, --tty              Terminal\n");
}

static void help_is_sorted_and_fits_the_screen(void **state)
{
	static const struct cli_option unsorted[] = {
		{"zero", 'z', CLI_FLAG, 0, NULL, "Nothing"},
		{"a-rather-long-name", 0, CLI_STRING, 0, "WITH=VALUE",
		 "What this is for takes more words than stand beside it, and awordthatislongerthanthewholeline too"},
		CLI_OPTIONS_END,
	};
	struct cli_command wide = command;
	char *text MVM_CLEAN_FREE = NULL;

	wide.options = unsorted;
	text = help_of(&wide);
	assert_non_null(strstr(text,
			       "\n      --a-rather-long-name WITH=VALUE   What this is for takes more words than\n"
			       "                                        stand beside it, and\n"
			       "                                        awordthatislongerthanthewholeline too\n"
			       "  -z, --zero                            Nothing\n"));
}

static void a_value_may_be_left_out(void **state)
{
	struct line line;
	char *extra MVM_CLEAN_FREE = NULL;

	assert_int_equal(parse_as(&command, &line, "--extra --extra=x --extra= y"), 0);
	extra = mvm_strv_join(&line.values.extra, "|");
	assert_string_equal(extra, "usual|x|");
	assert_string_equal(line.argv[line.first], "y");
	mvm_strv_finish(&line.values.extra);
	finish(&line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_may_be_left_out),
		cmocka_unit_test(every_form_of_dockers),
		cmocka_unit_test(behind_the_image_options_are_the_programs),
		cmocka_unit_test(mistakes_are_named_as_pflag_names_them),
		cmocka_unit_test(flags_take_only_truth_values),
		cmocka_unit_test(help_is_asked_for_in_any_place),
		cmocka_unit_test(arguments_are_counted),
		cmocka_unit_test(values_are_freed_by_their_table),
		cmocka_unit_test(help_shows_usage_and_options),
		cmocka_unit_test(help_is_sorted_and_fits_the_screen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
