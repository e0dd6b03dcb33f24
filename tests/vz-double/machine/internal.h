/*
 * mvm-vz-double-machine: one machine of the Virtualization.framework double. Not a part of mvm: a stand-in for the
 * process in which macOS has a machine, made of QEMU, mvm-vsock and virtiofsd.
 *
 * Runs on one loop; ends with the framework's end of the channel, and takes what it started along.
 */
#ifndef VZ_DOUBLE_MACHINE_H
#define VZ_DOUBLE_MACHINE_H

#include <stdbool.h>

#include "runtime/backend/backend.h"
#include "runtime/backend/qemu/qmp.h"
#include "runtime/base/json.h"
#include "runtime/base/loop.h"
#include "runtime/vsock/vsock.h"
#include "share/server.h"
#include "tests/vz-double/wire.h"

enum { DISKS_MAX = 26, SHARES_MAX = 1 };

struct machine {
	struct mvm_loop *loop;
	json_t *description;
	struct mvm_machine_spec spec;
	struct mvm_machine_disk disks[DISKS_MAX];
	struct mvm_machine_nic nics[MVM_MACHINE_NICS_MAX];
	struct mvm_vsock *vsock;
	struct mvm_shares shares;
	struct mvm_share_server *share_server;
	/* What stands in for Rosetta: NULL where the machine has none. */
	const char *rosetta_tag, *rosetta_folder;
	char *rosetta_socket; /* its server listens there */
	pid_t rosetta_pid;
	int console_in, console_out; /* of the framework; -1: none */
	/* QEMU */
	pid_t pid;
	int qmp_fd, console_fd;
	struct mvm_watch *console_watch, *input_watch;
	struct qmp qmp;
	bool running, told; /* told: why it ends */
	bool stopping;
};

/* To the framework. `fd`: -1 for none; it stays the caller's. */
void machine_say(enum wire_type type, uint32_t id, uint32_t port, int fd);
/* What broke, and the end. */
void machine_break(struct machine *machine, const char *text);

/* spec.c: from the description to the spec. */
int machine_read_spec(struct machine *machine, const char *text, struct mvm_error **err);

/* rosetta.c */
int rosetta_start(struct machine *machine, struct mvm_error **err);
void rosetta_add_args(const struct machine *machine, struct mvm_strv *argv);
void rosetta_finish(struct machine *machine);

/* qemu.c */
int qemu_start(struct machine *machine, struct mvm_error **err);
/* `arguments` is taken. */
void qemu_command(struct machine *machine, const char *command, json_t *arguments);

#endif
