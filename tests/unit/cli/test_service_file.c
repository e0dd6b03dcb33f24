/* The files of the service: what stands in them, and whether those who read them can, where they are here. */
#include "tests/unit/unit.h"

#include "runtime/base/spawn.h"
#include "runtime/cli/service_file.h"

/* Everything that has a meaning to one of the readers. */
static const char nasty[] = "/opt/a b/100% $HOME \"q\" 'p' \\ <&> \xc3\xa4/mvm";

static char *make(int (*maker)(const struct service_file *file, char **text, struct mvm_error **err),
		  const char *program, const char *variable)
{
	struct mvm_strv environment MVM_CLEAN_STRV = {0};
	const struct service_file file = {.name = "mvm-0a1b2c3d", .program = program, .environment = &environment};
	struct mvm_error *err = NULL;
	char *text = NULL;

	if (variable)
		mvm_strv_add(&environment, variable);
	assert_ok(maker(&file, &text, &err));
	return text;
}

static void assert_line(const char *text, const char *line)
{
	char *whole MVM_CLEAN_FREE = mvm_format("\n%s\n", line);

	if (!strstr(text, whole))
		fail_msg("no line '%s' in:\n%s", line, text);
}

static void a_unit(void **state)
{
	char *plain MVM_CLEAN_FREE = make(service_unit, "/usr/bin/mvm", NULL);
	char *text MVM_CLEAN_FREE = make(service_unit, nasty, "MVM_HOME=/x $y %z \"");

	assert_null(strstr(plain, "Environment"));
	assert_line(plain, "ExecStart=\"/usr/bin/mvm\" system start");
	assert_line(plain, "ExecStop=\"/usr/bin/mvm\" system stop");
	assert_line(plain, "WantedBy=default.target");
	assert_line(text, "ExecStart=\"/opt/a b/100%% $$HOME \\\"q\\\" 'p' \\\\ <&> \xc3\xa4/mvm\" system start");
	assert_line(text, "Environment=\"MVM_HOME=/x $y %%z \\\"\"");
}

static void what_no_file_can_hold_is_refused(void **state)
{
	struct mvm_strv environment MVM_CLEAN_STRV = {0};
	struct service_file file = {.name = "mvm", .program = "/a\nb", .environment = &environment};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *text = NULL;

	assert_error(service_unit(&file, &text, &err), MVM_ERR_INVALID, "control character");
	assert_error(service_plist(&file, &text, &err), MVM_ERR_INVALID, "control character");
	file.program = "/a";
	mvm_strv_add(&environment, "MVM_HOME=/\x1b");
	assert_error(service_unit(&file, &text, &err), MVM_ERR_INVALID, "control character");
	assert_null(text);
}

/* Runs a program that reads the file; 77 where it is not here. */
static int read_with(const char *folder, const char *file, const char *text, const char *const *words)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/%s", folder, file), *found MVM_CLEAN_FREE = NULL;
	const struct mvm_spawn spawn = {.program = words[0], .argv = (char *const *)words};
	struct mvm_error *err = NULL;
	pid_t pid;

	if (mvm_find_program(words[0], &found, NULL) < 0)
		return 77;
	assert_ok(mvm_replace_file(path, text, strlen(text), 0644, &err));
	setenv("FILE", path, 1);
	assert_ok(mvm_spawn(&spawn, &pid, &err));
	return wait_for_exit(pid);
}

static void a_plist_is_read_by_others(void **state)
{
	char *text MVM_CLEAN_FREE = make(service_plist, nasty, "MVM_HOME=/x=<y>&\"z\"");
	static const char script[] = "import os, plistlib\n"
				     "p = plistlib.load(open(os.environ['FILE'], 'rb'))\n"
				     "assert p['Label'] == 'mvm-0a1b2c3d', p\n"
				     "assert p['ProgramArguments'] == [os.environ['NASTY'], 'system', 'start'], p\n"
				     "assert p['EnvironmentVariables'] == {'MVM_HOME': '/x=<y>&\"z\"'}, p\n"
				     "assert p['RunAtLoad'] is True and p['AbandonProcessGroup'] is True, p\n";
	int status;

	setenv("NASTY", nasty, 1);
	status = read_with(*state, "mvm.plist", text, (const char *const[]){"python3", "-c", script, NULL});
	if (status == 77)
		skip();
	assert_int_equal(status, 0);
}

/* It warns of what it does not understand, and that is all. */
static void a_unit_is_read_by_others(void **state)
{
	char *text MVM_CLEAN_FREE = make(service_unit, "/bin/true", "MVM_HOME=/x %y \"z\"");
	static const char script[] = "command -v systemd-analyze >/dev/null || exit 77; said=$(systemd-analyze --user "
				     "verify \"$FILE\" 2>&1) && "
				     "test -z \"$said\"";
	int status;

	setenv("XDG_RUNTIME_DIR", *state, 1);
	status = read_with(*state, "mvm-x.service", text, (const char *const[]){"sh", "-c", script, NULL});
	if (status == 77)
		skip();
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_unit),
		cmocka_unit_test(what_no_file_can_hold_is_refused),
		cmocka_unit_test(a_plist_is_read_by_others),
		cmocka_unit_test(a_unit_is_read_by_others),
	};

	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
