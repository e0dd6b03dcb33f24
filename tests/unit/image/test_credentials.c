/* Credentials in docker's configuration file: what is read, what is kept, what is left alone. */
#include "tests/unit/corpus.h"

#include <sys/stat.h>

#include "image/credentials.h"

static char *folder; /* DOCKER_CONFIG */

static void write_text(const char *name, const char *text)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/%s", folder, name);
	struct mvm_error *err = NULL;

	assert_ok(mvm_replace_file(path, text, strlen(text), 0644, &err));
}

static char *read_text(const char *name)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/%s", folder, name), *text;
	struct mvm_error *err = NULL;

	assert_ok(mvm_read_file(path, 1 << 20, &text, NULL, &err));
	return text;
}

static void assert_file(const char *name, const char *wanted)
{
	char *text MVM_CLEAN_FREE = read_text(name);

	assert_string_equal(text, wanted);
}

static int set_up(void **state)
{
	folder = scratch_create();
	setenv("DOCKER_CONFIG", folder, 1);
	return 0;
}

static int tear_down(void **state)
{
	scratch_remove(folder);
	return 0;
}

static void assert_none(const char *domain)
{
	struct mvm_credential credential MVM_CLEAN_CREDENTIAL = {0};
	struct mvm_error *err = NULL;

	assert_int_equal(mvm_credentials_get(domain, &credential, &err), 1);
	assert_null(credential.username);
}

static void assert_password(const char *domain, const char *username, const char *password)
{
	struct mvm_credential credential MVM_CLEAN_CREDENTIAL = {0};
	struct mvm_error *err = NULL;

	assert_ok(mvm_credentials_get(domain, &credential, &err));
	assert_string_equal(credential.username, username);
	assert_string_equal(credential.password, password);
}

static void keep(const char *domain, const char *username, const char *password, const char *identity)
{
	struct mvm_credential credential = {
		.username = (char *)username, .password = (char *)password, .identity_token = (char *)identity};
	char *path MVM_CLEAN_FREE = mvm_format("%s/config.json", folder), *plain MVM_CLEAN_FREE = NULL;
	struct mvm_error *err = NULL;

	assert_ok(mvm_credentials_store(domain, &credential, &plain, &err));
	assert_string_equal(plain, path);
}

static bool is_taken(const char *data, size_t length)
{
	struct mvm_credential credential MVM_CLEAN_CREDENTIAL = {0};
	char *path MVM_CLEAN_FREE = mvm_format("%s/config.json", folder);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	assert_ok(mvm_replace_file(path, data, length, 0600, &err));
	if (mvm_credentials_get("registry.example", &credential, &err) == 0) {
		assert_string_equal(credential.username, "alice");
		assert_string_equal(credential.password, "secret");
		return true;
	}
	assert_non_null(err);
	assert_int_equal(mvm_error_code(err), MVM_ERR_INVALID);
	/* No secret is quoted. */
	assert_null(strstr(mvm_error_message(err), "secret"));
	assert_null(strstr(mvm_error_message(err), "YWxp"));
	return false;
}

static void corpus_is_taken_and_refused(void **state)
{
	corpus_replay("docker-config", is_taken);
}

static void without_a_file_there_are_none(void **state)
{
	struct mvm_error *err = NULL;

	assert_none("docker.io");
	write_text("config.json", " \n");
	assert_none("docker.io");
	assert_ok(mvm_credentials_erase("docker.io", &err));
}

static void docker_hub_has_its_old_key(void **state)
{
	struct mvm_error *err = NULL;

	keep("docker.io", "alice", "secret", NULL);
	assert_file("config.json", "{\n\t\"auths\": {\n\t\t\"https://index.docker.io/v1/\": {\n"
				   "\t\t\t\"auth\": \"YWxpY2U6c2VjcmV0\"\n\t\t}\n\t}\n}");
	assert_password("docker.io", "alice", "secret");
	assert_ok(mvm_credentials_erase("docker.io", &err));
	assert_none("docker.io");
}

static void what_users_type_is_a_domain(void **state)
{
	static const char *const cases[][2] = {
		{"", "docker.io"},
		{"docker.io", "docker.io"},
		{"https://index.docker.io/v1/", "docker.io"},
		{"registry-1.docker.io", "docker.io"},
		{"https://registry.example/v2/", "registry.example"},
		{"http://127.0.0.1:5000", "127.0.0.1:5000"},
		{"registry.example:5000/team", "registry.example:5000"},
		{"[::1]:5000", "[::1]:5000"},
	};
	char *none MVM_CLEAN_FREE = mvm_credentials_domain(NULL);

	assert_string_equal(none, "docker.io");
	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		char *domain MVM_CLEAN_FREE = mvm_credentials_domain(cases[i][0]);

		assert_string_equal(domain, cases[i][1]);
	}
}

static void the_rest_of_the_file_stays(void **state)
{
	struct mvm_error *err = NULL;

	write_text("config.json",
		   "{\n    \"psFormat\": \"table {{.ID}}\",\n    \"auths\": {\n        \"a.example\": {\n"
		   "            \"email\": \"me\",\n            \"identitytoken\": \"old\"\n        }\n    },\n"
		   "    \"future\": [\n        1,\n        0.1,\n        \"  \\u00e9  \"\n    ]\n}\n");
	keep("a.example", "alice", "secret", NULL);
	assert_file("config.json",
		    "{\n    \"psFormat\": \"table {{.ID}}\",\n    \"auths\": {\n        \"a.example\": {\n"
		    "            \"email\": \"me\",\n            \"auth\": \"YWxpY2U6c2VjcmV0\"\n        }\n    },\n"
		    "    \"future\": [\n        1,\n        0.1,\n        \"  \xc3\xa9  \"\n    ]\n}\n");
	assert_ok(mvm_credentials_erase("a.example", &err));
	assert_file("config.json", "{\n    \"psFormat\": \"table {{.ID}}\",\n    \"auths\": {},\n"
				   "    \"future\": [\n        1,\n        0.1,\n        \"  \xc3\xa9  \"\n    ]\n}\n");
}

static void the_file_is_for_its_owner_only(void **state)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/config.json", folder);
	struct stat st;

	write_text("config.json", "{}");
	keep("a.example", "alice", "secret", NULL);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void the_same_again_writes_nothing(void **state)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/config.json", folder);
	struct mvm_error *err = NULL;
	struct stat before, after;

	keep("a.example", "alice", "secret", NULL);
	assert_int_equal(stat(path, &before), 0);
	keep("a.example", "alice", "secret", NULL);
	assert_ok(mvm_credentials_erase("b.example", &err));
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
}

static void an_identity_token_stands_for_the_password(void **state)
{
	struct mvm_credential credential MVM_CLEAN_CREDENTIAL = {0};
	struct mvm_error *err = NULL;

	keep("a.example", "alice", "secret", "t0ken");
	assert_file("config.json", "{\n\t\"auths\": {\n\t\t\"a.example\": {\n\t\t\t\"auth\": \"YWxpY2U6\",\n"
				   "\t\t\t\"identitytoken\": \"t0ken\"\n\t\t}\n\t}\n}");
	assert_ok(mvm_credentials_get("a.example", &credential, &err));
	assert_string_equal(credential.identity_token, "t0ken");
	assert_string_equal(credential.username, "alice");
}

/* People keep it under version control elsewhere. */
static void symlinks_are_followed(void **state)
{
	char *link MVM_CLEAN_FREE = mvm_format("%s/config.json", folder), target[64];
	struct mvm_error *err = NULL;

	assert_int_equal(symlink("one.json", link), 0);
	/* Where it leads there is nothing yet. */
	keep("a.example", "alice", "secret", NULL);
	assert_int_equal(readlink(link, target, sizeof(target)), (ssize_t)strlen("one.json"));
	assert_password("a.example", "alice", "secret");
	free(read_text("one.json"));
	assert_ok(mvm_credentials_erase("a.example", &err));
	assert_file("one.json", "{\n\t\"auths\": {}\n}");
}

static void a_loop_of_symlinks_is_an_error(void **state)
{
	char *link MVM_CLEAN_FREE = mvm_format("%s/config.json", folder);
	struct mvm_credential credential = {0};
	struct mvm_error *err = NULL;

	assert_int_equal(symlink("config.json", link), 0);
	assert_error(mvm_credentials_get("a.example", &credential, &err), MVM_ERR_IO, "config.json");
}

static void a_damaged_file_is_not_written_over(void **state)
{
	struct mvm_credential credential = {.username = (char *)"a", .password = (char *)"b"};
	struct mvm_error *err = NULL;
	char *plain = NULL;

	write_text("config.json", "{\"auths\": ");
	assert_error(mvm_credentials_store("a.example", &credential, &plain, &err), MVM_ERR_INVALID, "line 1");
	assert_file("config.json", "{\"auths\": ");
	write_text("config.json", "{\"auths\": [1]}");
	assert_error(mvm_credentials_store("a.example", &credential, &plain, &err), MVM_ERR_INVALID, "\"auths\"");
	assert_file("config.json", "{\"auths\": [1]}");
	assert_null(plain);
}

static void erasing_finds_older_keys(void **state)
{
	struct mvm_error *err = NULL;

	write_text("config.json", "{\"auths\": {\"https://a.example/v1/\": {\"auth\": \"YWxpY2U6c2VjcmV0\"}, "
				  "\"http://a.example\": {}, \"a.example\": {}, \"b.example\": {}}}");
	assert_ok(mvm_credentials_erase("a.example", &err));
	assert_file("config.json", "{\n\t\"auths\": {\n\t\t\"b.example\": {}\n\t}\n}");
}

/* Each adds its own, and none is lost. */
static void many_at_once(void **state)
{
	pid_t children[8];

	for (int i = 0; i < 8; i++) {
		char *domain MVM_CLEAN_FREE = mvm_format("r%d.example", i);

		children[i] = fork();
		if (children[i] == 0) {
			struct mvm_credential credential = {.username = (char *)"alice", .password = (char *)"secret"};
			char *plain = NULL;

			_exit(mvm_credentials_store(domain, &credential, &plain, NULL) == 0 ? 0 : 1);
		}
	}
	for (int i = 0; i < 8; i++)
		assert_int_equal(wait_for_exit(children[i]), 0);
	for (int i = 0; i < 8; i++) {
		char *domain MVM_CLEAN_FREE = mvm_format("r%d.example", i);

		assert_password(domain, "alice", "secret");
	}
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(corpus_is_taken_and_refused),
		CASE(without_a_file_there_are_none),
		CASE(docker_hub_has_its_old_key),
		CASE(what_users_type_is_a_domain),
		CASE(the_rest_of_the_file_stays),
		CASE(the_file_is_for_its_owner_only),
		CASE(the_same_again_writes_nothing),
		CASE(an_identity_token_stands_for_the_password),
		CASE(symlinks_are_followed),
		CASE(a_loop_of_symlinks_is_an_error),
		CASE(a_damaged_file_is_not_written_over),
		CASE(erasing_finds_older_keys),
		CASE(many_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
