/*
 * ssh into machines, for programs that know no other way: an sshd of the machine's is run for each connection, over the
 * streams of `mvm machine ssh-proxy`. No port is open anywhere. Who may start mvm may log in, by a key of mvm's own.
 */
#include "cli.h"

#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/paths.h"
#include "runtime/base/spawn.h"

enum { KEYGEN_SECONDS = 60, KEY_MAX = 4096 };

static const struct cli_option options[] = {
	CLI_OPTIONS_END,
};

/* The machine's own keys and what its administrator has set stay out of it, but for what sshd_config says of sessions;
 * PAM, too, which lets nobody in while systemd starts. */
static const char script[] =
	"[ -x /usr/sbin/sshd ] || {\n"
	"  echo 'mvm: there is no sshd in this machine; install one, on Debian the package openssh-server' >&2\n"
	"  exit 127\n"
	"}\n"
	"mkdir -p /run/sshd\n"
	"[ -f /etc/ssh/mvm_ed25519 ] || ssh-keygen -q -t ed25519 -N '' -C '' -f /etc/ssh/mvm_ed25519 >&2 || exit 1\n"
	"printf '%s\\n' \"$1\" >/run/mvm-ssh.pub\n"
	"exec /usr/sbin/sshd -i -o HostKey=/etc/ssh/mvm_ed25519 -o AuthorizedKeysFile=/run/mvm-ssh.pub -o UsePAM=no\n";

static int make_key(const char *folder, const char *path, struct mvm_error **err)
{
	char *argv[] = {(char *)"ssh-keygen", (char *)"-q",  (char *)"-t", (char *)"ed25519", (char *)"-N", (char *)"",
			(char *)"-C",	      (char *)"mvm", (char *)"-f", (char *)path,      NULL};
	char *lock_path MVM_CLEAN_FREE = mvm_format("%s/lock", folder), *said MVM_CLEAN_FREE = NULL;
	int lock MVM_CLEAN_FD = -1, status;

	if (mvm_make_folders(folder, err) < 0 || chmod(folder, 0700) < 0 || mvm_lock(lock_path, 0, &lock, err) < 0)
		return *err ? -1 : mvm_fail(err, MVM_ERR_IO, "cannot make %s private", folder);
	if (access(path, F_OK) == 0)
		return 0;
	if (mvm_spawn_output("ssh-keygen", argv, NULL, KEYGEN_SECONDS, &said, &status, err) < 0)
		return mvm_error_wrap(err, "a key for machines is needed (Debian: the package openssh-client)");
	return status ? mvm_fail(err, MVM_ERR_IO, "ssh-keygen has made no key: %s", said) : 0;
}

/* The private one's path, the caller's. */
static int find_key(struct mvm_engine *engine, char **path, struct mvm_error **err)
{
	char *folder MVM_CLEAN_FREE = mvm_format("%s/ssh", mvm_state_home(mvm_engine_state(engine)));

	*path = mvm_format("%s/id_ed25519", folder);
	return access(*path, F_OK) == 0 ? 0 : make_key(folder, *path, err);
}

static int print_config(struct mvm_engine *engine, const char *name, struct mvm_error **err)
{
	struct mvm_container *machine MVM_CLEAN_CONTAINER = NULL;
	char *key MVM_CLEAN_FREE = NULL, *program MVM_CLEAN_FREE = NULL;
	const char *home;

	if (mvm_engine_find_machine(engine, name, &machine, err) < 0 || find_key(engine, &key, err) < 0 ||
	    mvm_own_file("mvm", &program, err) < 0)
		return -1;
	home = mvm_state_home(mvm_engine_state(engine));
	printf("Host mvm-%s\n"
	       "  HostName %s\n"
	       "  User %s\n"
	       "  IdentityFile \"%s\"\n"
	       "  IdentitiesOnly yes\n"
	       "  ProxyCommand env \"MVM_HOME=%s\" \"%s\" machine ssh-proxy %s\n"
	       "  StrictHostKeyChecking no\n"
	       "  UserKnownHostsFile /dev/null\n"
	       "  LogLevel ERROR\n",
	       machine->config.name, machine->config.name, machine->config.login.user, key, home, program,
	       machine->config.name);
	return 0;
}

static int run_config(const void *given, char **args, struct mvm_error **err)
{
	struct mvm_engine *engine;
	int result;

	if (mvm_engine_open(&engine, err) < 0)
		return -1;
	result = print_config(engine, args[0], err);
	mvm_engine_close(engine);
	return result;
}

static int serve(struct mvm_engine *engine, const struct mvm_container *machine, void *context, struct mvm_error **err)
{
	char *key MVM_CLEAN_FREE = NULL, *public_path MVM_CLEAN_FREE = NULL, *public_key MVM_CLEAN_FREE = NULL;
	struct mvm_strv command MVM_CLEAN_STRV = {0};
	const struct mvm_exec_request request = {
		.command = &command, .user = "0:0", .working_dir = "/", .open_stdin = true};
	struct cli_detach detach = {0};
	int exit_code = 0;

	if (find_key(engine, &key, err) < 0)
		return -1;
	public_path = mvm_format("%s.pub", key);
	if (mvm_read_file(public_path, KEY_MAX, &public_key, NULL, err) < 0)
		return -1;
	public_key[strcspn(public_key, "\n")] = '\0';
	for (const char *const *word = (const char *const[]){"/bin/sh", "-c", script, "mvm-ssh", NULL}; *word; word++)
		mvm_strv_add(&command, *word);
	mvm_strv_add(&command, public_key);
	return cli_exec_in(engine, machine, &request, &detach, &exit_code, err) < 0 ? -1 : exit_code;
}

static int run_proxy(const void *given, char **args, struct mvm_error **err)
{
	return cli_in_machine(args[0], serve, NULL, err);
}

const struct cli_command cli_machine_ssh_config = {
	.name = "machine ssh-config",
	.names = {"machine ssh-config"},
	.usage = "[MACHINE]",
	.summary = "Print what ssh's configuration needs for a machine",
	.options = options,
	.max_args = 1,
	.complete = cli_complete_machine,
	.values_size = 1,
	.run = run_config,
};

const struct cli_command cli_machine_ssh_proxy = {
	.name = "machine ssh-proxy",
	.names = {"machine ssh-proxy"},
	.usage = "[MACHINE]",
	.summary = "Be an sshd of a machine's on stdin and stdout, for ssh-config",
	.options = options,
	.max_args = 1,
	.complete = cli_complete_machine,
	.values_size = 1,
	.run = run_proxy,
	.status = cli_exec_status,
};
