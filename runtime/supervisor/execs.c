/*
 * Execs: processes that join the container's, each with streams of its own. The connections that the guest makes for
 * them go to the client as they are; no byte passes through here while the client is there. A second descriptor of
 * each output is kept: when the client goes away before the process, what comes is read and dropped, so that the
 * process neither stalls nor meets a broken pipe.
 *
 * Each exec is an object with a state, and one table says what an event means to it. The guest starts one process
 * after the other anyway, so only a few are ordered at a time; this bounds the ports that are listened on.
 */
#include "internal.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"

enum {
	ORDERED_MAX = 8,
	DRAIN_SIZE = 64 * 1024,
	PORTS = STREAM_COUNT, /* of each, though few have all */
	CUT_STATUS = 137,     /* what the container's end is for its processes */
	DEAD_STATUS = 255,
	EVENT_ID_BYTES = 32, /* as docker's */
};

enum state {
	STATE_WAITING, /* for others that are being started */
	STATE_ORDERED, /* the guest has the order */
	STATE_JOINED,  /* it runs; the streams are the client's */
	STATE_ALONE,   /* it runs, the client has gone or never wanted more */
	STATE_ENDED,   /* the client knows, and may still be reading */
	STATE_REMAINS, /* ended, without a client; what it has left behind may still write */
	STATE_GONE,
	STATE_COUNT
};

enum exec_event {
	EXEC_ORDER,   /* it is its turn */
	EXEC_READY,   /* it runs, and all its streams have come */
	EXEC_REFUSED, /* the guest could not start it, or nobody could ask it to */
	EXEC_EXITED,
	EXEC_LEFT,  /* by its client */
	EXEC_EMPTY, /* no output is left to drain */
	EXEC_CUT,   /* the machine is gone */
	EXEC_EVENT_COUNT
};

struct exec {
	struct exec *next;
	struct supervisor *supervisor;
	enum state state;
	const struct exec_peer *peer; /* NULL once it has gone */
	void *arg;		      /* the peer's */
	json_t *request;	      /* as it was made, until it is ordered */
	uint32_t id;
	char event_id[EVENT_ID_BYTES * 2 + 1]; /* what events call it */
	bool wanted[STREAM_COUNT];
	int fds[STREAM_COUNT]; /* from the guest, -1 for none */
	struct mvm_watch *drains[STREAM_COUNT];
	struct mvm_error *refusal;
	bool started, exited;
	int exit_code;
};

static void exec_event(struct exec *exec, enum exec_event event);

static unsigned port_of(const struct exec *exec, int kind)
{
	return EXEC_PORT + exec->id * PORTS + (unsigned)kind;
}

/* The order */

static int listen_for(struct exec *exec, struct mvm_proto_process *order, struct mvm_error **err)
{
	uint32_t *const ports[STREAM_COUNT] = {&order->stdin_port, &order->stdout_port, &order->stderr_port};

	for (int kind = 0; kind < STREAM_COUNT; kind++) {
		if (!exec->wanted[kind])
			continue;
		*ports[kind] = port_of(exec, kind);
		if (mvm_vsock_listen(exec->supervisor->vsock, *ports[kind], err) < 0)
			return -1;
	}
	return 0;
}

static void check_ready(struct exec *exec)
{
	for (int kind = 0; kind < STREAM_COUNT; kind++)
		if (exec->wanted[kind] && exec->fds[kind] < 0)
			return;
	if (exec->started)
		exec_event(exec, EXEC_READY);
}

static void refuse(struct exec *exec, const struct mvm_error *error)
{
	mvm_fail(&exec->refusal, mvm_error_code(error), "%s", mvm_error_message(error));
	exec_event(exec, EXEC_REFUSED);
}

static void not_running(const struct exec *exec, struct mvm_error **err)
{
	mvm_fail(err, MVM_ERR_CONFLICT, "container %s is not running", exec->supervisor->container->config.id);
}

/* To docker all that keeps a program from being started is 126 or 127; but there may be nothing to join any more. */
static void refuse_start(struct exec *exec, const struct mvm_error *error)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	enum mvm_error_code code = mvm_error_code(error);

	if (code == MVM_ERR_CONFLICT)
		not_running(exec, &err);
	else
		mvm_fail(&err, code == MVM_ERR_NO_PROGRAM ? code : MVM_ERR_CANNOT_RUN, "%s", mvm_error_message(error));
	refuse(exec, err);
}

/* What ended the machine is known only later: execs_end(). */
static void start_done(void *arg, const struct mvm_error *error)
{
	struct exec *exec = arg;

	if (error && !agent_is_connected(exec->supervisor->agent))
		return;
	if (error) {
		refuse_start(exec, error);
		return;
	}
	exec->started = true;
	check_ready(exec);
}

static int read_request(const json_t *request, struct mvm_strv *args, struct mvm_strv *env,
			struct mvm_proto_process *order, struct mvm_error **err)
{
	int64_t rows, cols;

	if (mvm_json_get_strings(request, "args", args, err) < 0 ||
	    mvm_json_get_strings(request, "env", env, err) < 0 ||
	    mvm_json_get_string(request, "cwd", "", &order->cwd, err) < 0 ||
	    mvm_json_get_string(request, "user", "", &order->user, err) < 0 ||
	    mvm_json_get_bool(request, "tty", false, &order->tty, err) < 0 ||
	    mvm_json_get_int(request, "rows", 0, &rows, err) < 0 ||
	    mvm_json_get_int(request, "cols", 0, &cols, err) < 0)
		return -1;
	if (!args->count || rows < 0 || cols < 0 || rows > UINT16_MAX || cols > UINT16_MAX)
		return mvm_fail(err, MVM_ERR_USAGE, "malformed exec request");
	order->argv = args->items;
	order->env = env->items;
	order->rows = (uint16_t)rows;
	order->cols = (uint16_t)cols;
	return 0;
}

static void order(struct exec *exec)
{
	const json_t *words = json_object_get(exec->request, "args");
	struct mvm_strv args MVM_CLEAN_STRV = {0}, env MVM_CLEAN_STRV = {0};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_proto_process message = {.id = exec->id};
	bool privileged = json_is_true(json_object_get(exec->request, "privileged"));

	events_note_exec(exec->supervisor, "exec_start", words, exec->event_id);
	if (read_request(exec->request, &args, &env, &message, &err) < 0 || listen_for(exec, &message, &err) < 0)
		refuse(exec, err);
	else
		agent_join(exec->supervisor->agent, &message, privileged, start_done, exec);
}

/* The answers */

static void leave(struct exec *exec)
{
	const struct exec_peer *peer = exec->peer;

	exec->peer = NULL;
	if (peer)
		peer->left(exec->arg);
}

/* Input is the client's alone: its end is that of the process's. */
static void close_stream(struct exec *exec, int kind)
{
	mvm_watch_remove(exec->drains[kind]);
	exec->drains[kind] = NULL;
	mvm_close(&exec->fds[kind]);
}

/* Who wanted no streams is done when it knows; who has gone without a word may only be found out now. */
static void check_left(struct exec *exec)
{
	if (!exec->wanted[STREAM_STDOUT] || (exec->peer && exec->peer->gone(exec->arg)))
		exec_event(exec, EXEC_LEFT);
}

/* What came before its turn has its effect now. */
static void hand_over(struct exec *exec)
{
	exec->peer->started(exec->arg, exec->id, exec->fds);
	close_stream(exec, STREAM_STDIN);
	check_left(exec);
	if (exec->exited)
		exec_event(exec, EXEC_EXITED);
}

static void tell_exit(struct exec *exec)
{
	exec->peer->ended(exec->arg, exec->exit_code, NULL);
	check_left(exec);
}

static void answer_refusal(struct exec *exec)
{
	const struct exec_peer *peer = exec->peer;

	exec->peer = NULL;
	peer->refused(exec->arg, exec->refusal);
}

static void end_start(struct exec *exec)
{
	events_note_exec_die(exec->supervisor, exec->event_id, mvm_error_run_status(exec->refusal));
	answer_refusal(exec);
}

static void cut_start(struct exec *exec)
{
	not_running(exec, &exec->refusal);
	answer_refusal(exec);
}

static void cut_short(struct exec *exec)
{
	const char *error = exec->supervisor->container->state.error;

	exec->peer->ended(exec->arg, error ? DEAD_STATUS : CUT_STATUS, error);
	leave(exec);
}

/* Without a client */

static void check_empty(struct exec *exec)
{
	if (exec->fds[STREAM_STDOUT] < 0 && exec->fds[STREAM_STDERR] < 0)
		exec_event(exec, EXEC_EMPTY);
}

static void drain_ready(void *arg, int fd, short revents)
{
	static char nowhere[DRAIN_SIZE];
	struct exec *exec = arg;
	ssize_t n = read(fd, nowhere, sizeof(nowhere));

	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	close_stream(exec, exec->fds[STREAM_STDOUT] == fd ? STREAM_STDOUT : STREAM_STDERR);
	check_empty(exec);
}

static void drain(struct exec *exec)
{
	leave(exec);
	for (int kind = STREAM_STDOUT; kind < STREAM_COUNT; kind++) {
		if (exec->fds[kind] < 0)
			continue;
		mvm_set_nonblock(exec->fds[kind], true);
		exec->drains[kind] = mvm_loop_watch(exec->supervisor->loop, exec->fds[kind], POLLIN, drain_ready, exec);
	}
	check_empty(exec);
}

struct exec_transition {
	enum state next;
	void (*action)(struct exec *exec);
};

/* GONE frees the exec after its action. */
/* clang-format off */
static const struct exec_transition table[STATE_COUNT][EXEC_EVENT_COUNT] = {
	[STATE_WAITING] = {
		[EXEC_ORDER]   = {STATE_ORDERED, order},
		[EXEC_LEFT]    = {STATE_GONE,    leave},
		[EXEC_CUT]     = {STATE_GONE,    cut_start},
	},
	[STATE_ORDERED] = {
		[EXEC_READY]   = {STATE_JOINED,  hand_over},
		[EXEC_REFUSED] = {STATE_GONE,    end_start},
		[EXEC_CUT]     = {STATE_GONE,    cut_start},
	},
	[STATE_JOINED] = {
		[EXEC_EXITED]  = {STATE_ENDED,   tell_exit},
		[EXEC_LEFT]    = {STATE_ALONE,   drain},
		[EXEC_CUT]     = {STATE_GONE,    cut_short},
	},
	[STATE_ALONE] = {
		[EXEC_EXITED]  = {STATE_REMAINS, check_empty},
		[EXEC_CUT]     = {STATE_GONE,    leave},
	},
	[STATE_ENDED] = {
		[EXEC_LEFT]    = {STATE_REMAINS, drain},
		[EXEC_CUT]     = {STATE_GONE,    leave},
	},
	[STATE_REMAINS] = {
		[EXEC_EMPTY]   = {STATE_GONE,    leave},
		[EXEC_CUT]     = {STATE_GONE,    leave},
	},
};
/* clang-format on */

static void destroy(struct exec *exec)
{
	struct exec **at = &exec->supervisor->execs;

	while (*at != exec)
		at = &(*at)->next;
	*at = exec->next;
	for (int kind = 0; kind < STREAM_COUNT; kind++) {
		if (exec->wanted[kind] && exec->supervisor->vsock)
			mvm_vsock_unlisten(exec->supervisor->vsock, port_of(exec, kind));
		close_stream(exec, kind);
	}
	json_decref(exec->request);
	mvm_error_free(exec->refusal);
	free(exec);
}

static void order_next(struct supervisor *supervisor)
{
	unsigned ordered = 0;
	struct exec *waiting = NULL;

	for (struct exec *exec = supervisor->execs; exec; exec = exec->next) {
		ordered += exec->state == STATE_ORDERED;
		if (exec->state == STATE_WAITING && !waiting)
			waiting = exec;
	}
	if (waiting && ordered < ORDERED_MAX && supervisor_has_process(supervisor))
		exec_event(waiting, EXEC_ORDER);
}

/* The exec may be gone when this returns. */
static void exec_event(struct exec *exec, enum exec_event event)
{
	const struct exec_transition *transition = &table[exec->state][event];
	struct supervisor *supervisor = exec->supervisor;
	bool was_ordered = exec->state == STATE_ORDERED;

	if (!transition->action)
		return;
	exec->state = transition->next;
	transition->action(exec);
	if (transition->next == STATE_GONE)
		destroy(exec);
	if (was_ordered)
		order_next(supervisor);
}

/* From outside */

void execs_run(struct supervisor *supervisor, json_t *request, const struct exec_peer *peer, void *arg)
{
	static const char *const names[STREAM_COUNT] = {"stdin", "stdout", "stderr"};
	struct exec *exec = mvm_alloc(sizeof(*exec)), **at = &supervisor->execs;
	unsigned char random[EVENT_ID_BYTES];

	*exec = (struct exec){
		.supervisor = supervisor,
		.peer = peer,
		.arg = arg,
		.request = json_incref(request),
		.id = CONTAINER_PROCESS + ++supervisor->exec_count,
	};
	for (int kind = 0; kind < STREAM_COUNT; kind++) {
		exec->wanted[kind] = json_is_true(json_object_get(request, names[kind]));
		exec->fds[kind] = -1;
	}
	while (*at)
		at = &(*at)->next;
	*at = exec;
	mvm_random(random, sizeof(random));
	mvm_hex(random, sizeof(random), exec->event_id);
	events_note_exec(supervisor, "exec_create", json_object_get(request, "args"), exec->event_id);
	order_next(supervisor);
}

/* A client is told in the words of control.h, and gets the connections themselves. */

static void tell_started(void *arg, uint32_t process, const int fds[STREAM_COUNT])
{
	int given[STREAM_COUNT];
	size_t count = 0;

	for (int kind = 0; kind < STREAM_COUNT; kind++)
		if (fds[kind] >= 0)
			given[count++] = fds[kind];
	relay_message(arg, json_pack("{sb, sI}", "ok", 1, "process", (json_int_t)process), given, count);
}

static void tell_ended(void *arg, int exit_code, const char *error)
{
	json_t *message = json_pack("{ss, si, so*}", "event", "exit", "exit_code", exit_code, "error",
				    error ? mvm_json_message(error) : NULL);

	relay_message(arg, message, NULL, 0);
}

static void release_client(void *arg)
{
	relay_release(arg);
}

static bool client_has_gone(const void *arg)
{
	return relay_is_dead(arg);
}

void execs_add(struct supervisor *supervisor, json_t *request, struct relay *relay)
{
	static const struct exec_peer client = {
		.started = tell_started,
		.refused = relayed,
		.ended = tell_ended,
		.left = release_client,
		.gone = client_has_gone,
	};

	execs_run(supervisor, request, &client, relay);
}

static struct exec *find(const struct supervisor *supervisor, uint32_t id)
{
	struct exec *exec = supervisor->execs;

	while (exec && exec->id != id)
		exec = exec->next;
	return exec;
}

void execs_connected(struct supervisor *supervisor, unsigned port, int fd)
{
	struct exec *exec = find(supervisor, (port - EXEC_PORT) / PORTS);
	unsigned kind = (port - EXEC_PORT) % PORTS;

	if (!exec || exec->state != STATE_ORDERED || !exec->wanted[kind] || exec->fds[kind] >= 0) {
		close(fd);
		return;
	}
	exec->fds[kind] = fd;
	check_ready(exec);
}

void execs_exited(struct supervisor *supervisor, uint32_t id, int exit_code)
{
	struct exec *exec = find(supervisor, id);

	if (!exec || exec->exited)
		return;
	exec->exited = true;
	exec->exit_code = exit_code;
	events_note_exec_die(supervisor, exec->event_id, exit_code);
	exec_event(exec, EXEC_EXITED);
}

bool execs_running(const struct supervisor *supervisor, uint32_t id)
{
	const struct exec *exec = find(supervisor, id);

	return exec && exec->started && !exec->exited;
}

void execs_detached(struct supervisor *supervisor, uint32_t id)
{
	const struct exec *exec = find(supervisor, id);

	if (exec)
		events_note(supervisor, "exec_detach", (const char *const[]){"execID", exec->event_id, NULL});
}

void execs_left(struct supervisor *supervisor)
{
	for (struct exec *exec = supervisor->execs, *next; exec; exec = next) {
		next = exec->next;
		if (exec->peer && exec->peer->gone(exec->arg))
			exec_event(exec, EXEC_LEFT);
	}
}

void execs_end(struct supervisor *supervisor)
{
	while (supervisor->execs)
		exec_event(supervisor->execs, EXEC_CUT);
}
