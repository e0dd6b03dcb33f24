#include "compose_change.h"

#include "compose_board.h"

#define STATUS_USAGE	   125
#define STATUS_INTERRUPTED 130

int cli_parse_timeout(const char *text, struct mvm_compose_timeout *timeout, struct mvm_error **err)
{
	timeout->given = text != NULL;
	return cli_parse_number("timeout", text, &timeout->seconds, err);
}

int cli_compose_status(const struct mvm_error *err)
{
	switch (mvm_error_code(err)) {
	case MVM_ERR_INTERRUPTED:
		return STATUS_INTERRUPTED;
	case MVM_ERR_USAGE:
		return STATUS_USAGE;
	default:
		return 1;
	}
}

static int load_project(struct mvm_compose_options *load, bool files, struct mvm_compose **compose, char **name,
			struct mvm_error **err)
{
	if (!files)
		return cli_compose_project_or_name(load, compose, name, err);
	if (cli_compose_load(load, compose, err) < 0)
		return -1;
	*name = mvm_strdup(mvm_compose_name(*compose));
	return 0;
}

int cli_compose_change(struct mvm_compose_options *load, bool files, char **services, cli_change_fn fn,
		       const void *context, struct mvm_error **err)
{
	struct cli_board *board CLEAN_BOARD = cli_board_create();
	struct mvm_compose *compose MVM_CLEAN_COMPOSE = NULL;
	char *name MVM_CLEAN_FREE = NULL;
	struct mvm_compose_project project = {.services = services, .sink = cli_board_sink(board)};
	int result;

	if (load_project(load, files, &compose, &name, err) < 0)
		return -1;
	for (char **service = services; compose && *service; service++)
		if (!mvm_compose_has_service(compose, *service))
			return mvm_fail(err, MVM_ERR_NOT_FOUND, "no such service: %s", *service);
	project.compose = compose;
	project.name = name;
	if (mvm_engine_open(&project.engine, err) < 0)
		return -1;
	result = fn(&project, context, err);
	mvm_engine_close(project.engine);
	return result;
}
