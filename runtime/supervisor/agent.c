/*
 * The connection to the guest agent: guest-agent/proto/PROTOCOL.md draws the exchange.
 *
 * What comes over it is untrusted: a guest that became root may say anything. It can only end its own machine.
 */
#include "internal.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "network.h"
#include "orders.h"
#include "publish.h"
#include "shares.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/state/certificates.h"
#include "runtime/state/update.h"
#include "sockets.h"

struct agent {
	struct supervisor *supervisor;
	int fd;
	struct mvm_watch *watch;
	struct mvm_wire_reader reader;
	void *buffer;
	struct mvm_buf out;
	struct orders orders;
	struct mvm_proto_figures figures;    /* while a STATS is answered */
	const struct mvm_proto_reply *reply; /* that is being handed on */
};

struct agent *agent_create(struct supervisor *supervisor)
{
	struct agent *agent = mvm_alloc(sizeof(*agent));

	agent->supervisor = supervisor;
	agent->fd = -1;
	orders_init(&agent->orders, supervisor);
	return agent;
}

static void disconnect(struct agent *agent)
{
	mvm_watch_remove(agent->watch);
	agent->watch = NULL;
	mvm_close(&agent->fd);
	orders_fail(&agent->orders);
}

void agent_destroy(struct agent *agent)
{
	if (!agent)
		return;
	disconnect(agent);
	orders_finish(&agent->orders);
	mvm_buf_finish(&agent->out);
	free(agent->buffer);
	free(agent);
}

static void lost(struct agent *agent, const char *why)
{
	disconnect(agent);
	machine_lost(agent->supervisor, why);
}

static void flush_out(struct agent *agent)
{
	while (agent->out.length) {
		ssize_t n = send(agent->fd, agent->out.data, agent->out.length, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
			lost(agent, "the guest agent does not take orders");
			return;
		}
		if (n < 0)
			break;
		mvm_buf_consume(&agent->out, (size_t)n);
	}
	mvm_watch_set(agent->watch, agent->out.length ? POLLIN | POLLOUT : POLLIN);
}

/* Room for one frame at the end of what waits to be sent; taken by queued(). */
static struct mvm_proto_buffer frame_space(struct agent *agent)
{
	return (struct mvm_proto_buffer){mvm_buf_reserve(&agent->out, MVM_WIRE_FRAME_MAX), MVM_WIRE_FRAME_MAX};
}

static void queued(struct agent *agent, size_t length)
{
	agent->out.length += length;
	if (agent->fd >= 0)
		flush_out(agent);
}

/* What the guest could not do, as the user's error. */
static void guest_error(const struct mvm_proto_reply *reply, struct mvm_error **err)
{
	static const struct {
		enum mvm_proto_code code;
		enum mvm_error_code ours;
	} codes[] = {
		{MVM_PROTO_NO_PROGRAM, MVM_ERR_NO_PROGRAM}, {MVM_PROTO_CANNOT_RUN, MVM_ERR_CANNOT_RUN},
		{MVM_PROTO_BAD_CWD, MVM_ERR_CANNOT_RUN},    {MVM_PROTO_NO_USER, MVM_ERR_NOT_FOUND},
		{MVM_PROTO_NO_GROUP, MVM_ERR_NOT_FOUND},    {MVM_PROTO_NO_PROCESS, MVM_ERR_CONFLICT},
		{MVM_PROTO_RESOURCE, MVM_ERR_INVALID},	    {MVM_PROTO_NO_FILE, MVM_ERR_NOT_FOUND},
		{MVM_PROTO_NOT_POSSIBLE, MVM_ERR_INVALID},
	};
	enum mvm_error_code code = MVM_ERR_MACHINE;

	for (size_t i = 0; i < MVM_COUNT(codes); i++)
		if (codes[i].code == reply->code)
			code = codes[i].ours;
	mvm_fail(err, code, "%s", reply->message ? reply->message : "the guest gave no reason");
}

static void setup_done(void *arg, const struct mvm_error *error)
{
	struct agent *agent = arg;
	struct mvm_error *copy = NULL;

	if (!error && agent->supervisor->helper)
		supervisor_event(agent->supervisor, EVENT_GUEST_READY);
	/* Without a connection it is not the guest's answer. */
	if (!error || agent->fd < 0)
		return;
	mvm_fail(&copy, mvm_error_code(error), "%s", mvm_error_message(error));
	supervisor_failed(agent->supervisor, copy);
	supervisor_event(agent->supervisor, EVENT_FAILURE);
}

static void start_done(void *arg, const struct mvm_error *error)
{
	struct agent *agent = arg;
	struct mvm_error *copy = NULL;

	if (!error) {
		supervisor_event(agent->supervisor, EVENT_PROCESS_STARTED);
		return;
	}
	if (agent->fd < 0)
		return;
	mvm_fail(&copy, mvm_error_code(error), "%s", mvm_error_message(error));
	supervisor_failed(agent->supervisor, copy);
	supervisor_event(agent->supervisor, EVENT_START_REFUSED);
}

/* From 2 to 262144 to 1 to 10000, as the OCI runtimes convert it. */
static uint64_t weight_of(int64_t shares)
{
	int64_t most = 262144, capped = shares > most ? most : shares < 2 ? 2 : shares;

	return shares > 0 ? 1 + (uint64_t)(capped - 2) * 9999 / (uint64_t)(most - 2) : 0;
}

static uint64_t clock_of_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct mvm_proto_limits limits_of(const struct mvm_container_config *config)
{
	return (struct mvm_proto_limits){
		.memory_max = config->memory,
		.memory_low = (uint64_t)config->memory_reservation,
		.cpu_quota = (uint64_t)config->nano_cpus / 10000,
		.cpu_weight = weight_of(config->cpu_shares),
		.pids_max = config->pids_limit > 0 ? (uint64_t)config->pids_limit : 0,
	};
}

/* Without them programs will refuse some servers, and say so; that is no reason not to start. */
static char *load_certificates(const char *folder)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *pem = NULL;

	if (mvm_certificates_load(folder, &pem, &err) < 0)
		mvm_log(MVM_LOG_ERROR, "%s", mvm_error_message(err));
	return pem;
}

static void order_machine(struct agent *agent)
{
	const struct mvm_container_config *config = &agent->supervisor->container->config;
	struct mvm_proto_machine machine = {
		.clock = clock_of_now(),
		.hostname = config->hostname,
		.root_device = "/dev/vda",
		.root_type = "ext4",
		/* Without a journal the kernel refuses to trim, which a privileged container may want. */
		.root_scratch = config->auto_remove && !agent->supervisor->helper && !config->privileged,
		.read_only = config->read_only,
		.shm_size = (uint64_t)config->shm_size,
		.sysctls = config->sysctls.items,
	};
	char *certificates MVM_CLEAN_FREE = NULL, *bundle MVM_CLEAN_FREE = NULL;
	struct mvm_strv interfaces MVM_CLEAN_STRV = {0}, hosts MVM_CLEAN_STRV = {0}, ports MVM_CLEAN_STRV = {0};
	char *resolv_conf MVM_CLEAN_FREE = NULL;
	size_t length = 0;

	network_describe(agent->supervisor->network, &interfaces, &hosts, &resolv_conf);
	machine.interfaces = interfaces.items;
	machine.hosts = hosts.items;
	machine.resolv_conf = resolv_conf;
	machine.translators = shares_translators(agent->supervisor->shares);
	publish_describe(agent->supervisor->publish, &ports);
	machine.published_ports = ports.items;
	sockets_describe(agent->supervisor->sockets, &machine);
	if (!agent->supervisor->helper) {
		machine.limits = limits_of(config);
		machine.ca_certificates = certificates = load_certificates(agent->supervisor->container->folder);
		machine.ca_bundle = bundle = certificates ? mvm_host_ca_bundle() : NULL;
	}
	mvm_proto_encode_machine(&machine, orders_add(&agent->orders, setup_done, agent), frame_space(agent), &length);
	queued(agent, length);
}

unsigned agent_stream_port(const struct agent *agent, enum stream_kind kind)
{
	const struct mvm_container_config *config = &agent->supervisor->container->config;

	if ((kind == STREAM_STDIN && !config->open_stdin) || (kind == STREAM_STDERR && config->tty))
		return 0;
	return MVM_PROTO_STREAM_PORT + (unsigned)kind;
}

static void send_process(struct agent *agent, struct mvm_proto_process *process, agent_done_fn done, void *arg)
{
	uint32_t request = orders_add(&agent->orders, done, arg);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	size_t length = 0;

	if (mvm_proto_encode_process(process, request, frame_space(agent), &length) == 0) {
		queued(agent, length);
		return;
	}
	mvm_fail(&err, MVM_ERR_CANNOT_RUN, "command line and environment are larger than %d bytes",
		 MVM_WIRE_PAYLOAD_MAX);
	orders_answered(&agent->orders, request, err);
}

static void order_process(struct agent *agent)
{
	const struct mvm_container_config *config = &agent->supervisor->container->config;
	struct confinement confinement;
	struct mvm_proto_process process = {
		.id = CONTAINER_PROCESS,
		.argv = config->args.items,
		.env = config->env.items,
		.cwd = config->working_dir,
		.user = config->user,
		.tty = config->tty,
		.init = config->init,
		.rows = (uint16_t)agent->supervisor->rows,
		.cols = (uint16_t)agent->supervisor->cols,
		.stdin_port = agent_stream_port(agent, STREAM_STDIN),
		.stdout_port = agent_stream_port(agent, STREAM_STDOUT),
		.stderr_port = agent_stream_port(agent, STREAM_STDERR),
		.mounts = shares_mounts(agent->supervisor->shares),
	};

	process.sockets = sockets_places(agent->supervisor->sockets);
	confine_process(config, false, &confinement, &process);
	send_process(agent, &process, start_done, agent);
}

void agent_join(struct agent *agent, struct mvm_proto_process *order, bool privileged, agent_done_fn done, void *arg)
{
	struct confinement confinement;

	confine_process(&agent->supervisor->container->config, privileged, &confinement, order);
	order->join = CONTAINER_PROCESS;
	send_process(agent, order, done, arg);
}

void agent_prepare(struct agent *agent)
{
	order_machine(agent);
}

/* Both at once: the guest need not wait for a second word. */
void agent_start_process(struct agent *agent)
{
	order_machine(agent);
	order_process(agent);
}

void agent_signal(struct agent *agent, uint32_t process, int signo, agent_done_fn done, void *arg)
{
	struct mvm_proto_signal order = {.id = process, .signo = (uint32_t)signo};
	size_t length = 0;

	mvm_proto_encode_signal(&order, orders_add(&agent->orders, done, arg), frame_space(agent), &length);
	queued(agent, length);
}

void agent_resize(struct agent *agent, uint32_t process, int rows, int cols, agent_done_fn done, void *arg)
{
	struct mvm_proto_resize order = {.id = process, .rows = (uint16_t)rows, .cols = (uint16_t)cols};
	size_t length = 0;

	mvm_proto_encode_resize(&order, orders_add(&agent->orders, done, arg), frame_space(agent), &length);
	queued(agent, length);
}

static void clock_done(void *arg, const struct mvm_error *error)
{
	if (error)
		mvm_log(MVM_LOG_WARN, "the guest's clock: %s", mvm_error_message(error));
}

void agent_set_clock(struct agent *agent)
{
	struct mvm_proto_clock order = {.clock = clock_of_now()};
	size_t length = 0;

	mvm_proto_encode_clock(&order, orders_add(&agent->orders, clock_done, agent), frame_space(agent), &length);
	queued(agent, length);
}

void agent_archive(struct agent *agent, const struct mvm_proto_archive *order, agent_done_fn done, void *arg)
{
	size_t length = 0;

	mvm_proto_encode_archive(order, orders_add(&agent->orders, done, arg), frame_space(agent), &length);
	queued(agent, length);
}

void agent_stats(struct agent *agent, agent_done_fn done, void *arg)
{
	size_t length = 0;

	mvm_proto_encode_stats(orders_add(&agent->orders, done, arg), frame_space(agent), &length);
	queued(agent, length);
}

const struct mvm_proto_figures *agent_figures(const struct agent *agent)
{
	return &agent->figures;
}

void agent_processes(struct agent *agent, unsigned port, agent_done_fn done, void *arg)
{
	const struct mvm_proto_processes order = {.port = port};
	size_t length = 0;

	mvm_proto_encode_processes(&order, orders_add(&agent->orders, done, arg), frame_space(agent), &length);
	queued(agent, length);
}

void agent_update(struct agent *agent, const struct mvm_container_update *update, agent_done_fn done, void *arg)
{
	const struct mvm_container_config changed = {
		.memory = update->memory,
		.memory_reservation = update->memory_reservation,
		.nano_cpus = update->nano_cpus,
		.cpu_shares = update->cpu_shares,
		.pids_limit = update->pids_limit,
	};
	struct mvm_proto_limits limits = limits_of(&changed);
	size_t length = 0;

	if (update->has_pids_limit && !limits.pids_max)
		limits.pids_max = UINT64_MAX;
	mvm_proto_encode_update(&limits, orders_add(&agent->orders, done, arg), frame_space(agent), &length);
	queued(agent, length);
}

void agent_network(struct agent *agent, const struct mvm_proto_network *order, agent_done_fn done, void *arg)
{
	size_t length = 0;

	mvm_proto_encode_network(order, orders_add(&agent->orders, done, arg), frame_space(agent), &length);
	queued(agent, length);
}

void agent_unpack(struct agent *agent, const struct mvm_proto_unpack *order, agent_done_fn done, void *arg)
{
	size_t length = 0;

	mvm_proto_encode_unpack(order, orders_add(&agent->orders, done, arg), frame_space(agent), &length);
	queued(agent, length);
}

void agent_stat(struct agent *agent, const struct mvm_proto_stat *order, agent_done_fn done, void *arg)
{
	size_t length = 0;

	mvm_proto_encode_stat(order, orders_add(&agent->orders, done, arg), frame_space(agent), &length);
	queued(agent, length);
}

void agent_refresh(struct agent *agent, const struct mvm_proto_refresh *order, agent_done_fn done, void *arg)
{
	size_t length = 0;

	mvm_proto_encode_refresh(order, orders_add(&agent->orders, done, arg), frame_space(agent), &length);
	queued(agent, length);
}

const struct mvm_proto_reply *agent_reply(const struct agent *agent)
{
	return agent->reply;
}

bool agent_is_connected(const struct agent *agent)
{
	return agent->fd >= 0;
}

static void shutdown_done(void *arg, const struct mvm_error *error)
{
	struct agent *agent = arg;

	if (agent->fd < 0)
		return;
	if (error)
		mvm_log(MVM_LOG_WARN, "shutdown: %s", mvm_error_message(error));
	supervisor_event(agent->supervisor, EVENT_GUEST_CLOSED);
}

void agent_shutdown(struct agent *agent)
{
	size_t length = 0;

	mvm_proto_encode_shutdown(orders_add(&agent->orders, shutdown_done, agent), frame_space(agent), &length);
	queued(agent, length);
}

static int got_hello(struct agent *agent, const struct mvm_wire_frame *frame, const char **reason)
{
	char memory[4096] __attribute__((aligned(16)));
	struct mvm_proto_arena arena = {.data = memory, .size = sizeof(memory)};
	struct mvm_proto_hello hello, ours = {.version = MVM_PROTO_VERSION};
	struct mvm_buf first = agent->out;
	size_t length = 0;

	if (mvm_proto_decode_hello(frame, &arena, &hello, reason) < 0)
		return -1;
	if (hello.version < 1) {
		*reason = "its version of the protocol is not known";
		return -1;
	}
	mvm_log(MVM_LOG_INFO, "phase agent %llu us after the kernel's start", (unsigned long long)hello.uptime / 1000);
	agent->out = (struct mvm_buf){0};
	mvm_proto_encode_hello(&ours, frame_space(agent), &length);
	agent->out.length += length;
	mvm_buf_add(&agent->out, first.data, first.length);
	mvm_buf_finish(&first);
	flush_out(agent);
	supervisor_event(agent->supervisor, EVENT_AGENT_READY);
	return 0;
}

static int got_reply(struct agent *agent, const struct mvm_wire_frame *frame, const char **reason)
{
	char memory[16384] __attribute__((aligned(16)));
	struct mvm_proto_arena arena = {.data = memory, .size = sizeof(memory)};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_proto_reply reply;

	if (mvm_proto_decode_reply(frame, &arena, &reply, reason) < 0)
		return -1;
	mvm_log(MVM_LOG_INFO, "phase reply %u at %llu us of the guest", reply.request,
		(unsigned long long)reply.uptime / 1000);
	if (reply.type == MVM_PROTO_ERROR)
		guest_error(&reply, &err);
	agent->reply = &reply;
	orders_answered(&agent->orders, reply.request, err);
	agent->reply = NULL;
	return 0;
}

static int got_figures(struct agent *agent, const struct mvm_wire_frame *frame, const char **reason)
{
	if (mvm_proto_decode_figures(frame, &agent->figures, reason) < 0)
		return -1;
	orders_answered(&agent->orders, frame->request, NULL);
	agent->figures = (struct mvm_proto_figures){0};
	return 0;
}

static int got_exited(struct agent *agent, const struct mvm_wire_frame *frame, const char **reason)
{
	struct mvm_proto_exited exited;
	int exit_code;

	if (mvm_proto_decode_exited(frame, &exited, reason) < 0)
		return -1;
	mvm_log(MVM_LOG_INFO, "phase exited at %llu us of the guest", (unsigned long long)exited.uptime / 1000);
	exit_code = exited.signal ? 128 + exited.signal : exited.status;
	if (exited.id != CONTAINER_PROCESS) {
		execs_exited(agent->supervisor, exited.id, exit_code);
		return 0;
	}
	supervisor_exited(agent->supervisor, exit_code, exited.oom);
	supervisor_event(agent->supervisor, EVENT_PROCESS_EXITED);
	return 0;
}

static int got_listening(struct agent *agent, const struct mvm_wire_frame *frame, const char **reason)
{
	char memory[4096] __attribute__((aligned(16)));
	struct mvm_proto_arena arena = {.data = memory, .size = sizeof(memory)};
	struct mvm_proto_listening listening;

	if (mvm_proto_decode_listening(frame, &arena, &listening, reason) < 0)
		return -1;
	publish_found(agent->supervisor->publish, listening.ports ? listening.ports : "");
	return 0;
}

static int handle_frame(struct agent *agent, const struct mvm_wire_frame *frame, const char **reason)
{
	switch (frame->type) {
	case MVM_PROTO_HELLO:
		return got_hello(agent, frame, reason);
	case MVM_PROTO_OK:
	case MVM_PROTO_ERROR:
	case MVM_PROTO_STARTED:
		return got_reply(agent, frame, reason);
	case MVM_PROTO_FIGURES:
		return got_figures(agent, frame, reason);
	case MVM_PROTO_PROCESS_EXITED:
		return got_exited(agent, frame, reason);
	case MVM_PROTO_LISTENING:
		return got_listening(agent, frame, reason);
	default:
		return 0;
	}
}

static bool read_some(struct agent *agent)
{
	size_t room;
	void *space = mvm_wire_reader_space(&agent->reader, &room);
	ssize_t n = read(agent->fd, space, room);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		lost(agent, "the guest agent has gone");
		return false;
	}
	mvm_wire_reader_filled(&agent->reader, (size_t)n);
	orders_heard(&agent->orders);
	return true;
}

static void agent_ready(void *arg, int fd, short revents)
{
	struct agent *agent = arg;
	const char *reason = "a message is too large";
	struct mvm_wire_frame frame;
	int result = 0;

	if (revents & POLLOUT)
		flush_out(agent);
	if (agent->fd < 0 || !(revents & (POLLIN | POLLHUP | POLLERR)) || !read_some(agent))
		return;
	while (agent->fd >= 0 && (result = mvm_wire_reader_next(&agent->reader, &frame)) > 0) {
		if (handle_frame(agent, &frame, &reason) < 0) {
			result = -1;
			break;
		}
	}
	if (result < 0 && agent->fd >= 0) {
		char *why MVM_CLEAN_FREE = mvm_format("the guest agent talks nonsense: %s", reason);

		lost(agent, why);
	}
}

void agent_connected(struct agent *agent, int fd)
{
	mvm_set_nonblock(fd, true);
	agent->fd = fd;
	agent->buffer = mvm_alloc(MVM_WIRE_FRAME_MAX);
	mvm_wire_reader_init(&agent->reader, agent->buffer, MVM_WIRE_FRAME_MAX);
	agent->watch = mvm_loop_watch(agent->supervisor->loop, fd, POLLIN, agent_ready, agent);
}
