#include "cli.h"

int cli_for_each(char **args,
		 int (*action)(struct mvm_engine *engine, const char *arg, void *context, struct mvm_error **err),
		 void *context, struct mvm_error **err)
{
	struct mvm_engine *engine;
	int result = 0;

	if (mvm_engine_open(&engine, err) < 0)
		return -1;
	for (; *args; args++) {
		struct mvm_error *local = NULL;

		if (action(engine, *args, context, &local) == 0)
			continue;
		/* The last failure is main()'s to print, so that each is printed once. */
		if (*err)
			cli_print_error(*err);
		mvm_error_clear(err);
		*err = local;
		result = -1;
	}
	mvm_engine_close(engine);
	return result;
}
