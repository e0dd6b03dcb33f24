/*
 * Machines: containers that a user lives in. What makes one is in how it is made; from then on it is a container like
 * others. Its first program is ours (machine-boot.sh), at each start: it gives the user an account, whatever image
 * this is, and becomes the image's init.
 */
#include "internal.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "machine_boot.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/text.h"

enum {
	NAME_MAX_LENGTH = 256,
	FRESH_SECONDS = 60, /* after its start its account may not be there yet */
};

/* --- the user --- */

static int find_login(struct mvm_login *login, struct mvm_error **err)
{
	const struct passwd *user = getpwuid(getuid());
	const char *home = getenv("HOME");

	if (!user)
		return mvm_fail(err, MVM_ERR_NOT_FOUND,
				"the user %u of this host has no name; it is not in /etc/passwd", (unsigned)getuid());
	home = home && *home == '/' ? home : user->pw_dir;
	if (access(home, R_OK | X_OK) < 0)
		return mvm_fail_errno(err, errno, "cannot share the home folder %s", home);
	login->user = mvm_strdup(user->pw_name);
	login->uid = user->pw_uid;
	login->gid = user->pw_gid;
	login->home = mvm_strdup(home);
	return 0;
}

static void add_group(gid_t gid, struct mvm_strv *words)
{
	const struct group *group = getgrgid(gid);

	if (group && group->gr_name)
		mvm_strv_addf(words, "%s:%u", group->gr_name, (unsigned)gid);
	else
		mvm_strv_addf(words, "host-%u:%u", (unsigned)gid, (unsigned)gid);
}

static void add_groups(const struct mvm_login *login, struct mvm_strv *words)
{
	int count = getgroups(0, NULL);
	gid_t *groups MVM_CLEAN_FREE = mvm_alloc((size_t)(count < 0 ? 0 : count) * sizeof(*groups) + 1);

	add_group((gid_t)login->gid, words);
	count = count > 0 ? getgroups(count, groups) : 0;
	for (int i = 0; i < count; i++)
		if (groups[i] != (gid_t)login->gid)
			add_group(groups[i], words);
}

/* --- what it is made of --- */

struct made {
	struct mvm_login login;
	struct mvm_strv entrypoint, command, env, tmpfs, mounts;
	struct mvm_health_check no_check;
};

static void made_finish(struct made *made)
{
	free(made->login.user);
	free(made->login.home);
	mvm_strv_finish(&made->entrypoint);
	mvm_strv_finish(&made->command);
	mvm_strv_finish(&made->env);
	mvm_strv_finish(&made->tmpfs);
	mvm_strv_finish(&made->mounts);
	mvm_strv_finish(&made->no_check.test);
}

static void set_command(struct made *made)
{
	mvm_strv_add(&made->entrypoint, "/bin/sh");
	mvm_strv_add(&made->command, "-c");
	mvm_strv_add(&made->command, machine_boot);
	mvm_strv_add(&made->command, "mvm-machine");
	mvm_strv_add(&made->command, made->login.user);
	mvm_strv_addf(&made->command, "%lld", (long long)made->login.uid);
	mvm_strv_addf(&made->command, "%lld", (long long)made->login.gid);
	mvm_strv_add(&made->command, made->login.home);
	add_groups(&made->login, &made->command);
}

/* What the machine has itself would be hidden by the host's. */
static bool is_the_systems(const char *path)
{
	static const char *const folders[] = {"/bin",  "/boot", "/dev",	 "/etc", "/lib", "/lib64",
					      "/proc", "/run",	"/sbin", "/sys", "/usr", "/var"};

	for (size_t i = 0; i < MVM_COUNT(folders); i++)
		if (mvm_is_within(path, folders[i]))
			return true;
	return !strcmp(path, "/");
}

static void share_in_place(struct made *made, const char *path)
{
	mvm_strv_addf(&made->mounts, "type=bind,\"source=%s\",\"target=%s\"", path, path);
}

static void set_mounts(struct made *made, const struct mvm_create_request *request)
{
	char *cwd MVM_CLEAN_FREE = getcwd(NULL, 0);

	for (size_t i = 0; request->mounts && i < request->mounts->count; i++)
		mvm_strv_add(&made->mounts, request->mounts->items[i]);
	share_in_place(made, made->login.home);
	if (cwd && !mvm_is_within(cwd, made->login.home) && !mvm_is_within(made->login.home, cwd) &&
	    !is_the_systems(cwd))
		share_in_place(made, cwd);
}

static int prepare(const struct mvm_create_request *given, struct made *made, struct mvm_create_request *request,
		   struct mvm_error **err)
{
	const char *agent = getenv("SSH_AUTH_SOCK");

	if (find_login(&made->login, err) < 0)
		return -1;
	set_command(made);
	set_mounts(made, given);
	for (size_t i = 0; given->env && i < given->env->count; i++)
		mvm_strv_add(&made->env, given->env->items[i]);
	/* By this systemd knows that the kernel is not its to care for. */
	mvm_strv_add(&made->env, "container=mvm");
	mvm_strv_add(&made->tmpfs, "/run:exec,mode=755");
	mvm_strv_add(&made->no_check.test, "NONE");
	*request = *given;
	request->name = given->name ? given->name : ENGINE_DEFAULT_MACHINE;
	request->hostname = request->name;
	request->entrypoint = &made->entrypoint;
	request->command = &made->command;
	request->env = &made->env;
	request->tmpfs = &made->tmpfs;
	request->mounts = &made->mounts;
	request->health_check = &made->no_check;
	request->login = &made->login;
	request->user = "0:0";
	request->working_dir = "/";
	request->stop_signal = "SIGRTMIN+3"; /* systemd's for powering off */
	request->privileged = true;
	request->ssh = agent && *agent == '/';
	return 0;
}

int mvm_engine_create_machine(struct mvm_engine *engine, const struct mvm_create_request *given,
			      struct mvm_container **container, struct mvm_error **err)
{
	struct made made __attribute__((cleanup(made_finish))) = {0};
	struct mvm_create_request request;
	int lock MVM_CLEAN_FD = -1;

	if (prepare(given, &made, &request, err) < 0)
		return -1;
	return mvm_engine_create(engine, &request, container, &lock, err);
}

/* --- which one is meant --- */

static char *default_path(struct mvm_engine *engine)
{
	return mvm_format("%s/default-machine", mvm_state_home(mvm_engine_state(engine)));
}

int mvm_engine_list_machines(struct mvm_engine *engine, struct mvm_container ***list, size_t *count,
			     struct mvm_error **err)
{
	struct mvm_strv damaged MVM_CLEAN_STRV = {0};
	size_t all, kept = 0;

	if (mvm_state_list_readable(mvm_engine_state(engine), list, &all, &damaged, err) < 0)
		return -1;
	for (size_t i = 0; i < all; i++) {
		struct mvm_container *each = (*list)[i];

		if (each->config.login.user)
			(*list)[kept++] = each;
		else
			mvm_container_free(each);
	}
	*count = kept;
	return 0;
}

static int find_by_name(struct mvm_engine *engine, const char *name, struct mvm_container **container,
			struct mvm_error **err)
{
	struct mvm_container *found MVM_CLEAN_CONTAINER = NULL;

	if (mvm_state_find(mvm_engine_state(engine), name, &found, NULL) < 0)
		return mvm_fail(err, MVM_ERR_NOT_FOUND, "No such machine: %s; 'mvm machine ls' shows what there is",
				name);
	if (!found->config.login.user)
		return mvm_fail(err, MVM_ERR_INVALID,
				"%s is a container and no machine; 'mvm exec' runs programs in it", name);
	*container = found;
	found = NULL;
	return 0;
}

static int find_only(struct mvm_engine *engine, struct mvm_container **container, struct mvm_error **err)
{
	struct mvm_container **list;
	size_t count;

	if (mvm_engine_list_machines(engine, &list, &count, err) < 0)
		return -1;
	if (count == 1) {
		*container = list[0];
		mvm_container_list_free(list, 0);
		return 0;
	}
	mvm_container_list_free(list, count);
	return mvm_fail(
		err, MVM_ERR_NOT_FOUND,
		count ? "there are several machines, and none is the default; name one, or choose by 'mvm machine "
			"default NAME'"
		      : "there is no machine; make one by 'mvm machine create IMAGE', such as debian");
}

int mvm_engine_find_machine(struct mvm_engine *engine, const char *name, struct mvm_container **container,
			    struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = NULL, *chosen MVM_CLEAN_FREE = NULL;

	if (name)
		return find_by_name(engine, name, container, err);
	path = default_path(engine);
	if (mvm_read_file(path, NAME_MAX_LENGTH, &chosen, NULL, NULL) == 0 &&
	    find_by_name(engine, chosen, container, NULL) == 0)
		return 0;
	if (find_by_name(engine, ENGINE_DEFAULT_MACHINE, container, NULL) == 0)
		return 0;
	return find_only(engine, container, err);
}

int mvm_engine_set_default_machine(struct mvm_engine *engine, const char *name, struct mvm_error **err)
{
	struct mvm_container *machine MVM_CLEAN_CONTAINER = NULL;
	char *path MVM_CLEAN_FREE = default_path(engine);

	if (find_by_name(engine, name, &machine, err) < 0)
		return -1;
	return mvm_replace_file(path, machine->config.name, strlen(machine->config.name), 0600, err);
}

/* --- ready --- */

/* Its first program says so in a file, soon after its start. */
static int wait_for_account(struct mvm_engine *engine, const char *id, struct mvm_error **err)
{
	static const char *const words[] = {"/bin/sh", "-c", "until [ -e /run/mvm-machine ]; do sleep 0.02; done"};
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_strv command MVM_CLEAN_STRV = {0};
	const struct mvm_exec_request request = {.command = &command, .user = "0:0", .working_dir = "/"};
	struct mvm_exec exec;
	char byte;

	for (size_t i = 0; i < MVM_COUNT(words); i++)
		mvm_strv_add(&command, words[i]);
	if (mvm_state_find(mvm_engine_state(engine), id, &container, err) < 0 ||
	    mvm_engine_exec(engine, container, &request, &exec, err) < 0)
		return -1;
	/* Its output ends with it. */
	while (read(exec.streams[1], &byte, 1) > 0)
		;
	mvm_exec_finish(&exec);
	return 0;
}

int mvm_engine_ready_machine(struct mvm_engine *engine, const struct mvm_container *container,
			     void (*notice)(void *arg, const json_t *event), struct mvm_error **err)
{
	const char *id = container->config.id;
	bool runs = container->state.status == MVM_STATUS_RUNNING;

	if (runs && time(NULL) - container->state.started.tv_sec > FRESH_SECONDS)
		return 0;
	if (!runs && mvm_engine_start(engine, id, notice, err) < 0)
		return -1;
	return wait_for_account(engine, id, err);
}
