/*
 * The share with what stands in for Rosetta: a second device of QEMU's, shown by a virtiofsd of its own, for mvm-share
 * has no tree but that of numbers. It needs root, as virtiofsd does by itself.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"
#include "runtime/base/paths.h"
#include "runtime/base/spawn.h"

enum { SERVER_SOCKET = 3 };

static int listen_at(const char *path, struct mvm_error **err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		return mvm_fail(err, MVM_ERR_INVALID, "the path %s is too long for a socket", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	unlink(path);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 1) == 0)
		return fd;
	mvm_close(&fd);
	return mvm_fail_errno(err, errno, "cannot listen at %s", path);
}

static int serve(struct machine *machine, int listening, struct mvm_error **err)
{
	const struct mvm_spawn_fd fds[] = {{STDERR_FILENO, STDERR_FILENO}, {listening, SERVER_SOCKET}};
	struct mvm_spawn child = {.fds = fds, .fd_count = MVM_COUNT(fds), .new_session = true, .die_with_parent = true};
	char *program MVM_CLEAN_FREE = NULL;
	struct mvm_strv argv MVM_CLEAN_STRV = {0};

	if (mvm_share_server_find(&program, err) < 0)
		return -1;
	mvm_strv_add(&argv, program);
	mvm_strv_addf(&argv, "--fd=%d", SERVER_SOCKET);
	mvm_strv_add(&argv, "-o");
	mvm_strv_addf(&argv, "source=%s,sandbox=namespace,log_level=warn", machine->rosetta_folder);
	child.program = program;
	child.argv = argv.items;
	return mvm_spawn(&child, &machine->rosetta_pid, err);
}

int rosetta_start(struct machine *machine, struct mvm_error **err)
{
	char *home MVM_CLEAN_FREE = NULL, *runtime MVM_CLEAN_FREE = NULL;
	int listening MVM_CLEAN_FD = -1;

	if (!machine->rosetta_tag)
		return 0;
	if (mvm_home(&home, err) < 0 || mvm_runtime_folder(home, &runtime, err) < 0)
		return -1;
	machine->rosetta_socket = mvm_format("%s/rosetta-%d", runtime, (int)getpid());
	listening = listen_at(machine->rosetta_socket, err);
	return listening < 0 ? -1 : serve(machine, listening, err);
}

void rosetta_add_args(const struct machine *machine, struct mvm_strv *argv)
{
	if (!machine->rosetta_tag)
		return;
	mvm_strv_add(argv, "-chardev");
	mvm_strv_addf(argv, "socket,id=rosetta,path=%s", machine->rosetta_socket);
	mvm_strv_add(argv, "-device");
	mvm_strv_addf(argv, "vhost-user-fs-pci,chardev=rosetta,tag=%s", machine->rosetta_tag);
}

void rosetta_finish(struct machine *machine)
{
	if (machine->rosetta_pid > 0)
		kill(machine->rosetta_pid, SIGKILL);
	if (machine->rosetta_socket)
		unlink(machine->rosetta_socket);
	free(machine->rosetta_socket);
}
