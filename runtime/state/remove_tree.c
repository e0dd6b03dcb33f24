#include <unistd.h>

#include "internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"
#include "runtime/base/paths.h"
#include "runtime/base/spawn.h"

/* Millions of files take their time. */
enum { REMOVAL_SECONDS = 3600 };

int state_remove_tree(const char *path, struct mvm_error **err)
{
	char *argv[] = {(char *)"mvm-share", (char *)"remove", (char *)path, NULL};
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	char *program MVM_CLEAN_FREE = NULL, *said MVM_CLEAN_FREE = NULL;
	int status;

	if (mvm_remove_tree(path, &cause) == 0)
		return 0;
	if (geteuid() == 0 || mvm_own_file("mvm-share", &program, NULL) < 0)
		return mvm_error_move(err, &cause);
	if (mvm_spawn_output(program, argv, NULL, REMOVAL_SECONDS, &said, &status, err) < 0)
		return -1;
	if (status == 0)
		return 0;
	return *said ? mvm_fail(err, MVM_ERR_IO, "%s", said) : mvm_error_move(err, &cause);
}
