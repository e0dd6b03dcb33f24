/* Names of commands, groups, help and guesses. */
#include "capture.h"

#include "runtime/cli/commands.h"

/* main()'s, which is not here. */
void cli_print_error(const struct mvm_error *err)
{
}

static const struct cli_command *find(const char *first, const char *second, struct cli_found *found)
{
	char *words[] = {(char *)first, (char *)second, NULL};

	return cli_find(words, found) == 0 ? found->command : NULL;
}

static void one_command_has_all_its_names(void **state)
{
	struct cli_found found;

	assert_ptr_equal(find("images", NULL, &found), &cli_images);
	assert_int_equal(found.words, 1);
	assert_string_equal(found.name, "images");
	assert_ptr_equal(find("images", "alpine", &found), &cli_images);
	assert_int_equal(found.words, 1);
	assert_ptr_equal(find("image", "ls", &found), &cli_images);
	assert_int_equal(found.words, 2);
	assert_string_equal(found.name, "image ls");
	assert_ptr_equal(find("image", "list", &found), &cli_images);
	assert_ptr_equal(find("image", "remove", &found), &cli_rmi);
	assert_ptr_equal(find("container", "ps", &found), &cli_ps);
	assert_ptr_equal(find("container", "remove", &found), &cli_rm);
	assert_ptr_equal(find("system", "info", &found), &cli_info);
}

/* Docker's commands by all their names, as far as there is such a thing here. */
static void docker_users_find_what_they_know(void **state)
{
	static const struct {
		const struct cli_command *command;
		const char *names[4];
	} known[] = {
		{&cli_attach, {"container attach", "attach"}},
		{&cli_commit, {"container commit", "commit"}},
		{&cli_container_inspect, {"container inspect"}},
		{&cli_container_prune, {"container prune"}},
		{&cli_cp, {"container cp", "cp"}},
		{&cli_create, {"container create", "create"}},
		{&cli_diff, {"container diff", "diff"}},
		{&cli_exec, {"container exec", "exec"}},
		{&cli_export, {"container export", "export"}},
		{&cli_kill, {"container kill", "kill"}},
		{&cli_logs, {"container logs", "logs"}},
		{&cli_ps, {"container ls", "container list", "container ps", "ps"}},
		{&cli_pause, {"container pause", "pause"}},
		{&cli_port, {"container port", "port"}},
		{&cli_rename, {"container rename", "rename"}},
		{&cli_restart, {"container restart", "restart"}},
		{&cli_rm, {"container rm", "container remove", "rm"}},
		{&cli_run, {"container run", "run"}},
		{&cli_start, {"container start", "start"}},
		{&cli_stats, {"container stats", "stats"}},
		{&cli_stop, {"container stop", "stop"}},
		{&cli_top, {"container top", "top"}},
		{&cli_unpause, {"container unpause", "unpause"}},
		{&cli_update, {"container update", "update"}},
		{&cli_wait, {"container wait", "wait"}},
		{&cli_history, {"image history", "history"}},
		{&cli_image_inspect, {"image inspect"}},
		{&cli_image_prune, {"image prune"}},
		{&cli_images, {"image ls", "image list", "images"}},
		{&cli_import, {"image import", "import"}},
		{&cli_load, {"image load", "load"}},
		{&cli_pull, {"image pull", "pull"}},
		{&cli_push, {"image push", "push"}},
		{&cli_rmi, {"image rm", "image remove", "rmi"}},
		{&cli_save, {"image save", "save"}},
		{&cli_tag, {"image tag", "tag"}},
		{&cli_events, {"system events", "events"}},
		{&cli_info, {"system info", "info"}},
		{&cli_system_df, {"system df"}},
		{&cli_system_prune, {"system prune"}},
		{&cli_inspect, {"inspect"}},
		{&cli_login, {"login"}},
		{&cli_logout, {"logout"}},
		{&cli_version, {"version"}},
	};

	for (size_t i = 0; i < MVM_COUNT(known); i++)
		for (size_t n = 0; n < 4 && known[i].names[n]; n++) {
			char *first MVM_CLEAN_FREE = mvm_strdup(known[i].names[n]), *second = first;
			struct cli_found found;

			strsep(&second, " ");
			if (find(first, second, &found) != known[i].command)
				fail_msg("'%s' is another command, or none", known[i].names[n]);
		}
}

static void what_is_not_a_name(void **state)
{
	static const char *const wrong[][2] = {
		{"image ls", NULL},   {"image", "images"}, {"image", "l"}, {"image", ""},
		{"container", "rmi"}, {"imag", "ls"},	   {"", NULL},	   {"remove", NULL},
	};
	struct cli_found found;

	for (size_t i = 0; i < MVM_COUNT(wrong); i++)
		assert_null(find(wrong[i][0], wrong[i][1], &found));
}

static void a_group_alone(void **state)
{
	struct cli_found found;

	assert_null(find("image", NULL, &found));
	assert_string_equal(found.group->name, "image");
	assert_null(find("image", "--help", &found));
	assert_string_equal(found.group->name, "image");
	assert_int_equal(found.words, 1);
}

static void guesses(void **state)
{
	assert_string_equal(cli_nearest("image", "lss"), "ls");
	assert_string_equal(cli_nearest("image", "sl"), "ls");
	assert_string_equal(cli_nearest(NULL, "imags"), "images");
	assert_string_equal(cli_nearest(NULL, "iamge"), "image");
	assert_string_equal(cli_nearest(NULL, "contain"), "container");
	assert_string_equal(cli_nearest("container", "rumn"), "run");
	assert_null(cli_nearest(NULL, "xyzzy"));
	assert_null(cli_nearest(NULL, ""));
	assert_null(cli_nearest("image", "a-word-that-is-longer-than-any-command"));
}

static void help_lists_each_command_once(void **state)
{
	struct cli_found found;
	struct capture capture;
	char *overview MVM_CLEAN_FREE = NULL, *group MVM_CLEAN_FREE = NULL;

	capture_begin(&capture, stdout);
	cli_print_overview(stdout);
	overview = capture_end(&capture);
	assert_non_null(strstr(overview, "\nCommon Commands:\n  run  "));
	assert_non_null(strstr(overview, "\nManagement Commands:\n  compose  "));
	assert_non_null(strstr(overview, "\n  rmi "));
	assert_null(strstr(overview, "\n  ls "));
	assert_non_null(strstr(overview, "Usage:  mvm [OPTIONS] COMMAND\n"));
	assert_non_null(strstr(overview, "\nGlobal Options:\n      --config FOLDER "));

	find("container", "ls", &found);
	capture_begin(&capture, stdout);
	cli_print_group(found.group, stdout);
	group = capture_end(&capture);
	assert_non_null(strstr(group, "Usage:  mvm container COMMAND\n"));
	assert_non_null(strstr(group, "\n  ls          List containers\n"));
	assert_null(strstr(group, "\n  list "));
	assert_null(strstr(group, "\n  ps "));
	assert_null(strstr(group, "Options:"));
}

static void help_of_a_group_with_options(void **state)
{
	struct cli_found found;
	struct capture capture;
	char *group MVM_CLEAN_FREE = NULL;

	find("compose", "config", &found);
	capture_begin(&capture, stdout);
	cli_print_group(found.group, stdout);
	group = capture_end(&capture);
	assert_non_null(strstr(group, "Usage:  mvm compose [OPTIONS] COMMAND\n"));
	assert_non_null(strstr(group, "\nOptions:\n      --all-resources "));
	assert_non_null(strstr(group, "\n  config      Parse"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_command_has_all_its_names),
		cmocka_unit_test(docker_users_find_what_they_know),
		cmocka_unit_test(what_is_not_a_name),
		cmocka_unit_test(a_group_alone),
		cmocka_unit_test(guesses),
		cmocka_unit_test(help_lists_each_command_once),
		cmocka_unit_test(help_of_a_group_with_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
