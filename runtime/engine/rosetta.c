/*
 * Rosetta, macOS's translator of amd64 programs. The supervisor's program knows whether it is there, and has the system
 * install it, which nobody gets who has not said so.
 */
#include <string.h>

#include "internal.h"
#include "runtime/base/error.h"
#include "runtime/base/spawn.h"

/* A download, and a window of macOS's that asks. */
enum { ASK_SECONDS = 20, INSTALL_SECONDS = 3600 };

static int ask(bool install, enum mvm_rosetta *state, struct mvm_error **err)
{
	char *argv[] = {(char *)"mvm-supervisor", (char *)"rosetta", install ? (char *)"install" : NULL, NULL};
	char *program MVM_CLEAN_FREE = NULL, *text MVM_CLEAN_FREE = NULL;
	int status;

	if (mvm_backend_program(&program, err) < 0 ||
	    mvm_spawn_output(program, argv, NULL, install ? INSTALL_SECONDS : ASK_SECONDS, &text, &status, err) < 0)
		return -1;
	text[strcspn(text, "\n")] = '\0';
	if (status == 0 && mvm_rosetta_parse(text, state) == 0)
		return 0;
	return mvm_fail(err, MVM_ERR_MACHINE, "%s", *text ? text : "nothing is known of Rosetta");
}

int mvm_engine_rosetta(enum mvm_rosetta *state, struct mvm_error **err)
{
	*state = MVM_ROSETTA_UNSUPPORTED;
	return mvm_backend_knows_rosetta() ? ask(false, state, err) : 0;
}

int engine_find_rosetta(const struct mvm_create_request *request, const char *architecture, struct mvm_error **err)
{
	enum mvm_rosetta state;

	if (mvm_engine_rosetta(&state, err) < 0)
		return -1;
	if (state == MVM_ROSETTA_NOT_INSTALLED && request->install_rosetta && request->install_rosetta(architecture) &&
	    ask(true, &state, err) < 0)
		return -1;
	if (state != MVM_ROSETTA_NOT_INSTALLED)
		return state == MVM_ROSETTA_INSTALLED ? 0 : 1;
	return mvm_fail(err, MVM_ERR_NOT_FOUND,
			"%s programs need Rosetta, which is not installed: `softwareupdate --install-rosetta` does it, "
			"or mvm where you say y to its question on a terminal",
			architecture);
}
