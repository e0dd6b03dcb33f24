#include "cli.h"

int cli_note_failure(struct mvm_error *error, struct mvm_error **err)
{
	/* The last one is main()'s to print, so that each is printed once. */
	if (*err)
		cli_print_error(*err);
	mvm_error_clear(err);
	*err = error;
	return -1;
}

int cli_for_each(char **args, cli_action_fn action, void *context, struct mvm_error **err)
{
	struct mvm_engine *engine;
	int result = 0;

	if (mvm_engine_open(&engine, err) < 0)
		return -1;
	for (; *args; args++) {
		struct mvm_error *local = NULL;

		if (action(engine, *args, context, &local) < 0)
			result = cli_note_failure(local, err);
	}
	mvm_engine_close(engine);
	return result;
}
