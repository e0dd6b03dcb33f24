/*
 * `system install-service` and `system uninstall-service`: the file that has the host run `mvm system start` after a
 * boot, and its link among what the user's session starts. Both may be done twice.
 *
 * A home other than the usual gets a service of its own, under another name, so that several can be there at once.
 */
#include "cli.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/paths.h"
#include "runtime/base/spawn.h"
#include "service_file.h"

static const struct cli_option options[] = {CLI_OPTIONS_END};

#ifdef __APPLE__
#define SERVICES "Library/LaunchAgents"
#else
#define SERVICES ".config/systemd/user"
#endif

/* What is the same at the boot as it is now. */
static void note_environment(struct mvm_strv *environment, const char *home, const char *config)
{
	static const char *const others[] = {"MVM_KERNEL", "MVM_ACCEL"};
	const char *value;

	if ((value = getenv("MVM_HOME")) && *value)
		mvm_strv_addf(environment, "MVM_HOME=%s", home);
	if ((value = getenv("MVM_CONFIG")) && *value)
		mvm_strv_addf(environment, "MVM_CONFIG=%s", config);
	for (size_t i = 0; i < MVM_COUNT(others); i++)
		if ((value = getenv(others[i])) && *value)
			mvm_strv_addf(environment, "%s=%s", others[i], value);
}

/* The folder for sockets is called by the home's hash. */
static int service_name(const char *home, char **name, struct mvm_error **err)
{
	const char *given = getenv("MVM_HOME");
	char *folder MVM_CLEAN_FREE = NULL;

	if (!given || !*given) {
		*name = mvm_strdup("mvm");
		return 0;
	}
	if (mvm_runtime_folder(home, &folder, err) < 0)
		return -1;
	*name = mvm_format("mvm-%s", strrchr(folder, '/') + 1);
	return 0;
}

static int services_folder(char **folder, struct mvm_error **err)
{
	const char *home = getenv("HOME");
#ifndef __APPLE__
	const char *config = getenv("XDG_CONFIG_HOME");

	if (config && *config == '/') {
		*folder = mvm_format("%s/systemd/user", config);
		return 0;
	}
#endif
	if (!home || !*home)
		return mvm_fail(err, MVM_ERR_NOT_FOUND, "HOME is not set, and the service's file is below it");
	*folder = mvm_format("%s/" SERVICES, home);
	return 0;
}

struct service {
	char *home, *name, *folder, *path;
};

static void service_finish(struct service *service)
{
	free(service->home);
	free(service->name);
	free(service->folder);
	free(service->path);
}
#define CLEAN_SERVICE __attribute__((cleanup(service_finish)))

static int service_init(struct service *service, struct mvm_error **err)
{
	if (mvm_home(&service->home, err) < 0)
		return -1;
	/* It may be named before it is used, and its name hangs on its path. */
	if (mvm_make_folders(service->home, err) < 0 || service_name(service->home, &service->name, err) < 0 ||
	    services_folder(&service->folder, err) < 0)
		return -1;
#ifdef __APPLE__
	service->path = mvm_format("%s/%s.plist", service->folder, service->name);
#else
	service->path = mvm_format("%s/%s.service", service->folder, service->name);
#endif
	return 0;
}

static int service_text(const struct service *service, char **text, struct mvm_error **err)
{
	struct mvm_strv environment MVM_CLEAN_STRV = {0};
	char *program MVM_CLEAN_FREE = NULL, *config MVM_CLEAN_FREE = NULL;
	struct service_file file = {.name = service->name, .environment = &environment};

	if (mvm_own_file("mvm", &program, err) < 0 || mvm_config_path(&config, err) < 0)
		return -1;
	note_environment(&environment, service->home, config);
	file.program = program;
#ifdef __APPLE__
	return service_plist(&file, text, err);
#else
	return service_unit(&file, text, err);
#endif
}

/* Whether the command was there and has succeeded; it says nothing to the user. */
static bool succeeds(const char *program, const char *const *words)
{
	char *path MVM_CLEAN_FREE = NULL;
	const struct mvm_spawn spawn = {.program = program, .argv = (char *const *)words};
	int status;
	pid_t pid;

	if (mvm_find_program(program, &path, NULL) < 0 || mvm_spawn(&spawn, &pid, NULL) < 0)
		return false;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

#ifdef __APPLE__

static int enable(const struct service *service, struct mvm_error **err)
{
	fputs("mvm: it takes effect at your next login\n", stderr);
	return 0;
}

static int disable(const struct service *service, struct mvm_error **err)
{
	char *target MVM_CLEAN_FREE = mvm_format("gui/%u/%s", (unsigned)getuid(), service->name);

	succeeds("launchctl", (const char *const[]){"launchctl", "bootout", target, NULL});
	return 0;
}

#else

static char *link_path(const struct service *service)
{
	return mvm_format("%s/default.target.wants/%s.service", service->folder, service->name);
}

/* What `systemctl --user enable` does, for where there is no user manager to be asked. */
static int link_service(const struct service *service, struct mvm_error **err)
{
	char *folder MVM_CLEAN_FREE = mvm_format("%s/default.target.wants", service->folder);
	char *link MVM_CLEAN_FREE = link_path(service);

	if (mvm_make_folders(folder, err) < 0)
		return -1;
	if (symlink(service->path, link) < 0 && errno != EEXIST)
		return mvm_fail_errno(err, errno, "%s", link);
	return 0;
}

static bool lingers(void)
{
	const struct passwd *user = getpwuid(getuid());
	char *path MVM_CLEAN_FREE = mvm_format("/var/lib/systemd/linger/%s", user ? user->pw_name : "");

	return user && access(path, F_OK) == 0;
}

static int enable(const struct service *service, struct mvm_error **err)
{
	char *unit MVM_CLEAN_FREE = mvm_format("%s.service", service->name);

	if (!succeeds("systemctl", (const char *const[]){"systemctl", "--user", "daemon-reload", NULL}) ||
	    !succeeds("systemctl", (const char *const[]){"systemctl", "--user", "enable", unit, NULL})) {
		if (link_service(service, err) < 0)
			return -1;
		fputs("mvm: systemd's user manager does not answer; the service is enabled for when it runs\n", stderr);
	}
	if (!lingers())
		fputs("mvm: it starts at your first login after a boot; 'loginctl enable-linger' makes it start "
		      "without one\n",
		      stderr);
	return 0;
}

static int disable(const struct service *service, struct mvm_error **err)
{
	char *unit MVM_CLEAN_FREE = mvm_format("%s.service", service->name);
	char *link MVM_CLEAN_FREE = link_path(service);

	succeeds("systemctl", (const char *const[]){"systemctl", "--user", "disable", unit, NULL});
	if (unlink(link) < 0 && errno != ENOENT)
		return mvm_fail_errno(err, errno, "%s", link);
	return 0;
}

#endif

static int install(const void *given, char **args, struct mvm_error **err)
{
	struct service service CLEAN_SERVICE = {0};
	char *text MVM_CLEAN_FREE = NULL;

	if (service_init(&service, err) < 0 || service_text(&service, &text, err) < 0 ||
	    mvm_make_folders(service.folder, err) < 0 ||
	    mvm_replace_file(service.path, text, strlen(text), 0644, err) < 0 || enable(&service, err) < 0)
		return -1;
	puts(service.path);
	return 0;
}

/* What runs goes on. */
static int uninstall(const void *given, char **args, struct mvm_error **err)
{
	struct service service CLEAN_SERVICE = {0};

	if (service_init(&service, err) < 0 || disable(&service, err) < 0)
		return -1;
	if (unlink(service.path) < 0 && errno != ENOENT)
		return mvm_fail_errno(err, errno, "%s", service.path);
#ifndef __APPLE__
	succeeds("systemctl", (const char *const[]){"systemctl", "--user", "daemon-reload", NULL});
#endif
	return 0;
}

const struct cli_command cli_system_install_service = {
	.name = "system install-service",
	.usage = "",
	.summary = "Have containers with a restart policy started after a boot",
	.options = options,
	.values_size = 1,
	.run = install,
};

const struct cli_command cli_system_uninstall_service = {
	.name = "system uninstall-service",
	.usage = "",
	.summary = "Take that back",
	.options = options,
	.values_size = 1,
	.run = uninstall,
};
