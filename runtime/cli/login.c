#include "image/login.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "prompt.h"
#include "runtime/base/config.h"
#include "runtime/base/io.h"

#define MAX_PASSWORD (64 << 10)

struct values {
	const char *username;
	const char *password;
	bool password_stdin;
};

static const struct cli_option options[] = {
	{"password", 'p', CLI_STRING, offsetof(struct values, password), "TEXT",
	 "Password or personal access token; anybody can see it in the list of processes"},
	{"password-stdin", 0, CLI_FLAG, offsetof(struct values, password_stdin), NULL,
	 "Take the password or token from stdin"},
	{"username", 'u', CLI_STRING, offsetof(struct values, username), "NAME", "User name"},
	CLI_OPTIONS_END,
};

static bool is_interrupted(void *arg)
{
	const volatile sig_atomic_t *const *interrupted = arg;

	return **interrupted != 0;
}

static int check_options(const struct values *values, struct mvm_error **err)
{
	if (values->password_stdin && values->password)
		return mvm_fail(err, MVM_ERR_INVALID,
				"conflicting options: cannot specify both --password and --password-stdin");
	if (values->password_stdin && !values->username)
		return mvm_fail(err, MVM_ERR_INVALID, "the --password-stdin option requires --username to be set");
	if (values->username && !*values->username)
		return mvm_fail(err, MVM_ERR_INVALID, "username is empty");
	if (values->password && !*values->password)
		return mvm_fail(err, MVM_ERR_INVALID, "password is empty");
	return 0;
}

/* All of stdin, but for the end of a line that stands last. */
static int read_password(char **password, struct mvm_error **err)
{
	char *text = mvm_alloc(MAX_PASSWORD + 1);
	ssize_t length = mvm_read_full(STDIN_FILENO, text, MAX_PASSWORD);

	if (length < 0 || length == MAX_PASSWORD) {
		free(text);
		return length < 0
			       ? mvm_fail_errno(err, errno, "cannot read the password from stdin")
			       : mvm_fail(err, MVM_ERR_INVALID, "the password is longer than %d bytes", MAX_PASSWORD);
	}
	if (length && text[length - 1] == '\n')
		text[--length] = '\0';
	if (length && text[length - 1] == '\r')
		text[--length] = '\0';
	*password = text;
	return 0;
}

static int ask_username(const char *existing, char **username, struct mvm_error **err)
{
	char *question MVM_CLEAN_FREE = existing ? mvm_format("Username (%s): ", existing) : mvm_strdup("Username: ");
	char *answer MVM_CLEAN_FREE = NULL;

	if (cli_prompt(question, false, &answer, err) < 0)
		return -1;
	if (!*answer && !existing)
		return mvm_fail(err, MVM_ERR_INVALID, "error: username is required");
	*username = mvm_strdup(*answer ? answer : existing);
	return 0;
}

/* What was not given is asked for. */
static int fill(const struct values *values, const char *domain, const char *existing,
		struct mvm_credential *credential, struct mvm_error **err)
{
	bool complete = values->username && (values->password || values->password_stdin);

	if (!complete && !isatty(STDIN_FILENO))
		return mvm_fail(err, MVM_ERR_INVALID,
				"cannot perform an interactive login from a non TTY device; use --username and "
				"--password-stdin");
	if (!values->username && !strcmp(domain, "docker.io"))
		fputs("Log in with your Docker ID or email address to push and pull images from Docker Hub. If you "
		      "don't have "
		      "a Docker ID, head over to https://hub.docker.com/ to create one.\n",
		      stderr);
	if (values->username)
		credential->username = mvm_strdup(values->username);
	else if (ask_username(existing, &credential->username, err) < 0)
		return -1;
	if (values->password) {
		credential->password = mvm_strdup(values->password);
		/* No longer than need be in the list of processes. */
		memset((char *)values->password, 'x', strlen(values->password));
	} else if (values->password_stdin ? read_password(&credential->password, err) < 0
					  : cli_prompt("Password: ", true, &credential->password, err) < 0)
		return -1;
	if (!*credential->password)
		return mvm_fail(err, MVM_ERR_INVALID, "error: password is required");
	return 0;
}

static int verify(const char *domain, struct mvm_credential *credential, struct mvm_error **err)
{
	struct mvm_config *config MVM_CLEAN_CONFIG = NULL;
	const volatile sig_atomic_t *interrupted;
	struct cli_interrupt before;
	int result;

	if (mvm_config_load(&config, err) < 0)
		return -1;
	interrupted = cli_interrupt_begin(&before);
	result = mvm_registry_login(domain, config, credential, is_interrupted, &interrupted, err);
	cli_interrupt_end(&before);
	return result;
}

static int keep(const char *domain, const struct mvm_credential *credential, struct mvm_error **err)
{
	char *plain MVM_CLEAN_FREE = NULL;

	if (mvm_credentials_store(domain, credential, &plain, err) < 0)
		return -1;
	if (plain)
		fprintf(stderr,
			"\nWARNING! Your credentials are stored unencrypted in '%s'.\n"
			"Configure a credential helper to remove this warning. See\n"
			"https://docs.docker.com/go/credential-store/\n\n",
			plain);
	puts("Login Succeeded");
	return 0;
}

/* 0 where what is stored is still good; 1 where somebody has to be asked, with the name that is stored. */
static int try_stored(const struct values *values, const char *domain, char **existing, struct mvm_error **err)
{
	struct mvm_credential stored MVM_CLEAN_CREDENTIAL = {0};
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;

	if (values->username || values->password)
		return 1;
	if (mvm_credentials_get(domain, &stored, &cause) != 0) {
		if (cause)
			fprintf(stderr, "WARNING: %s\n", mvm_error_message(cause));
		return 1;
	}
	if (!stored.username || !stored.password || stored.identity_token || stored.registry_token)
		return 1;
	*existing = mvm_strdup(stored.username);
	fprintf(stderr, "Authenticating with existing credentials... [Username: %s]\n", stored.username);
	if (verify(domain, &stored, &cause) == 0) {
		puts("Login Succeeded");
		return 0;
	}
	if (mvm_error_code(cause) == MVM_ERR_INTERRUPTED)
		return mvm_error_move(err, &cause);
	if (mvm_error_code(cause) == MVM_ERR_AUTH)
		fputs("Stored credentials invalid or expired\n", stderr);
	else
		fprintf(stderr, "Login did not succeed, error: %s\n", mvm_error_message(cause));
	return 1;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;
	struct mvm_credential credential MVM_CLEAN_CREDENTIAL = {0};
	char *domain MVM_CLEAN_FREE = mvm_credentials_domain(args[0]);
	char *existing MVM_CLEAN_FREE = NULL;
	int result;

	if (check_options(values, err) < 0)
		return -1;
	if (values->password)
		fputs("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n", stderr);
	result = try_stored(values, domain, &existing, err);
	if (result <= 0)
		return result;
	if (fill(values, domain, existing, &credential, err) < 0 || verify(domain, &credential, err) < 0)
		return -1;
	return keep(domain, &credential, err);
}

const struct cli_command cli_login = {
	.name = "login",
	.usage = "[OPTIONS] [SERVER]",
	.summary = "Authenticate to a registry; to Docker Hub where no server is named",
	.options = options,
	.max_args = 1,
	.values_size = sizeof(struct values),
	.common = true,
	.run = run,
};
