/* $MVM_HOME/version: the format of all that lies there, so that an older mvm does not take what a newer one wrote for
 * damaged. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"

/* Raised when an older mvm could not read what is written, with a step here that brings the older format to the newer.
 * A home without the file is of a time before it, and of format 1. */
#define FORMAT	    1
#define FORMAT_TEXT "1\n"

enum { FILE_MAX = 64 };

static int check(const char *home, const char *path, const char *text, struct mvm_error **err)
{
	size_t digits = strspn(text, "0123456789");
	long format = strtol(text, NULL, 10);

	if (!digits || digits > 9 || strcmp(text + digits, "\n") != 0 || !format)
		return mvm_fail(err, MVM_ERR_INVALID,
				"%s does not say which format %s has; if nothing else is wrong there, remove the file",
				path, home);
	if (format > FORMAT)
		return mvm_fail(
			err, MVM_ERR_UNSUPPORTED,
			"%s was written by a newer mvm (format %ld, and this one knows %d): use that one, or let "
			"MVM_HOME name another folder",
			home, format, FORMAT);
	return 0;
}

int state_check_version(const char *home, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/version", home);
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	char *text MVM_CLEAN_FREE = NULL;

	if (mvm_read_file(path, FILE_MAX, &text, NULL, &cause) == 0)
		return check(home, path, text, err);
	if (mvm_error_code(cause) != MVM_ERR_NOT_FOUND)
		return mvm_error_move(err, &cause);
	/* On a full disk the next command does it. */
	mvm_replace_file(path, FORMAT_TEXT, strlen(FORMAT_TEXT), 0600, NULL);
	return 0;
}
