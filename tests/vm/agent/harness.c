#include "harness.h"

#include <errno.h>
#include <glob.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/backend/backend.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/loop.h"
#include "runtime/base/paths.h"
#include "runtime/base/spawn.h"
#include "runtime/vsock/vsock.h"

enum { GUEST_CID = 3, TIME_LIMIT_MS = 120000, PIECE = 128 * 1024, DISK_FILES_MIB = 96, DISK_MIB = 160 };

/* Streams. */

static void stream_end(struct stream *stream)
{
	mvm_watch_remove(stream->watch);
	stream->watch = NULL;
	mvm_close(&stream->fd);
	stream->ended = true;
}

static void compare(struct stream *stream, const char *data, size_t length)
{
	while (length > 0 && !stream->differs) {
		size_t at = (size_t)(stream->received % stream->expected_length);
		size_t part = stream->expected_length - at < length ? stream->expected_length - at : length;

		stream->differs = memcmp(data, stream->expected + at, part) != 0;
		stream->received += part;
		data += part;
		length -= part;
	}
}

static void on_output(void *arg, int fd, short revents)
{
	struct stream *stream = arg;
	static char piece[PIECE];
	ssize_t n = read(fd, piece, sizeof(piece));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		stream_end(stream);
	else if (stream->expected)
		compare(stream, piece, (size_t)n);
	else
		mvm_buf_add(&stream->output, piece, (size_t)n);
	mvm_loop_stop(stream->harness->loop);
}

static void on_input(void *arg, int fd, short revents)
{
	struct stream *stream = arg;
	size_t left = stream->input_length - stream->input_sent;
	ssize_t n;

	if (left > 0) {
		n = send(fd, stream->input + stream->input_sent, left, MSG_NOSIGNAL);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0)
			stream_end(stream);
		else
			stream->input_sent += (size_t)n;
	} else if (stream->keep_open) {
		mvm_watch_set(stream->watch, 0);
	} else if (stream->close) {
		stream_end(stream);
	} else {
		shutdown(fd, SHUT_WR);
		/* The agent closes its side in turn. */
		mvm_watch_remove(stream->watch);
		stream->watch = mvm_loop_watch(stream->harness->loop, fd, POLLIN, on_output, stream);
	}
	mvm_loop_stop(stream->harness->loop);
}

static void stream_connected(struct stream *stream, unsigned index, int fd)
{
	stream->fd = fd;
	mvm_set_nonblock(fd, true);
	if (index == STREAM_IN)
		stream->watch = mvm_loop_watch(stream->harness->loop, fd, POLLOUT, on_input, stream);
	else
		stream->watch =
			mvm_loop_watch(stream->harness->loop, fd, stream->stalled ? 0 : POLLIN, on_output, stream);
}

void harness_type(struct harness *harness, const char *text)
{
	struct stream *stream = &harness->streams[STREAM_IN];

	stream->input = text;
	stream->input_length = strlen(text);
	stream->input_sent = 0;
	if (stream->watch)
		mvm_watch_set(stream->watch, POLLOUT);
}

void harness_reset(struct harness *harness)
{
	for (unsigned i = 0; i < STREAMS; i++) {
		struct stream *stream = &harness->streams[i];

		if (stream->watch)
			mvm_watch_remove(stream->watch);
		mvm_close(&stream->fd);
		mvm_buf_finish(&stream->output);
		*stream = (struct stream){.harness = harness, .fd = -1};
	}
	harness->exited = harness->replied = false;
	if (!harness->vsock)
		return;
	for (unsigned i = 0; i < STREAMS; i++)
		mvm_vsock_unlisten(harness->vsock, harness->first_port + i);
	harness->first_port += STREAMS;
	for (unsigned i = 0; i < STREAMS; i++)
		mvm_vsock_listen(harness->vsock, harness->first_port + i, NULL);
}

/* Control. */

static void got_reply(struct harness *harness, const struct mvm_wire_frame *frame)
{
	struct mvm_proto_arena arena = {.data = harness->arena, .size = MVM_PROTO_ARENA_MAX};

	harness->replied = mvm_proto_decode_reply(frame, &arena, &harness->reply, NULL) == 0;
	free(harness->message);
	harness->message = harness->reply.message ? mvm_strdup(harness->reply.message) : NULL;
	harness->reply.message = harness->message;
}

static void got_frame(struct harness *harness, const struct mvm_wire_frame *frame)
{
	struct mvm_proto_arena arena = {.data = harness->arena, .size = MVM_PROTO_ARENA_MAX};

	if (frame->type == MVM_PROTO_HELLO) {
		mvm_proto_decode_hello(frame, &arena, &harness->hello, NULL);
		harness->hello.agent = NULL;
	} else if (frame->type == MVM_PROTO_PROCESS_EXITED) {
		harness->exited = mvm_proto_decode_exited(frame, &harness->exit, NULL) == 0;
	} else {
		got_reply(harness, frame);
	}
	mvm_loop_stop(harness->loop);
}

static void on_control(void *arg, int fd, short revents)
{
	struct harness *harness = arg;
	struct mvm_wire_frame frame;
	size_t room;
	void *space = mvm_wire_reader_space(&harness->reader, &room);
	ssize_t n = read(fd, space, room);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		mvm_watch_remove(harness->control_watch);
		harness->control_watch = NULL;
		mvm_close(&harness->control);
		mvm_loop_stop(harness->loop);
		return;
	}
	mvm_wire_reader_filled(&harness->reader, (size_t)n);
	while (mvm_wire_reader_next(&harness->reader, &frame) == 1)
		got_frame(harness, &frame);
}

void harness_send_raw(struct harness *harness, const void *data, size_t length)
{
	/* The socket is non-blocking, but its buffer takes any order that a test sends. */
	if (send(harness->control, data, length, MSG_NOSIGNAL) != (ssize_t)length)
		perror("order");
}

static struct mvm_proto_buffer outbox(struct harness *harness)
{
	return (struct mvm_proto_buffer){harness->outbox, MVM_WIRE_FRAME_MAX};
}

static uint32_t next_request(struct harness *harness)
{
	harness->replied = false;
	return ++harness->last_request;
}

uint32_t harness_send_machine(struct harness *harness, const struct mvm_proto_machine *machine)
{
	uint32_t request = next_request(harness);
	size_t length = 0;

	mvm_proto_encode_machine(machine, request, outbox(harness), &length);
	harness_send_raw(harness, harness->outbox, length);
	return request;
}

uint32_t harness_send_process(struct harness *harness, const struct mvm_proto_process *process)
{
	uint32_t request = next_request(harness);
	size_t length = 0;

	mvm_proto_encode_process(process, request, outbox(harness), &length);
	harness_send_raw(harness, harness->outbox, length);
	return request;
}

uint32_t harness_send_signal(struct harness *harness, uint32_t id, unsigned signo)
{
	const struct mvm_proto_signal order = {.id = id, .signo = signo};
	uint32_t request = next_request(harness);
	size_t length = 0;

	mvm_proto_encode_signal(&order, request, outbox(harness), &length);
	harness_send_raw(harness, harness->outbox, length);
	return request;
}

uint32_t harness_send_resize(struct harness *harness, uint32_t id, unsigned rows, unsigned cols)
{
	const struct mvm_proto_resize order = {.id = id, .rows = (uint16_t)rows, .cols = (uint16_t)cols};
	uint32_t request = next_request(harness);
	size_t length = 0;

	mvm_proto_encode_resize(&order, request, outbox(harness), &length);
	harness_send_raw(harness, harness->outbox, length);
	return request;
}

uint32_t harness_send_shutdown(struct harness *harness)
{
	uint32_t request = next_request(harness);
	size_t length = 0;

	mvm_proto_encode_shutdown(request, outbox(harness), &length);
	harness_send_raw(harness, harness->outbox, length);
	return request;
}

static void say_hello(struct harness *harness)
{
	const struct mvm_proto_hello hello = {.version = MVM_PROTO_VERSION};
	size_t length = 0;

	mvm_proto_encode_hello(&hello, outbox(harness), &length);
	harness_send_raw(harness, harness->outbox, length);
}

/* Waits. */

static void on_limit(void *arg)
{
	struct harness *harness = arg;

	harness->timed_out = true;
	mvm_loop_stop(harness->loop);
}

bool harness_wait(struct harness *harness, bool (*done)(const struct harness *harness))
{
	harness->timed_out = false;
	mvm_timer_start(harness->limit, TIME_LIMIT_MS);
	while (!done(harness) && !harness->timed_out && !harness->died && !harness->off)
		if (mvm_loop_run(harness->loop, NULL) < 0)
			break;
	mvm_timer_stop(harness->limit);
	return done(harness);
}

static bool has_reply(const struct harness *harness)
{
	return harness->replied && harness->reply.request == harness->last_request;
}

bool harness_wait_reply(struct harness *harness, uint32_t request)
{
	return request == harness->last_request && harness_wait(harness, has_reply);
}

static bool has_ended(const struct harness *harness)
{
	for (unsigned i = STREAM_OUT; i < STREAMS; i++)
		if (harness->streams[i].wanted && !harness->streams[i].ended && !harness->streams[i].stalled)
			return false;
	return harness->exited;
}

bool harness_wait_end(struct harness *harness)
{
	return harness_wait(harness, has_ended);
}

static const char *wanted_output;

static bool has_output(const struct harness *harness)
{
	const char *output = harness->streams[STREAM_OUT].output.data;

	return output && strstr(output, wanted_output);
}

bool harness_wait_output(struct harness *harness, const char *text)
{
	wanted_output = text;
	return harness_wait(harness, has_output);
}

static bool said_hello(const struct harness *harness)
{
	return harness->hello.version > 0;
}

static bool is_off(const struct harness *harness)
{
	return harness->off;
}

/* Start and end. */

static void on_accepted(void *arg, uint32_t port, int fd)
{
	struct harness *harness = arg;

	if (port == MVM_PROTO_CONTROL_PORT) {
		harness->control = fd;
		mvm_set_nonblock(fd, true);
		harness->control_watch = mvm_loop_watch(harness->loop, fd, POLLIN, on_control, harness);
		say_hello(harness);
	} else if (port >= harness->first_port && port < harness->first_port + STREAMS) {
		stream_connected(&harness->streams[port - harness->first_port], port - harness->first_port, fd);
	} else {
		close(fd);
	}
	mvm_loop_stop(harness->loop);
}

static void on_died(void *arg, const char *reason)
{
	struct harness *harness = arg;

	harness->died = mvm_strdup(reason);
	mvm_loop_stop(harness->loop);
}

static void on_stopped(void *arg, enum mvm_machine_stop reason, const char *detail)
{
	struct harness *harness = arg;

	if (reason != MVM_STOP_GUEST_OFF && reason != MVM_STOP_KILLED)
		fprintf(stderr, "machine stopped: %d %s\n", (int)reason, detail);
	harness->off = true;
	mvm_loop_stop(harness->loop);
}

static void on_nothing(void *arg)
{
}

static void on_notice(void *arg, const char *text)
{
	fprintf(stderr, "%s\n", text);
}

static char *find_kernel(void)
{
	const char *given = getenv("MVM_KERNEL");
	char *cache MVM_CLEAN_FREE = NULL;
	char *pattern MVM_CLEAN_FREE = NULL;
	char *kernel = NULL;
	glob_t found;

	if (given && *given)
		return mvm_strdup(given);
	if (mvm_cache_folder(&cache, NULL) < 0)
		return NULL;
	pattern = mvm_format("%s/kernel/x86_64-*/vmlinux", cache);
	if (glob(pattern, 0, NULL, &found) == 0) {
		kernel = mvm_strdup(found.gl_pathv[0]);
		globfree(&found);
	}
	return kernel;
}

static int make_disk(struct harness *harness, const char *root)
{
	char *command MVM_CLEAN_FREE = NULL;

	harness->disk = mvm_format("%s/disk", harness->folder);
	command = mvm_format("PATH=$PATH:/sbin:/usr/sbin mke2fs -q -F -t ext4 -d '%s' '%s' %dM && truncate -s %dM '%s'",
			     root, harness->disk, DISK_FILES_MIB, DISK_MIB, harness->disk);
	return system(command);
}

static int boot(struct harness *harness, const char *kernel, const char *initramfs, struct mvm_error **err)
{
	static const struct mvm_vsock_events vsock_events = {on_accepted, on_died};
	static const struct mvm_machine_events machine_events = {on_nothing, on_nothing, on_nothing, on_stopped,
								 on_notice};
	const struct mvm_machine_disk disk = {.path = harness->disk, .format = MVM_DISK_RAW};
	char *log MVM_CLEAN_FREE = mvm_format("%s/boot.log", harness->folder);
	struct mvm_machine_spec spec = {
		.kernel = kernel,
		.initrd = initramfs,
		.cpus = 2,
		.memory = 512 << 20,
		.disks = &disk,
		.disk_count = 1,
		.boot_log = log,
		.accel = MVM_ACCEL_TCG,
		.kernel_args = getenv("AGENT_TEST_KERNEL_ARGS"),
	};
	int result;

	if (mvm_vsock_start(harness->loop, GUEST_CID, &vsock_events, harness, &harness->vsock, &spec.vsock_fd, err) < 0)
		return -1;
	if (mvm_vsock_listen(harness->vsock, MVM_PROTO_CONTROL_PORT, err) < 0)
		return -1;
	for (uint32_t i = 0; i < STREAMS; i++)
		if (mvm_vsock_listen(harness->vsock, harness->first_port + i, err) < 0)
			return -1;
	result = mvm_backend_qemu.start(harness->loop, &spec, &machine_events, harness, &harness->machine, err);
	close(spec.vsock_fd);
	return result;
}

static void init(struct harness *harness)
{
	char template[] = "/tmp/mvm-agent-test.XXXXXX";

	*harness = (struct harness){.control = -1, .first_port = MVM_PROTO_STREAM_PORT};
	harness->folder = mkdtemp(template) ? mvm_strdup(template) : NULL;
	harness->loop = mvm_loop_create();
	harness->limit = mvm_loop_timer(harness->loop, on_limit, harness);
	harness->inbox = mvm_alloc(MVM_WIRE_FRAME_MAX);
	harness->outbox = mvm_alloc(MVM_WIRE_FRAME_MAX);
	harness->arena = mvm_alloc(MVM_PROTO_ARENA_MAX);
	mvm_wire_reader_init(&harness->reader, harness->inbox, MVM_WIRE_FRAME_MAX);
	for (unsigned i = 0; i < STREAMS; i++)
		harness->streams[i] = (struct stream){.harness = harness, .fd = -1};
}

int harness_start(struct harness *harness, const char *initramfs, const char *root)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *kernel MVM_CLEAN_FREE = find_kernel();
	char *qemu MVM_CLEAN_FREE = NULL;

	init(harness);
	if (!kernel || mvm_find_program("qemu-system-x86_64", &qemu, NULL) < 0) {
		fprintf(stderr, "skipped: %s\n",
			kernel ? "qemu-system-x86_64 is not installed" : "no kernel has been built");
		return 77;
	}
	if (!harness->folder || make_disk(harness, root)) {
		fprintf(stderr, "skipped: no disk, since mke2fs has failed\n");
		return 77;
	}
	if (boot(harness, kernel, initramfs, &err) < 0) {
		fprintf(stderr, "%s\n", mvm_error_message(err));
		return 1;
	}
	if (harness_wait(harness, said_hello))
		return 0;
	fprintf(stderr, "the agent did not say hello: %s\n", harness->died ? harness->died : "no connection");
	harness_print_log(harness, stderr);
	return 1;
}

void harness_unplug(struct harness *harness)
{
	mvm_backend_qemu.kill(harness->machine);
	harness_wait(harness, is_off);
}

void harness_print_log(const struct harness *harness, FILE *to)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/boot.log", harness->folder);
	char *tail MVM_CLEAN_FREE = mvm_boot_log_tail(path, 400);

	fprintf(to, "%s\n", tail);
}

void harness_finish(struct harness *harness)
{
	harness_reset(harness);
	if (harness->control_watch)
		mvm_watch_remove(harness->control_watch);
	mvm_backend_qemu.destroy(harness->machine);
	mvm_vsock_destroy(harness->vsock);
	mvm_loop_destroy(harness->loop);
	mvm_close(&harness->control);
	if (harness->folder)
		mvm_remove_tree(harness->folder, NULL);
	free(harness->folder);
	free(harness->disk);
	free(harness->inbox);
	free(harness->outbox);
	free(harness->arena);
	free(harness->message);
	free(harness->died);
}
