/*
 * The machine under the container: the vsock device's process and the backend, started together, and the
 * accelerator's fallback.
 *
 * When a machine dies, several things are noticed in any order: its process has ended, the vsock device has
 * lost it, the agent's connection is at its end. The backend knows best why, so the others wait
 * a moment for its word (machine_lost()).
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "guest-agent/proto/proto.h"
#include "network.h"
#include "publish.h"
#include "runtime/base/arch.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/state/volume.h"
#include "shares.h"
#include "sockets.h"
#include "volumes.h"

#define GUEST_CID	3
#define BACKEND_WORD_MS 500
#define BOOT_SPACE	(4u << 20)
#define HELPER_CPUS	2
#define HELPER_MEMORY	(256ULL << 20)

/* What the guest's kernel and the agent take beside the container's own limit: a fixed part, and the
 * kernel's page descriptors, which grow with the memory. */
static uint64_t machine_memory(uint64_t container)
{
	return container + (64u << 20) + container / 64;
}

static void accepted(void *arg, uint32_t port, int fd)
{
	struct supervisor *supervisor = arg;

	/* One connection each. */
	mvm_vsock_unlisten(supervisor->vsock, port);
	if (port == MVM_PROTO_CONTROL_PORT)
		agent_connected(supervisor->agent, fd);
	else if (port >= EXEC_PORT)
		execs_connected(supervisor, port, fd);
	else if (port >= ARCHIVE_PORT)
		archives_connected(supervisor, port, fd);
	else
		streams_connect(supervisor->streams, (enum stream_kind)(port - MVM_PROTO_STREAM_PORT), fd);
}

static void asked_for_socket(void *arg, uint32_t port, uint32_t id)
{
	const struct supervisor *supervisor = arg;

	sockets_asked(supervisor->sockets, port, id);
}

static void lost_timed_out(void *arg)
{
	struct supervisor *supervisor = arg;
	struct mvm_error *err = NULL;

	mvm_fail(&err, MVM_ERR_MACHINE, "%s", supervisor->lost_reason);
	supervisor_failed(supervisor, err);
	supervisor_event(supervisor, EVENT_FAILURE);
}

void machine_lost(struct supervisor *supervisor, const char *reason)
{
	mvm_log(MVM_LOG_INFO, "%s", reason);
	if (supervisor->lost_reason)
		return;
	supervisor->lost_reason = mvm_strdup(reason);
	supervisor->lost_timer = mvm_loop_timer(supervisor->loop, lost_timed_out, supervisor);
	mvm_timer_start(supervisor->lost_timer, BACKEND_WORD_MS);
}

static void forget_loss(struct supervisor *supervisor)
{
	mvm_timer_remove(supervisor->lost_timer);
	supervisor->lost_timer = NULL;
	free(supervisor->lost_reason);
	supervisor->lost_reason = NULL;
}

void machine_device_lost(struct supervisor *supervisor, const char *reason)
{
	forget_loss(supervisor);
	machine_lost(supervisor, reason);
}

static void vsock_died(void *arg, const char *reason)
{
	char *text MVM_CLEAN_FREE = mvm_format("the vsock process has died: %s", reason);

	/* The agent's connection, which went with it, may have been noticed first. */
	machine_device_lost(arg, text);
}

static void note_death(struct supervisor *supervisor, enum mvm_machine_stop reason, const char *detail)
{
	static const char *const what[] = {
		[MVM_STOP_GUEST_OFF] = "the VM switched itself off",
		[MVM_STOP_GUEST_RESET] = "the VM reset itself",
		[MVM_STOP_GUEST_PANIC] = "the VM's kernel panicked",
		[MVM_STOP_CRASHED] = "the VM died",
	};
	struct mvm_error *err = NULL;

	if (reason == MVM_STOP_KILLED || reason == MVM_STOP_ACCEL_UNUSABLE)
		return;
	mvm_fail(&err, MVM_ERR_MACHINE, "%s%s%s", what[reason], *detail ? ": " : "", detail);
	supervisor_failed(supervisor, err);
}

static void machine_stopped(void *arg, enum mvm_machine_stop reason, const char *detail)
{
	struct supervisor *supervisor = arg;

	mvm_log(MVM_LOG_INFO, "phase machine stopped %s", detail);
	forget_loss(supervisor);
	if (reason == MVM_STOP_ACCEL_UNUSABLE && supervisor->phase == PHASE_BOOTING) {
		machine_release(supervisor);
		supervisor_event(supervisor, EVENT_ACCEL_UNUSABLE);
		return;
	}
	note_death(supervisor, reason, detail);
	supervisor_event(supervisor, EVENT_MACHINE_STOPPED);
}

static void machine_running(void *arg)
{
	mvm_log(MVM_LOG_INFO, "phase machine running");
}

static void machine_notice(void *arg, const char *text)
{
	clients_notice(arg, text);
}

static void machine_paused(void *arg)
{
	supervisor_event(arg, EVENT_MACHINE_PAUSED);
}

static void machine_resumed(void *arg)
{
	supervisor_event(arg, EVENT_MACHINE_RESUMED);
}

/* A machine's own vsock device. */

static void device_listen(void *arg, uint32_t port, bool on)
{
	const struct supervisor *supervisor = arg;

	supervisor->backend->listen(supervisor->machine, port, on);
}

static void device_connect(void *arg, uint32_t port, uint32_t id)
{
	const struct supervisor *supervisor = arg;

	supervisor->backend->connect(supervisor->machine, port, id);
}

static void machine_accepted(void *arg, uint32_t port, int fd)
{
	const struct supervisor *supervisor = arg;

	mvm_vsock_accepted(supervisor->vsock, port, fd);
}

static void machine_connected(void *arg, uint32_t id, int fd, int errnum)
{
	const struct supervisor *supervisor = arg;

	mvm_vsock_answered(supervisor->vsock, id, fd, errnum);
}

static int listen_for_agent(struct supervisor *supervisor, struct mvm_error **err)
{
	if (mvm_vsock_listen(supervisor->vsock, MVM_PROTO_CONTROL_PORT, err) < 0)
		return -1;
	for (int kind = 0; !supervisor->helper && kind < STREAM_COUNT; kind++) {
		unsigned port = agent_stream_port(supervisor->agent, (enum stream_kind)kind);

		if (port && mvm_vsock_listen(supervisor->vsock, port, err) < 0)
			return -1;
	}
	return 0;
}

/* A helper boots mvm's own kernel, or what the container does where there is none. The agent is mvm's own where there
 * is one: it is the one of this version. */
static int find_boot_files(const struct supervisor *supervisor, char **kernel, char **initrd, struct mvm_error **err)
{
	const struct mvm_container_config *config = &supervisor->container->config;
	struct mvm_error *missing MVM_CLEAN_ERROR = NULL;
	bool own = supervisor->helper || !config->kernel;

	if (!own || mvm_boot_file(MVM_ARCH_OWN, mvm_backend_kernel(), kernel, &missing) < 0)
		*kernel = mvm_strdup(config->kernel);
	if (!*kernel)
		return mvm_error_move(err, &missing);
	mvm_error_clear(&missing);
	if (mvm_boot_file(mvm_kernel_arch(*kernel), MVM_BOOT_INITRAMFS, initrd, &missing) == 0)
		return 0;
	if (!config->initramfs)
		return mvm_error_move(err, &missing);
	*initrd = mvm_strdup(config->initramfs);
	return 0;
}

static int start_machine(struct supervisor *supervisor, int vsock_fd, struct mvm_error **err)
{
	static const struct mvm_machine_events events = {
		.running = machine_running,
		.paused = machine_paused,
		.resumed = machine_resumed,
		.stopped = machine_stopped,
		.notice = machine_notice,
		.accepted = machine_accepted,
		.connected = machine_connected,
	};
	const struct mvm_container_config *config = &supervisor->container->config;
	const char *folder = supervisor->container->folder;
	char *kernel MVM_CLEAN_FREE = NULL, *initrd MVM_CLEAN_FREE = NULL;
	char *boot_log MVM_CLEAN_FREE = supervisor_boot_log(supervisor);
	char *identity MVM_CLEAN_FREE = mvm_format("%s/machine-id", folder);
	char *disk_path MVM_CLEAN_FREE = mvm_format("%s/%s", folder, config->disk_file);
	struct mvm_machine_disk disks[1 + MVM_VOLUME_DISKS_MAX] = {{
		.path = disk_path,
		.format = !strcmp(config->disk_format, "raw") ? MVM_DISK_RAW : MVM_DISK_QCOW2,
		.scratch = config->auto_remove && !supervisor->helper,
		.throw_away = supervisor->helper && !supervisor->writer,
		.serial = "root",
	}};
	const char *level = getenv("MVM_LOG");
	struct mvm_machine_nic nics[MVM_MACHINE_NICS_MAX];
	struct mvm_machine_spec spec = {
		.cpus = supervisor->helper ? HELPER_CPUS : (unsigned)config->cpus,
		.memory = supervisor->helper ? HELPER_MEMORY : machine_memory(config->memory),
		.disks = disks,
		.disk_count = 1 + volumes_disks(supervisor->volumes, disks + 1),
		.nics = nics,
		.nic_count = network_nics(supervisor->network, nics),
		.hot_nics = !supervisor->helper,
		.vsock_fd = vsock_fd,
		.identity = identity,
		.nested = config->privileged,
		.boot_log = boot_log,
		.accel = supervisor->accel,
		.debug = level && !strcmp(level, "debug"),
	};

	if (find_boot_files(supervisor, &kernel, &initrd, err) < 0)
		return -1;
	shares_describe(supervisor->shares, &spec);
	supervisor->booted_memory = config->memory;
	supervisor->booted_cpus = config->cpus;
	spec.kernel = kernel;
	spec.initrd = initrd;
	return supervisor->backend->start(supervisor->loop, &spec, &events, supervisor, &supervisor->machine, err);
}

/* A boot writes a little; on a disk that is full the machine would stand still before it runs anything. */
static int check_space(const char *folder, struct mvm_error **err)
{
	struct statvfs fs;

	if (statvfs(folder, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < BOOT_SPACE)
		return mvm_fail(err, MVM_ERR_NO_SPACE, "%s: No space left on device for the container's disk", folder);
	return 0;
}

static int start_vsock(struct supervisor *supervisor, int *vsock_fd, struct mvm_error **err)
{
	static const struct mvm_vsock_events events = {
		.accepted = accepted, .asked = asked_for_socket, .died = vsock_died};
	static const struct mvm_vsock_device device = {.listen = device_listen, .connect = device_connect};

#ifdef __linux__
	if (!supervisor->backend->own_devices)
		return mvm_vsock_start(supervisor->loop, GUEST_CID, &events, supervisor, &supervisor->vsock, vsock_fd,
				       err);
#endif
	supervisor->vsock = mvm_vsock_create(supervisor->loop, &device, &events, supervisor);
	return 0;
}

int machine_boot(struct supervisor *supervisor, struct mvm_error **err)
{
	int vsock_fd MVM_CLEAN_FD = -1;

	mvm_log(MVM_LOG_INFO, "phase boot");
	if (!supervisor->helper && check_space(supervisor->container->folder, err) < 0)
		return -1;
	supervisor->agent = agent_create(supervisor);
	if (!supervisor->network && network_join(supervisor, &supervisor->network, err) < 0)
		return -1;
	if (!supervisor->publish && publish_bind(supervisor, &supervisor->publish, err) < 0)
		return -1;
	if (!supervisor->volumes && volumes_open(supervisor, &supervisor->volumes, err) < 0)
		return -1;
	if (!supervisor->sockets && sockets_prepare(supervisor, &supervisor->sockets, err) < 0)
		return -1;
	if (shares_open(supervisor, &supervisor->shares, err) < 0)
		return -1;
	if (start_vsock(supervisor, &vsock_fd, err) < 0 || listen_for_agent(supervisor, err) < 0 ||
	    sockets_serve(supervisor->sockets, supervisor->vsock, err) < 0 ||
	    start_machine(supervisor, vsock_fd, err) < 0)
		return -1;
	if (supervisor->backend->own_devices)
		mvm_vsock_attach(supervisor->vsock);
	return 0;
}

void machine_kill(struct supervisor *supervisor)
{
	mvm_log(MVM_LOG_INFO, "phase kill");
	supervisor->backend->kill(supervisor->machine);
}

/* What does not even take the order is dead or hangs: it will not say that it is so either, and that has a limit. */
static void ask(struct supervisor *supervisor, int (*operation)(struct mvm_machine *machine, struct mvm_error **err))
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	if (operation(supervisor->machine, &err) < 0)
		mvm_log(MVM_LOG_WARN, "%s", mvm_error_message(err));
}

void machine_pause(struct supervisor *supervisor)
{
	ask(supervisor, supervisor->backend->pause);
}

void machine_resume(struct supervisor *supervisor)
{
	ask(supervisor, supervisor->backend->resume);
}

void machine_release(struct supervisor *supervisor)
{
	forget_loss(supervisor);
	agent_destroy(supervisor->agent);
	supervisor->agent = NULL;
	network_suspend_changes(supervisor->network);
	if (supervisor->backend)
		supervisor->backend->destroy(supervisor->machine);
	supervisor->machine = NULL;
	publish_close(supervisor->publish);
	sockets_close(supervisor->sockets);
	shares_close(supervisor->shares);
	supervisor->shares = NULL;
	mvm_vsock_destroy(supervisor->vsock);
	supervisor->vsock = NULL;
}
