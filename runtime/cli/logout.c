#include "cli.h"
#include "image/credentials.h"

static const struct cli_option options[] = {CLI_OPTIONS_END};

/* As docker's: what could not be erased is a warning. */
static int run(const void *given, char **args, struct mvm_error **err)
{
	char *domain MVM_CLEAN_FREE = mvm_credentials_domain(args[0]);
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;

	printf("Removing login credentials for %s\n", args[0] ? domain : "https://index.docker.io/v1/");
	if (mvm_credentials_erase(domain, &cause) < 0)
		fprintf(stderr, "WARNING: could not erase credentials:\n%s: %s\n", domain, mvm_error_message(cause));
	return 0;
}

const struct cli_command cli_logout = {
	.name = "logout",
	.usage = "[SERVER]",
	.summary = "Forget the credentials for a registry",
	.options = options,
	.max_args = 1,
	.values_size = 1,
	.common = true,
	.run = run,
};
