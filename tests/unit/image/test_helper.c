/* Credential helpers, good and bad: shell scripts in PATH. */
#include "tests/unit/unit.h"

#include <signal.h>

#include "image/credentials.h"
#include "image/helper.h"

static char *folder;

static void write_helper(const char *name, const char *script)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/docker-credential-%s", folder, name);
	char *text MVM_CLEAN_FREE = mvm_format("#!/bin/sh\n%s\n", script);
	struct mvm_error *err = NULL;

	assert_ok(mvm_replace_file(path, text, strlen(text), 0755, &err));
}

static void write_config(const char *text)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/config.json", folder);
	struct mvm_error *err = NULL;

	assert_ok(mvm_replace_file(path, text, strlen(text), 0600, &err));
}

static int set_up(void **state)
{
	char *path;

	folder = scratch_create();
	path = mvm_format("%s:/usr/bin:/bin", folder);
	setenv("PATH", path, 1);
	setenv("DOCKER_CONFIG", folder, 1);
	free(path);
	return 0;
}

static int tear_down(void **state)
{
	scratch_remove(folder);
	return 0;
}

static int run(const char *name, const char *input, struct mvm_buf *output, struct mvm_error **err)
{
	return mvm_helper_run(name, "get", input, MVM_HELPER_SECONDS, output, err);
}

static void input_and_output_are_handed_on(void **state)
{
	struct mvm_buf output MVM_CLEAN_BUF = {0};
	struct mvm_error *err = NULL;

	write_helper("good", "printf '%s ' \"$#\" \"$1\"; cat; echo noise >&2");
	assert_ok(run("good", "registry.example", &output, &err));
	assert_string_equal(output.data, "1 get registry.example");
}

/* More than a pipe holds, both ways; and one that does not read. */
static void large_input(void **state)
{
	struct mvm_buf output MVM_CLEAN_BUF = {0};
	struct mvm_error *err = NULL;
	char *input MVM_CLEAN_FREE = mvm_alloc(300001);

	memset(input, 'x', 300000);
	write_helper("count", "wc -c");
	assert_ok(run("count", input, &output, &err));
	assert_int_equal(atoi(output.data), 300000);
	write_helper("deaf", "echo heard");
	mvm_buf_finish(&output);
	assert_ok(run("deaf", input, &output, &err));
	assert_string_equal(output.data, "heard\n");
}

static void not_found_is_an_outcome(void **state)
{
	struct mvm_buf output MVM_CLEAN_BUF = {0};
	struct mvm_error *err = NULL;

	write_helper("empty", "echo 'credentials not found in native keychain'; exit 1");
	assert_int_equal(run("empty", "a.example", &output, &err), 1);
	assert_null(err);
}

static void what_a_helper_complains_of_is_told(void **state)
{
	struct mvm_buf output MVM_CLEAN_BUF = {0};
	struct mvm_error *err = NULL;

	write_helper("bad", "printf 'the keychain is \\033[31mlocked\\nsecond line\\n'; exit 3");
	assert_error(run("bad", "x", &output, &err), MVM_ERR_AUTH,
		     "'docker-credential-bad get' failed with status 3: the keychain is  [31mlocked");
	mvm_buf_finish(&output);
	write_helper("bad", "echo 'no display' >&2; exit 1");
	assert_error(run("bad", "x", &output, &err), MVM_ERR_AUTH, "status 1: no display");
	write_helper("bad", "exit 1");
	assert_error(run("bad", "x", &output, &err), MVM_ERR_AUTH, "without a word");
	write_helper("bad", "kill -SEGV $$");
	assert_error(run("bad", "x", &output, &err), MVM_ERR_AUTH, "ended by signal 11");
}

static void one_that_is_not_there(void **state)
{
	struct mvm_buf output MVM_CLEAN_BUF = {0};
	struct mvm_error *err = NULL;

	assert_error(run("nowhere", "x", &output, &err), MVM_ERR_NOT_FOUND,
		     "docker-credential-nowhere is not installed");
	assert_error(run("../sh", "x", &output, &err), MVM_ERR_INVALID, "not the name");
	assert_error(run("", "x", &output, &err), MVM_ERR_INVALID, "not the name");
}

static void one_that_hangs(void **state)
{
	struct mvm_buf output MVM_CLEAN_BUF = {0};
	struct mvm_error *err = NULL;

	write_helper("slow", "exec sleep 1000");
	assert_error(mvm_helper_run("slow", "get", "x", 1, &output, &err), MVM_ERR_TIMEOUT, "within 1 s");
	/* Its streams may be closed and it may hang all the same. */
	write_helper("slow", "exec >&- 2>&- <&-; exec sleep 1000");
	assert_error(mvm_helper_run("slow", "get", "x", 1, &output, &err), MVM_ERR_TIMEOUT, "within 1 s");
}

static void one_that_never_stops_talking(void **state)
{
	struct mvm_buf output MVM_CLEAN_BUF = {0};
	struct mvm_error *err = NULL;

	write_helper("loud", "exec yes");
	assert_error(run("loud", "x", &output, &err), MVM_ERR_AUTH, "prints more than");
	assert_in_range(output.length, 0, 64 << 10);
	write_helper("loud", "exec yes >&2");
	assert_error(run("loud", "x", &output, &err), MVM_ERR_AUTH, "prints more than");
}

/* An agent that it leaves behind holds its streams. */
static void one_that_leaves_something_behind(void **state)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/pid", folder), *text MVM_CLEAN_FREE = NULL;
	char *script MVM_CLEAN_FREE = mvm_format("sleep 1000 & echo $! > %s; echo done", path);
	struct mvm_buf output MVM_CLEAN_BUF = {0};
	struct mvm_error *err = NULL;

	write_helper("agent", script);
	assert_ok(run("agent", "x", &output, &err));
	assert_string_equal(output.data, "done\n");
	assert_ok(mvm_read_file(path, 100, &text, NULL, &err));
	assert_int_equal(kill(atoi(text), SIGKILL), 0);
}

static void credentials_of_helpers(void **state)
{
	struct mvm_credential credential MVM_CLEAN_CREDENTIAL = {0};
	struct mvm_error *err = NULL;

	write_config("{\"credsStore\": \"all\", \"credHelpers\": {\"special.example\": \"one\"}}");
	write_helper("all", "read s; echo \"{\\\"ServerURL\\\": \\\"$s\\\", \\\"Username\\\": \\\"$s\\\", "
			    "\\\"Secret\\\": \\\"pass\\\"}\"");
	write_helper("one", "echo '{\"Username\": \"<token>\", \"Secret\": \"t0ken\"}'");
	assert_ok(mvm_credentials_get("a.example", &credential, &err));
	assert_string_equal(credential.username, "a.example");
	assert_string_equal(credential.password, "pass");
	mvm_credential_finish(&credential);
	assert_ok(mvm_credentials_get("docker.io", &credential, &err));
	assert_string_equal(credential.username, "https://index.docker.io/v1/");
	mvm_credential_finish(&credential);
	assert_ok(mvm_credentials_get("special.example", &credential, &err));
	assert_null(credential.username);
	assert_string_equal(credential.identity_token, "t0ken");
}

static void answers_that_are_none(void **state)
{
	static const char *const answers[] = {"", "[]", "{\"Username\": 1}", "secret",
					      "{\"Username\": \"a\", \"Secret\": []}"};
	struct mvm_credential credential = {0};
	struct mvm_error *err = NULL;

	write_config("{\"credsStore\": \"odd\"}");
	for (size_t i = 0; i < MVM_COUNT(answers); i++) {
		char *script MVM_CLEAN_FREE = mvm_format("printf '%%s' '%s'", answers[i]);

		write_helper("odd", script);
		assert_int_equal(mvm_credentials_get("a.example", &credential, &err), -1);
		assert_int_equal(mvm_error_code(err), MVM_ERR_INVALID);
		assert_non_null(strstr(mvm_error_message(err), "docker-credential-odd get"));
		assert_null(strstr(mvm_error_message(err), "secret"));
		mvm_error_clear(&err);
	}
	write_helper("odd", "echo '{\"Username\": \"\", \"Secret\": \"\"}'");
	assert_int_equal(mvm_credentials_get("a.example", &credential, &err), 1);
}

static void a_helper_keeps_and_erases(void **state)
{
	struct mvm_credential credential = {.username = (char *)"alice", .password = (char *)"se\"cret"};
	char *file MVM_CLEAN_FREE = mvm_format("%s/log", folder), *text MVM_CLEAN_FREE = NULL;
	char *script MVM_CLEAN_FREE = mvm_format("{ echo \"$1\"; cat; echo; } >> %s", file);
	char *config MVM_CLEAN_FREE = mvm_format("%s/config.json", folder), *after MVM_CLEAN_FREE = NULL;
	struct mvm_error *err = NULL;
	char *plain = (char *)"untouched";

	/* What was there as plain text goes. */
	write_config("{\"credsStore\": \"keep\", \"auths\": {\"a.example\": {\"auth\": \"YWxpY2U6c2VjcmV0\"}}}");
	write_helper("keep", script);
	assert_ok(mvm_credentials_store("a.example", &credential, &plain, &err));
	assert_null(plain);
	assert_ok(mvm_read_file(config, 4096, &after, NULL, &err));
	assert_string_equal(after, "{\n\t\"credsStore\": \"keep\",\n\t\"auths\": {\n\t\t\"a.example\": {}\n\t}\n}");
	credential.identity_token = (char *)"t0ken";
	assert_ok(mvm_credentials_store("a.example", &credential, &plain, &err));
	assert_ok(mvm_credentials_erase("a.example", &err));
	assert_ok(mvm_read_file(file, 4096, &text, NULL, &err));
	assert_string_equal(text,
			    "store\n{\"ServerURL\":\"a.example\",\"Username\":\"alice\",\"Secret\":\"se\\\"cret\"}\n"
			    "store\n{\"ServerURL\":\"a.example\",\"Username\":\"<token>\",\"Secret\":\"t0ken\"}\n"
			    "erase\na.example\n");
	write_helper("keep", "echo 'no credentials username'; exit 1");
	assert_error(
		mvm_credentials_store("a.example", &credential, &plain, &err), MVM_ERR_AUTH,
		"cannot save the credentials for a.example: 'docker-credential-keep store' failed with status 1: no "
		"credentials username");
	assert_error(mvm_credentials_erase("a.example", &err), MVM_ERR_AUTH, "cannot erase");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(input_and_output_are_handed_on), CASE(large_input),
		CASE(not_found_is_an_outcome),	      CASE(what_a_helper_complains_of_is_told),
		CASE(one_that_is_not_there),	      CASE(one_that_hangs),
		CASE(one_that_never_stops_talking),   CASE(one_that_leaves_something_behind),
		CASE(credentials_of_helpers),	      CASE(answers_that_are_none),
		CASE(a_helper_keeps_and_erases),
	};

	/* As in every program of ours. */
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
