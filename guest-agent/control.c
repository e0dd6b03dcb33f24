#include "control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive.h"
#include "cgroup.h"
#include "failure.h"
#include "job.h"
#include "loop.h"
#include "machine.h"
#include "process.h"
#include "processes.h"
#include "guest-agent/proto/message.h"
#include "receive.h"
#include "refresh.h"
#include "relay.h"
#include "shared.h"
#include "stats.h"
#include "status.h"

/* More than a host that reads at all ever leaves unread. */
#define OUTBOX_MAX (1024 * 1024)

static struct watch control = {.fd = -1};
static bool connected, greeted, held;
static uint8_t inbox[MVM_WIRE_FRAME_MAX];
static struct mvm_wire_reader reader;
static uint8_t outbox[OUTBOX_MAX];
static size_t outbox_start, outbox_end;
static uint32_t interest;

/* Nobody is there any more to give orders, or what comes is none: the disk is what can be saved. */
static void hang_up(const char *reason)
{
	if (control.fd < 0)
		return;
	trace("control connection: %s", reason);
	loop_remove(&control);
	close(control.fd);
	control.fd = -1;
	outbox_start = outbox_end = 0;
	machine_power_off();
}

static void update_interest(void)
{
	/* What waits in the inbox may be in use, so it is not moved to see how much room there is. */
	uint32_t wanted = reader.end - reader.start < reader.capacity ? EPOLLIN | EPOLLRDHUP : 0;

	if (!connected || outbox_start < outbox_end)
		wanted |= EPOLLOUT;
	if (control.fd < 0 || wanted == interest)
		return;
	interest = wanted;
	loop_change(&control, wanted);
}

static void flush(void)
{
	while (connected && control.fd >= 0 && outbox_start < outbox_end) {
		ssize_t n = write(control.fd, outbox + outbox_start, outbox_end - outbox_start);

		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			hang_up(strerror(errno));
			return;
		}
		outbox_start += (size_t)n;
	}
	if (outbox_start == outbox_end)
		outbox_start = outbox_end = 0;
	update_interest();
}

static struct mvm_proto_buffer outbox_room(void)
{
	return (struct mvm_proto_buffer){outbox + outbox_end, OUTBOX_MAX - outbox_end};
}

static void sent(int rc, size_t length)
{
	if (control.fd < 0)
		return;
	if (rc) {
		complain("the host does not read what it is told");
		hang_up("the outbox is full");
		return;
	}
	outbox_end += length;
	flush();
}

static void reply(struct mvm_proto_reply *message)
{
	size_t length = 0;
	int rc;

	message->uptime = uptime_ns();
	rc = mvm_proto_encode_reply(message, outbox_room(), &length);
	sent(rc, length);
}

void control_reply_ok(uint32_t request)
{
	reply(&(struct mvm_proto_reply){.type = MVM_PROTO_OK, .request = request});
}

void control_reply_answer(uint32_t request, const struct job_answer *answer)
{
	reply(&(struct mvm_proto_reply){
		.type = MVM_PROTO_OK,
		.request = request,
		.mode = answer->mode,
		.size = answer->size,
		.mtime = answer->mtime,
		.mtime_nsec = answer->mtime_nsec,
		.link_target = *answer->link_target ? answer->link_target : NULL,
	});
}

void control_reply_started(uint32_t request, uint64_t pid)
{
	reply(&(struct mvm_proto_reply){.type = MVM_PROTO_STARTED, .request = request, .pid = pid});
}

void control_reply_failure(uint32_t request, const struct failure *failure)
{
	trace("request %u refused: %s", request, failure->message);
	reply(&(struct mvm_proto_reply){
		.type = MVM_PROTO_ERROR,
		.request = request,
		.code = failure->code,
		.errnum = (uint64_t)failure->errnum,
		.message = failure->message,
	});
}

void control_exited(struct mvm_proto_exited *exited)
{
	size_t length = 0;
	int rc;

	exited->uptime = uptime_ns();
	rc = mvm_proto_encode_exited(exited, outbox_room(), &length);
	sent(rc, length);
}

void control_listening(const char *ports)
{
	const struct mvm_proto_listening listening = {.ports = ports};
	size_t length = 0;
	int rc = mvm_proto_encode_listening(&listening, outbox_room(), &length);

	sent(rc, length);
}

static void say_hello(void)
{
	struct mvm_proto_hello hello = {
		.version = MVM_PROTO_VERSION,
		.agent = MVM_VERSION,
		.uptime = uptime_ns(),
	};
	size_t length = 0;
	int rc = mvm_proto_encode_hello(&hello, outbox_room(), &length);

	sent(rc, length);
}

/* Orders. Each answers by itself where it succeeds. */

static int malformed(struct failure *failure, const char *reason)
{
	return failure_set(failure, MVM_PROTO_MALFORMED, "%s", reason);
}

static int order_machine(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena, struct failure *failure)
{
	struct mvm_proto_machine order;
	const char *reason = NULL;

	if (mvm_proto_decode_machine(frame, arena, &order, &reason))
		return malformed(failure, reason);
	if (machine_prepare(&order, failure))
		return -1;
	control_reply_ok(frame->request);
	return 0;
}

static int order_process_start(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena,
			       struct failure *failure)
{
	const char *reason = NULL;

	if (mvm_proto_decode_process(frame, arena, &shared->order, &reason))
		return malformed(failure, reason);
	return process_start(&shared->order, frame->request, failure);
}

static int order_process_signal(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena,
				struct failure *failure)
{
	struct mvm_proto_signal signal;
	const char *reason = NULL;

	if (mvm_proto_decode_signal(frame, &signal, &reason))
		return malformed(failure, reason);
	if (process_signal(&signal, failure))
		return -1;
	control_reply_ok(frame->request);
	return 0;
}

static int order_process_resize(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena,
				struct failure *failure)
{
	struct mvm_proto_resize resize;
	const char *reason = NULL;

	if (mvm_proto_decode_resize(frame, &resize, &reason))
		return malformed(failure, reason);
	if (process_resize(&resize, failure))
		return -1;
	control_reply_ok(frame->request);
	return 0;
}

static int order_clock(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena, struct failure *failure)
{
	struct mvm_proto_clock order;
	const char *reason = NULL;

	if (mvm_proto_decode_clock(frame, &order, &reason))
		return malformed(failure, reason);
	if (machine_set_clock(order.clock, failure))
		return -1;
	control_reply_ok(frame->request);
	return 0;
}

/* Jobs get the order as their process is made, and go on while the next one comes: it must not be in memory that they
 * share (shared.h). */
static struct mvm_proto_arena job_arena(void)
{
	static _Alignas(8) char memory[16 * 1024];

	return (struct mvm_proto_arena){.data = memory, .size = sizeof(memory)};
}

static int order_archive(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena, struct failure *failure)
{
	struct mvm_proto_arena own = job_arena();
	struct mvm_proto_archive order;
	const char *reason = NULL;

	if (mvm_proto_decode_archive(frame, &own, &order, &reason))
		return malformed(failure, reason);
	return archive_start(&order, frame->request, failure);
}

static int order_stats(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena, struct failure *failure)
{
	struct mvm_proto_figures figures;
	size_t length = 0;
	int rc;

	stats_read(&figures);
	rc = mvm_proto_encode_figures(&figures, frame->request, outbox_room(), &length);
	sent(rc, length);
	return 0;
}

static int order_processes(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena, struct failure *failure)
{
	struct mvm_proto_processes order;
	const char *reason = NULL;

	if (mvm_proto_decode_processes(frame, &order, &reason))
		return malformed(failure, reason);
	return processes_start(&order, frame->request, failure);
}

static int order_update(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena, struct failure *failure)
{
	struct mvm_proto_limits limits;
	const char *reason = NULL;

	if (mvm_proto_decode_update(frame, &limits, &reason))
		return malformed(failure, reason);
	if (cgroup_limit(&limits, failure))
		return -1;
	control_reply_ok(frame->request);
	return 0;
}

static int order_network(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena, struct failure *failure)
{
	struct mvm_proto_network order;
	const char *reason = NULL;

	if (mvm_proto_decode_network(frame, arena, &order, &reason))
		return malformed(failure, reason);
	if (machine_set_network(&order, failure))
		return -1;
	control_reply_ok(frame->request);
	return 0;
}

static int order_unpack(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena, struct failure *failure)
{
	struct mvm_proto_arena own = job_arena();
	struct mvm_proto_unpack order;
	const char *reason = NULL;

	if (mvm_proto_decode_unpack(frame, &own, &order, &reason))
		return malformed(failure, reason);
	return receive_start(&order, frame->request, failure);
}

static int order_stat(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena, struct failure *failure)
{
	struct mvm_proto_arena own = job_arena();
	struct mvm_proto_stat order;
	const char *reason = NULL;

	if (mvm_proto_decode_stat(frame, &own, &order, &reason))
		return malformed(failure, reason);
	return status_start(&order, frame->request, failure);
}

static int order_refresh(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena, struct failure *failure)
{
	struct mvm_proto_arena own = job_arena();
	struct mvm_proto_refresh order;
	const char *reason = NULL;

	if (mvm_proto_decode_refresh(frame, &own, &order, &reason))
		return malformed(failure, reason);
	return refresh_start(&order, frame->request, failure);
}

static int order_shutdown(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena, struct failure *failure)
{
	machine_shut_down(frame->request);
	return 0;
}

static const struct {
	enum mvm_proto_type type;
	int (*carry_out)(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena, struct failure *failure);
} orders[] = {
	{MVM_PROTO_MACHINE, order_machine},
	{MVM_PROTO_PROCESS_START, order_process_start},
	{MVM_PROTO_PROCESS_SIGNAL, order_process_signal},
	{MVM_PROTO_PROCESS_RESIZE, order_process_resize},
	{MVM_PROTO_CLOCK, order_clock},
	{MVM_PROTO_ARCHIVE, order_archive},
	{MVM_PROTO_STATS, order_stats},
	{MVM_PROTO_UPDATE, order_update},
	{MVM_PROTO_PROCESSES, order_processes},
	{MVM_PROTO_NETWORK, order_network},
	{MVM_PROTO_UNPACK, order_unpack},
	{MVM_PROTO_STAT, order_stat},
	{MVM_PROTO_REFRESH, order_refresh},
	{MVM_PROTO_SHUTDOWN, order_shutdown},
};

static int carry_out(const struct mvm_wire_frame *frame, struct failure *failure)
{
	struct mvm_proto_arena arena = {.data = shared->arena, .size = sizeof(shared->arena)};

	trace("order %u, request %u, %zu bytes", frame->type, frame->request, frame->length);
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		if (orders[i].type == frame->type)
			return orders[i].carry_out(frame, &arena, failure);
	return failure_set(failure, MVM_PROTO_UNSUPPORTED, "the agent does not know messages of type %u", frame->type);
}

/* The first message must be the host's hello. */
static int greet(const struct mvm_wire_frame *frame)
{
	struct mvm_proto_arena arena = {.data = shared->arena, .size = sizeof(shared->arena)};
	struct mvm_proto_hello hello;
	const char *reason = "it is none";

	if (frame->type != MVM_PROTO_HELLO || mvm_proto_decode_hello(frame, &arena, &hello, &reason)) {
		complain("the host's hello is not understood: %s", reason);
		return -1;
	}
	greeted = true;
	return 0;
}

static void take_orders(void)
{
	struct mvm_wire_frame frame;
	struct failure failure;
	int rc = 0;

	while (!held && control.fd >= 0 && (rc = mvm_wire_reader_next(&reader, &frame)) == 1) {
		if (!greeted && greet(&frame)) {
			hang_up("no hello");
			return;
		}
		if (frame.type == MVM_PROTO_HELLO)
			continue;
		if (carry_out(&frame, &failure))
			control_reply_failure(frame.request, &failure);
	}
	if (rc < 0) {
		complain("a message from the host is larger than %d bytes", MVM_WIRE_PAYLOAD_MAX);
		hang_up("too large a message");
	}
}

static void receive(void)
{
	size_t room;
	void *space = mvm_wire_reader_space(&reader, &room);
	ssize_t n;

	if (room == 0)
		return;
	n = read(control.fd, space, room);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		hang_up(n < 0 ? strerror(errno) : "closed by the host");
		return;
	}
	mvm_wire_reader_filled(&reader, (size_t)n);
	take_orders();
}

static void control_connected(void)
{
	int error = vsock_connected(control.fd);

	if (error) {
		complain("cannot connect to port %d of the host: %s", MVM_PROTO_CONTROL_PORT, strerror(error));
		hang_up("refused");
		return;
	}
	connected = true;
	trace("connected to the host");
	say_hello();
}

static void control_ready(struct watch *watch, uint32_t events)
{
	if (!connected) {
		if (events & (EPOLLOUT | EPOLLERR))
			control_connected();
		return;
	}
	if (events & EPOLLOUT)
		flush();
	if (control.fd >= 0 && (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
		receive();
	if (control.fd >= 0)
		update_interest();
}

void control_start(void)
{
	mvm_wire_reader_init(&reader, inbox, sizeof(inbox));
	control.fd = vsock_connect(MVM_PROTO_CONTROL_PORT, false);
	control.ready = control_ready;
	interest = EPOLLIN | EPOLLOUT | EPOLLRDHUP;
	if (control.fd < 0 || loop_add(&control, interest)) {
		complain("cannot connect to the host: %s", strerror(errno));
		machine_power_off();
	}
}

void control_hold(void)
{
	held = true;
}

void control_release(void)
{
	held = false;
	take_orders();
	update_interest();
}
