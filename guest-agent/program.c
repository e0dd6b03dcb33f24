#include "program.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failure.h"

const char *env_get(char *const *env, const char *name)
{
	size_t length = strlen(name);
	const char *value = NULL;

	for (; env && *env; env++)
		if (strncmp(*env, name, length) == 0 && (*env)[length] == '=')
			value = *env + length + 1;
	return value;
}

bool path_next(const char **path, const char *name, char *buffer, size_t size)
{
	while (*path) {
		const char *part = *path;
		size_t length = strcspn(part, ":");

		*path = part[length] ? part + length + 1 : NULL;
		if (length + strlen(name) + 3 > size)
			continue;
		if (length == 0)
			snprintf(buffer, size, "./%s", name);
		else
			snprintf(buffer, size, "%.*s/%s", (int)length, part, name);
		return true;
	}
	return false;
}

/* 0, or the errno that says why it is no program for this user. */
static int check(const char *file)
{
	struct stat status;

	if (stat(file, &status))
		return errno;
	if (S_ISDIR(status.st_mode))
		return EISDIR;
	if (access(file, X_OK))
		return errno;
	/* For root, access() is content with any of the three bits; a file without one is none. */
	return status.st_mode & 0111 ? 0 : EACCES;
}

static int find_at(const char *name, char *buffer, size_t size, struct failure *failure)
{
	int reason = check(name);

	if (reason == 0 && strlen(name) < size) {
		strcpy(buffer, name);
		return 0;
	}
	errno = reason ? reason : ENAMETOOLONG;
	if (reason == EACCES || reason == EISDIR)
		return failure_set_errno(failure, MVM_PROTO_CANNOT_RUN, "exec: \"%.400s\"", name);
	return failure_set_errno(failure, MVM_PROTO_NO_PROGRAM, "exec: \"%.400s\": stat %.400s", name, name);
}

int program_find(const char *name, const char *path, char *buffer, size_t size, struct failure *failure)
{
	if (strchr(name, '/'))
		return find_at(name, buffer, size, failure);
	while (*name && path_next(&path, name, buffer, size))
		if (check(buffer) == 0)
			return 0;
	return failure_set(failure, MVM_PROTO_NO_PROGRAM, "exec: \"%.400s\": executable file not found in $PATH", name);
}

int program_exec(const char *file, char *const *argv, char *const *env, struct failure *failure)
{
	static char *const none[] = {NULL};

	execve(file, argv, env ? env : none);
	/* It is there, so this is its interpreter. */
	if (errno == ENOENT)
		return failure_set_errno(failure, MVM_PROTO_NO_PROGRAM, "exec %.800s", file);
	return failure_set_errno(failure, MVM_PROTO_CANNOT_RUN, "exec %.800s", file);
}
