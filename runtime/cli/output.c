#include "cli.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/io.h"

/* Docker's rules. Whether it can be written is seen when it is. */
static int check_path(const char *path, struct mvm_error **err)
{
	char *folder MVM_CLEAN_FREE = mvm_strdup(path);
	char *slash = strrchr(folder, '/');
	struct stat info;

	if (slash)
		slash[slash == folder] = '\0';
	if (slash && stat(folder, &info) < 0 && errno == ENOENT)
		return mvm_fail(err, MVM_ERR_INVALID, "invalid output path: directory \"%s\" does not exist", folder);
	if (stat(path, &info) < 0)
		return 0;
	if (S_ISDIR(info.st_mode))
		return mvm_fail(err, MVM_ERR_INVALID, "invalid output path: \"%s\" is a directory", path);
	if (!S_ISREG(info.st_mode))
		return mvm_fail(err, MVM_ERR_INVALID, "invalid output path: \"%s\" must be a regular file", path);
	return 0;
}

int cli_write_output(const char *path, int (*write)(void *arg, int fd, struct mvm_error **err), void *arg,
		     struct mvm_error **err)
{
	struct mvm_new_file file MVM_CLEAN_NEW_FILE = MVM_NEW_FILE;

	if (!path && isatty(STDOUT_FILENO))
		return mvm_fail(err, MVM_ERR_INVALID,
				"cowardly refusing to save to a terminal. Use the -o flag or redirect");
	if (!path)
		return write(arg, STDOUT_FILENO, err);
	if (check_path(path, err) < 0 || mvm_new_file_open(path, 0600, &file, err) < 0 || write(arg, file.fd, err) < 0)
		return -1;
	return mvm_new_file_commit(&file, err);
}
