#include "paths.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif

#include "error.h"
#include "io.h"
#include "mem.h"

#ifdef __APPLE__
#define HOME_FOLDER  "Library/Application Support/mvm"
#define CACHE_FOLDER "Library/Caches/mvm"
#else
#define HOME_FOLDER  ".local/share/mvm"
#define CACHE_FOLDER ".cache/mvm"
#endif

static const char *set_variable(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static int under_home(const char *relative, char **path, struct mvm_error **err)
{
	const char *home = set_variable("HOME");

	if (!home)
		return mvm_fail(err, MVM_ERR_NOT_FOUND,
				"HOME is not set; set it, or MVM_HOME, MVM_CONFIG and XDG_CACHE_HOME");
	*path = mvm_format("%s/%s", home, relative);
	return 0;
}

static int absolute(const char *given, char **path, struct mvm_error **err)
{
	char folder[PATH_MAX];

	if (*given == '/') {
		*path = mvm_strdup(given);
		return 0;
	}
	if (!getcwd(folder, sizeof(folder)))
		return mvm_fail_errno(err, errno, "current folder");
	*path = mvm_format("%s/%s", folder, given);
	return 0;
}

int mvm_home(char **path, struct mvm_error **err)
{
	const char *given = set_variable("MVM_HOME");

	return given ? absolute(given, path, err) : under_home(HOME_FOLDER, path, err);
}

int mvm_cache_folder(char **path, struct mvm_error **err)
{
#ifndef __APPLE__
	const char *given = set_variable("XDG_CACHE_HOME");

	if (given && *given == '/') {
		*path = mvm_format("%s/mvm", given);
		return 0;
	}
#endif
	return under_home(CACHE_FOLDER, path, err);
}

int mvm_config_path(char **path, struct mvm_error **err)
{
	const char *given = set_variable("MVM_CONFIG");

	return given ? absolute(given, path, err) : under_home(".config/mvm/config.json", path, err);
}

/* FNV-1a: the name only has to keep homes apart, and sockets need short paths. */
static uint64_t hash_text(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
	return hash;
}

static int private_folder(const char *path, struct mvm_error **err)
{
	struct stat st;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return mvm_fail_errno(err, errno, "cannot make the folder for sockets %s", path);
	if (lstat(path, &st) < 0)
		return mvm_fail_errno(err, errno, "%s", path);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077))
		return mvm_fail(err, MVM_ERR_CONFLICT,
				"%s is not a private folder of yours (mode 0700); remove it, or set XDG_RUNTIME_DIR to "
				"one that is",
				path);
	return 0;
}

/* One that a login left behind, or that is another user's after su, is as good as none. */
static const char *session_folder(void)
{
	const char *folder = set_variable("XDG_RUNTIME_DIR");
	struct stat st;

	if (!folder || *folder != '/' || stat(folder, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid())
		return NULL;
	return folder;
}

int mvm_runtime_folder(const char *home, char **path, struct mvm_error **err)
{
	const char *base = session_folder();
	/* However it was written: two spellings of one home must meet at the same sockets. */
	char *canonical MVM_CLEAN_FREE = realpath(home, NULL);
	char *parent MVM_CLEAN_FREE =
		base ? mvm_format("%s/mvm", base) : mvm_format("/tmp/mvm-%u", (unsigned)geteuid());
	char *folder MVM_CLEAN_FREE =
		mvm_format("%s/%08x", parent, (unsigned)(hash_text(canonical ? canonical : home) >> 32));

	if (private_folder(parent, err) < 0 || private_folder(folder, err) < 0)
		return -1;
	*path = folder;
	folder = NULL;
	return 0;
}

static char *executable_path(void)
{
	char path[PATH_MAX];
#ifdef __APPLE__
	uint32_t size = sizeof(path);

	if (_NSGetExecutablePath(path, &size) != 0)
		return NULL;
	return realpath(path, NULL);
#else
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	return n < 0 ? NULL : mvm_strndup(path, (size_t)n);
#endif
}

int mvm_own_file(const char *name, char **path, struct mvm_error **err)
{
	static const char *const places[] = {"", "/../lib/mvm", "/.."};
	char *self MVM_CLEAN_FREE = executable_path();
	char *slash = self ? strrchr(self, '/') : NULL;

	if (!slash)
		return mvm_fail(err, MVM_ERR_INTERNAL, "cannot tell where this program is");
	*slash = '\0';
	for (size_t i = 0; i < MVM_COUNT(places); i++) {
		char *candidate = mvm_format("%s%s/%s", self, places[i], name);

		if (access(candidate, R_OK) == 0) {
			*path = candidate;
			return 0;
		}
		free(candidate);
	}
	return mvm_fail(err, MVM_ERR_NOT_FOUND, "%s is missing beside %s/mvm; build or install mvm again", name, self);
}
