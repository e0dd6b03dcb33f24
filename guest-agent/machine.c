#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "cgroup.h"
#include "control.h"
#include "failure.h"
#include "files.h"
#include "job.h"
#include "interface.h"
#include "loop.h"
#include "mounts.h"
#include "network.h"
#include "process.h"
#include "publish.h"
#include "guest-agent/proto/message.h"
#include "rootdisk.h"
#include "rosetta.h"
#include "shared.h"
#include "stage.h"
#include "trust.h"
#include "volumes.h"

#define BINFMT "/proc/sys/fs/binfmt_misc"

static bool ready;

/* How long killed processes may take to end before the root is made clean under them. */
enum { END_SECONDS = 5 };

static enum { ENDING_NOT, ENDING_REQUEST, ENDING_POWER } ending;
static uint32_t ending_request;
static struct watch ending_timer = {.fd = -1};

/* The initramfs cannot be pivoted away from (pivot_root(2): EINVAL on the initial root), so a tmpfs takes
 * its place. It holds mount points and three small files. */
static int replace_own_root(struct failure *failure)
{
	mkdir("/newroot", 0755);
	if (mount("tmpfs", "/newroot", "tmpfs", 0, "mode=0755,size=4m") || chdir("/newroot") ||
	    mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot replace the initial root");
	return 0;
}

static int make_folder(const char *path, struct failure *failure)
{
	return mkdir(path, 0755) ? failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot make %s", path) : 0;
}

static int mount_own(const char *type, const char *path, struct failure *failure)
{
	if (make_folder(path, failure))
		return -1;
	if (mount(type, path, type, MS_NOSUID | MS_NOEXEC, NULL))
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot mount %s", path);
	return 0;
}

int machine_make_root(struct failure *failure)
{
	if (replace_own_root(failure) || mount_own("devtmpfs", "/dev", failure))
		return -1;
	return make_folder(MACHINE_ROOT, failure);
}

int machine_fill_root(struct failure *failure)
{
	static const char *const folders[] = {"/etc", MACHINE_STAGE, MACHINE_STAGE "/proc", MACHINE_STAGE "/sys",
					      MACHINE_STAGE "/dev"};

	if (mount_own("proc", "/proc", failure) || mount_own("cgroup2", "/cgroup", failure))
		return -1;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (make_folder(folders[i], failure))
			return -1;
	return 0;
}

int machine_set_clock(uint64_t clock, struct failure *failure)
{
	struct timespec now = {.tv_sec = (time_t)(clock / 1000000000u), .tv_nsec = (long)(clock % 1000000000u)};

	if (clock && clock_settime(CLOCK_REALTIME, &now))
		return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot set the clock");
	return 0;
}

static int keep_hostname(const char *name, struct failure *failure)
{
	if (name && strlen(name) >= sizeof(shared->hostname))
		return failure_set(failure, MVM_PROTO_MALFORMED, "the host name is too long");
	strcpy(shared->hostname, name ? name : "");
	return 0;
}

static int set_sysctls(char *const *settings, struct failure *failure)
{
	char *at = shared->ipc_sysctls, *end = at + sizeof(shared->ipc_sysctls) - 1;

	for (; settings && *settings; settings++) {
		if (!sysctl_is_ipc(*settings) && sysctl_set(*settings, failure))
			return -1;
		if (!sysctl_is_ipc(*settings))
			continue;
		if (strlen(*settings) >= (size_t)(end - at))
			return failure_set(failure, MVM_PROTO_RESOURCE, "there are too many sysctl settings");
		at = stpcpy(at, *settings) + 1;
	}
	*at = '\0';
	return 0;
}

static int set_interfaces(char *const *interfaces, struct failure *failure)
{
	for (; interfaces && *interfaces; interfaces++)
		if (interface_configure(*interfaces, failure))
			return -1;
	return 0;
}

static int write_hosts(char *const *lines)
{
	static const char usual[] = "127.0.0.1\tlocalhost\n"
				    "::1\tlocalhost ip6-localhost ip6-loopback\n"
				    "fe00::0\tip6-localnet\n"
				    "ff00::0\tip6-mcastprefix\n"
				    "ff02::1\tip6-allnodes\n"
				    "ff02::2\tip6-allrouters\n";
	int fd = open(MACHINE_HOSTS, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int rc;

	if (fd < 0)
		return -1;
	rc = file_append(fd, usual, strlen(usual));
	for (; rc == 0 && lines && *lines; lines++)
		if (file_append(fd, *lines, strlen(*lines)) || file_append(fd, "\n", 1))
			rc = -1;
	close(fd);
	return rc;
}

/* They are mounted over the image's own, so that nothing of this machine gets onto the disk. */
static int write_files(const struct mvm_proto_machine *order, struct failure *failure)
{
	const char *hostname = order->hostname ? order->hostname : "";
	char line[256];
	int length = snprintf(line, sizeof(line), "%.250s\n", hostname);

	if (write_hosts(order->hosts) || file_write(MACHINE_HOSTNAME, line, (size_t)length))
		return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot write /etc/hosts and /etc/hostname");
	shared->has_resolv = order->resolv_conf != NULL;
	if (order->resolv_conf && file_write(MACHINE_RESOLV, order->resolv_conf, strlen(order->resolv_conf)))
		return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot write /etc/resolv.conf");
	return 0;
}

/* The kernel opens the programs as it takes the rules, and keeps them open: no path to them is needed after that. */
static int set_translators(char *const *rules, struct failure *failure)
{
	if (!rules || !*rules)
		return 0;
	for (char *const *rule = rules; *rule; rule++)
		if (strstr(*rule, ":" MVM_ROSETTA_ROOT "/") ? rosetta_mount(failure) : mounts_shares(failure))
			return -1;
	if (mount("binfmt_misc", BINFMT, "binfmt_misc", 0, NULL))
		return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot mount binfmt_misc");
	for (; *rules; rules++)
		if (file_set(BINFMT "/register", *rules))
			return failure_set_errno(failure, MVM_PROTO_MOUNT, "cannot register a translator");
	return 0;
}

bool machine_ready(void)
{
	return ready;
}

int machine_prepare(const struct mvm_proto_machine *order, struct failure *failure)
{
	if (ready)
		return failure_set(failure, MVM_PROTO_BAD_STATE, "the machine has its orders already");
	if (machine_set_clock(order->clock, failure) || keep_hostname(order->hostname, failure))
		return -1;
	if (rootdisk_mount(order, failure))
		return -1;
	trace("root mounted");
	if (stage_wait(failure))
		return -1;
	trace("network and cgroup ready");
	if (set_interfaces(order->interfaces, failure) || publish_start(order, failure) ||
	    set_sysctls(order->sysctls, failure) || cgroup_limit(&order->limits, failure) ||
	    write_files(order, failure) || trust_keep(order, failure) || set_translators(order->translators, failure))
		return -1;
	shared->read_only = order->read_only;
	shared->shm_size = order->shm_size ? order->shm_size : SHARED_SHM_DEFAULT;
	ready = true;
	return 0;
}

int machine_set_network(const struct mvm_proto_network *order, struct failure *failure)
{
	if (set_interfaces(order->interfaces, failure))
		return -1;
	publish_aim(order->interfaces);
	for (char *const *edit = order->edits; edit && *edit; edit += 3)
		if (file_edit(edit[0], edit[1], edit[2]))
			return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot change %s", edit[0]);
	return 0;
}

/* The end. */

static void finish_ending(void)
{
	struct failure failure;
	int rc = volumes_clean(&failure) | rootdisk_clean(&failure);
	bool power = ending == ENDING_POWER;

	trace("root clean");
	ending = ENDING_NOT;
	ready = false;
	if (rc && power)
		complain("%s", failure.message);
	if (power) {
		reboot(RB_POWER_OFF);
		_exit(1); /* a panic is better than a machine that hangs */
	}
	if (rc)
		control_reply_failure(ending_request, &failure);
	else
		control_reply_ok(ending_request);
}

static void stop_timer(void)
{
	if (ending_timer.fd < 0)
		return;
	loop_remove(&ending_timer);
	close(ending_timer.fd);
	ending_timer.fd = -1;
}

void machine_processes_gone(void)
{
	if (ending == ENDING_NOT || process_any() || job_any())
		return;
	stop_timer();
	finish_ending();
}

static void ending_too_slow(struct watch *watch, uint32_t events)
{
	complain("processes have not ended %d s after they were killed", END_SECONDS);
	stop_timer();
	finish_ending();
}

static void start_timer(void)
{
	struct itimerspec when = {.it_value.tv_sec = END_SECONDS};

	ending_timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	ending_timer.ready = ending_too_slow;
	if (ending_timer.fd < 0 || timerfd_settime(ending_timer.fd, 0, &when, NULL) || loop_add(&ending_timer, EPOLLIN))
		complain("cannot wait with a limit: %s", strerror(errno));
}

static void start_ending(void)
{
	ready = false;
	if (!process_any() && !job_any()) {
		finish_ending();
		return;
	}
	start_timer();
	job_kill_all();
	cgroup_kill();
}

void machine_shut_down(uint32_t request)
{
	if (ending != ENDING_NOT)
		return;
	ending = ENDING_REQUEST;
	ending_request = request;
	start_ending();
}

void machine_power_off(void)
{
	bool already = ending != ENDING_NOT;

	ending = ENDING_POWER;
	if (!already)
		start_ending();
}
