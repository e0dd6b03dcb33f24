/* What shells are told: words in, candidates out. */
#include "capture.h"

#include "runtime/cli/commands.h"

/* main()'s, which is not here. */
void cli_print_error(const struct mvm_error *err)
{
}

/* The answer for a line, split at blanks; what is typed is behind the last. The caller's. */
static char *answer(const char *line)
{
	char *copy MVM_CLEAN_FREE = mvm_strdup(line), *rest = copy, *word;
	struct mvm_strv words MVM_CLEAN_STRV = {0};
	struct capture capture;

	while ((word = strsep(&rest, " ")))
		mvm_strv_add(&words, word);
	capture_begin(&capture, stdout);
	cli_complete(words.items, stdout);
	return capture_end(&capture);
}

/* The candidates without what is said of them, and the directive: "always|missing|never|:4". */
static char *candidates(const char *line)
{
	char *text MVM_CLEAN_FREE = answer(line), *rest = text, *row;
	struct mvm_buf out = {0};

	while ((row = strsep(&rest, "\n")) && *row)
		mvm_buf_addf(&out, "%s%.*s", out.length ? "|" : "", (int)strcspn(row, "\t"), row);
	return mvm_buf_steal(&out);
}

static void check(const char *line, const char *expected)
{
	char *got MVM_CLEAN_FREE = candidates(line);

	if (strcmp(got, expected) != 0)
		fail_msg("'%s': '%s', not '%s'", line, got, expected);
}

/* `line` offers the word, or does not. */
static void check_offers(const char *line, const char *word, bool offered)
{
	char *got MVM_CLEAN_FREE = candidates(line), *found;
	char *between MVM_CLEAN_FREE = mvm_format("|%s", got), *one MVM_CLEAN_FREE = mvm_format("|%s|", word);

	found = strstr(between, one);
	if (!found == offered)
		fail_msg("'%s' %s '%s': %s", line, offered ? "lacks" : "offers", word, got);
}

static void commands_and_groups(void **state)
{
	char *text MVM_CLEAN_FREE = answer("compl");

	assert_string_equal(text, "completion\tPrint the completion script for bash, fish or zsh\n:4\n");
	check("ima", "images|image|:4");
	check("image l", "ls|load|:4");
	check("container unp", "unpause|:4");
	/* By the first of their names. */
	check_offers("container ", "ls", true);
	check_offers("container ", "ps", false);
	check_offers("", "help", true);
	check_offers("", "container prune", false);
	check("help con", "container|:4");
	check("help container pru", "prune|:4");
	check("nosuch ", ":4");
	check("container nosuch ", ":4");
	check("container -", "--help|:4");
}

static void options_before_the_command(void **state)
{
	check("--log-l", "--log-level|:4");
	check("--log-level d", "debug|:4");
	check("--log-level=e", "--log-level=error|:4");
	check("-l w", "warn|:4");
	check("-D --config /tmp compl", "completion|:4");
	check("--config ", ":0");
	check("-D run --pull n", "never|:4");
}

static void options_between_a_group_and_its_command(void **state)
{
	check("compose conf", "config|:4");
	check("compose --pro", "--profile|--project-directory|--project-name|:4");
	check("compose -p x --project-n", ":4");
	check("compose -f ", ":0");
	check("compose -f x -p y conf", "config|:4");
	check("compose -f x config --form", "--format|:4");
	check("compose --profile=a config --format ", "json|yaml|:4");
	check("compose -p", "-p|:4");
}

static void options_that_are_there_and_not_given_yet(void **state)
{
	check("run --det", "--detach|--detach-keys|:4");
	check("run -d --det", "--detach-keys|:4");
	check("run --detach-keys=x --det", "--detach|:4");
	check("run -itd --det", "--detach-keys|:4");
	/* Lists are given more than once. */
	check("run --env A --en", "--entrypoint|--env|--env-file|:4");
	/* Those that a command has not. */
	check("create --det", ":4");
	check_offers("run -", "-d", true);
	check_offers("run -", "--help", true);
	/* Behind the image they are the program's. */
	check("run image --", ":4");
	check("run -- --", ":4");
}

static void values_of_options(void **state)
{
	check("run --pull ", "always|missing|never|:4");
	check("run --pull=a", "--pull=always|:4");
	check("run -it --pull a", "always|:4");
	check("run --rm=", "--rm=true|--rm=false|:4");
	check("run --name ", ":4");
	check("run --name --pull", ":4");
	check("run --nosuch=", ":4");
	check("run --env-file ", ":0");
	check("save -o ", ":0");
	check("logs --tail --fol", ":4");
}

static void values_behind_a_letter(void **state)
{
	setenv("MVM_TEST_VARIABLE", "secret", true);
	check("run -e MVM_TEST_V", "MVM_TEST_VARIABLE|:4");
	check("run -eMVM_TEST_V", "-eMVM_TEST_VARIABLE|:4");
	check("run -ite MVM_TEST_V", "MVM_TEST_VARIABLE|:4");
	check("run -iteMVM_TEST_V", "-iteMVM_TEST_VARIABLE|:4");
	check("run -e=MVM_TEST_V", "-e=MVM_TEST_VARIABLE|:4");
	check("run -e", "-e|:4");
	check("run -eX=1 --pull a", "always|:4");
	check("kill -s KI", "KILL|:4");
	check("kill -sKI", "-sKILL|:4");
	unsetenv("MVM_TEST_VARIABLE");
}

static void keys_before_their_values(void **state)
{
	check("ps -f st", "status=|:6");
	check("ps -f status=e", "status=exited|:4");
	check("ps --filter=status=p", "--filter=status=paused|:4");
	check("images -f dangling=", "dangling=false|dangling=true|:4");
	check("run --ulimit nof", "nofile=|:6");
	check("run --security-opt s", "systempaths=|:6");
	check("run --detach-keys c", "ctrl-|:6");
}

static void any_case(void **state)
{
	check("kill --signal usr", "USR1|USR2|:4");
	check("kill --signal sigusr", "SIGUSR1|SIGUSR2|:4");
	check("run --cap-add CAP_NET_A", "CAP_NET_ADMIN|:4");
	check("run --cap-add net_a", "NET_ADMIN|:4");
	check("run --cap-drop al", "ALL|:4");
	/* But where case means something. */
	check("run --pull A", ":4");
}

static void nothing_is_made_where_nothing_is(void **state)
{
	char *home MVM_CLEAN_FREE = mvm_format("%s/nothing", (char *)*state);

	setenv("MVM_HOME", home, true);
	check("start ", ":4");
	check("run ", ":4");
	check("inspect ", ":4");
	assert_int_equal(access(home, F_OK), -1);
	unsetenv("MVM_HOME");
}

/* Whoever adds a command with arguments says what shells offer there. */
static void every_argument_has_something_to_offer_or_cannot(void **state)
{
	static const struct cli_command *const nothing_known[] = {&cli_load, &cli_login, &cli_logout,
								  &cli_network_create, &cli_volume_create};
	const struct cli_command *command;

	for (size_t i = 0; (command = cli_command_at(i)); i++) {
		bool known = command->complete || !command->max_args;

		for (size_t n = 0; n < MVM_COUNT(nothing_known); n++)
			known = known || command == nothing_known[n];
		if (!known)
			fail_msg("mvm %s: what do shells complete? Set .complete (runtime/cli/complete.h)",
				 command->name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_and_groups),
		cmocka_unit_test(options_before_the_command),
		cmocka_unit_test(options_between_a_group_and_its_command),
		cmocka_unit_test(options_that_are_there_and_not_given_yet),
		cmocka_unit_test(values_of_options),
		cmocka_unit_test(values_behind_a_letter),
		cmocka_unit_test(keys_before_their_values),
		cmocka_unit_test(any_case),
		cmocka_unit_test(nothing_is_made_where_nothing_is),
		cmocka_unit_test(every_argument_has_something_to_offer_or_cannot),
	};

	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
