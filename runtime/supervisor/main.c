/*
 * mvm-supervisor: owns one VM from its start to its end. Started by the engine as
 *
 *   mvm-supervisor HOME CONTAINER-ID [reader|writer]
 *   mvm-supervisor examine
 *   mvm-supervisor rosetta [install]
 *
 * with descriptor 3 the first client's connection and 4 the container's lock, in a session of its
 * own: killing the client that started it changes nothing here. Its own messages go to supervisor.log
 * in the container's folder. The second form says what a machine would run on: a line on stdout and one of advice, or
 * what is wrong on stderr.
 */
#include "internal.h"
#include "network.h"
#include "publish.h"
#include "sockets.h"
#include "volumes.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/clock_watch.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"

#define FIRST_CLIENT_FD	 3
#define LOCK_FD		 4
#define DESCRIPTOR_LIMIT 16384

/* The user's session ends, or the system goes down: the container gets the chance that docker gives it. That is no
 * wish of the user's about the container, which may be started again after the next boot. */
static void asked_to_end(void *arg, int signo)
{
	struct supervisor *supervisor = arg;

	supervisor->final = true;
	supervisor_stop(supervisor, SIGTERM, 10);
}

static void open_log(struct supervisor *supervisor)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/supervisor.log", supervisor->container->folder);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	mvm_log_open("mvm-supervisor", fd, MVM_LOG_WARN);
}

/* The guest's has not, whether the host slept or its clock was set. */
static void clock_jumped(void *arg)
{
	struct supervisor *supervisor = arg;

	mvm_log(MVM_LOG_INFO, "the host's clock has jumped");
	if (supervisor->phase >= PHASE_STARTING && supervisor->agent && agent_is_connected(supervisor->agent))
		agent_set_clock(supervisor->agent);
}

static int set_up(struct supervisor *supervisor, struct mvm_error **err)
{
	supervisor->output_ended = supervisor->helper;
	mvm_loop_signal(supervisor->loop, SIGTERM, asked_to_end, supervisor);
	supervisor->clock_watch = mvm_clock_watch_create(supervisor->loop, clock_jumped, supervisor);
	if (lifecycle_init(supervisor, err) < 0 || mvm_backend_find(NULL, &supervisor->backend, err) < 0 ||
	    mvm_accel_parse(NULL, &supervisor->accel, err) < 0 ||
	    (!supervisor->helper && rounds_open_streams(supervisor, err) < 0))
		return -1;
	return clients_listen(supervisor, err);
}

static int run(struct supervisor *supervisor, struct mvm_error **err)
{
	int result = set_up(supervisor, err);

	/* The first client is told of a failed set-up as of any refused start. */
	clients_add(supervisor, FIRST_CLIENT_FD);
	if (result < 0) {
		supervisor_failed(supervisor, *err);
		*err = NULL;
		supervisor->broken = true;
		supervisor->output_ended = !supervisor->streams;
	}
	return mvm_loop_run(supervisor->loop, err);
}

static void tear_down(struct supervisor *supervisor)
{
	machine_release(supervisor);
	publish_finish(supervisor->publish);
	sockets_finish(supervisor->sockets);
	network_leave(supervisor->network);
	volumes_close(supervisor->volumes);
	streams_destroy(supervisor->streams);
	clients_destroy(supervisor);
	mvm_error_free(supervisor->refusal);
	mvm_container_free(supervisor->container);
	mvm_state_close(supervisor->state);
	mvm_clock_watch_destroy(supervisor->clock_watch);
	mvm_loop_destroy(supervisor->loop);
}

static int examine(void)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *text MVM_CLEAN_FREE = NULL, *advice MVM_CLEAN_FREE = NULL;
	const struct mvm_backend_ops *backend;
	enum mvm_accel accel;

	if (mvm_backend_find(NULL, &backend, &err) < 0 || mvm_accel_parse(NULL, &accel, &err) < 0 ||
	    backend->examine(accel, &text, &advice, &err) < 0) {
		fprintf(stderr, "%s\n", mvm_error_message(err));
		return 1;
	}
	printf("%s\n%s\n", text, advice);
	return 0;
}

static int rosetta(bool install)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	enum mvm_rosetta state = MVM_ROSETTA_UNSUPPORTED;
	const struct mvm_backend_ops *backend;

	if (mvm_backend_find(NULL, &backend, &err) < 0 ||
	    (backend->rosetta && backend->rosetta(install, &state, &err) < 0)) {
		fprintf(stderr, "%s\n", mvm_error_message(err));
		return 1;
	}
	puts(mvm_rosetta_name(state));
	return 0;
}

int main(int argc, char **argv)
{
	struct supervisor supervisor = {.lock_fd = LOCK_FD, .listen_fd = -1};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	if (argc == 2 && !strcmp(argv[1], "examine"))
		return examine();
	if (argc > 1 && argc < 4 && !strcmp(argv[1], "rosetta") && (argc == 2 || !strcmp(argv[2], "install")))
		return rosetta(argc == 3);
	supervisor.writer = argc == 4 && !strcmp(argv[3], "writer");
	supervisor.helper = supervisor.writer || (argc == 4 && !strcmp(argv[3], "reader"));
	if (argc != 3 + supervisor.helper || fcntl(FIRST_CLIENT_FD, F_GETFD) < 0 || fcntl(LOCK_FD, F_GETFD) < 0) {
		fputs("mvm-supervisor: started by mvm, not by hand\n", stderr);
		return 125;
	}
	mvm_set_cloexec(FIRST_CLIENT_FD, true);
	mvm_set_cloexec(LOCK_FD, true);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	umask(077);
	mvm_raise_file_limit(DESCRIPTOR_LIMIT);
	/* No folder of the user's is held; every path here is absolute. */
	if (chdir("/") < 0)
		return 125;
	if (mvm_state_open(argv[1], &supervisor.state, &err) < 0 ||
	    mvm_state_load(supervisor.state, argv[2], &supervisor.container, &err) < 0) {
		fprintf(stderr, "mvm-supervisor: %s\n", mvm_error_message(err));
		return 125;
	}
	open_log(&supervisor);
	supervisor.loop = mvm_loop_create();
	if (run(&supervisor, &err) < 0)
		mvm_log(MVM_LOG_ERROR, "%s", mvm_error_message(err));
	tear_down(&supervisor);
	return 0;
}
