/*
 * What each request of the control socket does (runtime/state/control.h lists them).
 */
#include "clients.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/state/update.h"

#define STREAM_BUFFER	(512 * 1024)
#define RESTART_LIMIT_S 10

static void close_all(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
}

/* Refuses what has to wait for the next round. */
static bool check_not_restarting(struct client *client, json_int_t id)
{
	char *text MVM_CLEAN_FREE = NULL;

	if (!rounds_restarting(client->supervisor))
		return true;
	text = mvm_format("Container %s is restarting, wait until the container is running",
			  client->supervisor->container->config.id);
	client_refuse(client, id, MVM_ERR_CONFLICT, text);
	return false;
}

static void attach(struct client *client, json_int_t id, json_t *request)
{
	static const char *const names[STREAM_COUNT] = {"stdin", "stdout", "stderr"};
	struct supervisor *supervisor = client->supervisor;
	int theirs[STREAM_COUNT], ours[STREAM_COUNT], size = STREAM_BUFFER;
	enum stream_kind kinds[STREAM_COUNT];
	size_t count = 0;

	if (!check_not_restarting(client, id))
		return;
	for (int kind = 0; supervisor->streams && kind < STREAM_COUNT; kind++) {
		int pair[2];

		if (!json_is_true(json_object_get(request, names[kind])))
			continue;
		if (mvm_socketpair(SOCK_STREAM, pair) < 0) {
			close_all(ours, count);
			close_all(theirs, count);
			client_refuse(client, id, MVM_ERR_IO, "too many descriptors are open");
			return;
		}
		setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		kinds[count] = (enum stream_kind)kind;
		ours[count] = pair[0];
		theirs[count++] = pair[1];
	}
	client->attached = true;
	if (supervisor->streams)
		events_note(supervisor, "attach", NULL);
	for (size_t i = 0; i < count; i++)
		streams_attach(supervisor->streams, kinds[i], ours[i]);
	if (supervisor->streams)
		client_send(client, json_pack("{sI, sb}", "id", id, "ok", 1), theirs, count);
	else
		client_answer(client, id, supervisor->refusal);
	close_all(theirs, count);
}

/* One that runs is started already, as is one that its policy starts again, and one that is about to run soon will be.
 * One that is just ending comes to its end first, with the time for its last output that a stop gives. */
static void start(struct client *client, json_int_t id, json_t *request)
{
	struct supervisor *supervisor = client->supervisor;

	if (supervisor->helper) {
		client_refuse(client, id, MVM_ERR_CONFLICT,
			      "another command works on its disk, such as cp: try again when that has ended");
	} else if (supervisor->phase == PHASE_PAUSED || supervisor->phase == PHASE_PAUSING) {
		client_refuse(client, id, MVM_ERR_CONFLICT, "cannot start a paused container, try unpause instead");
	} else if (supervisor_has_process(supervisor) || rounds_restarting(supervisor)) {
		client_answer(client, id, NULL);
	} else {
		client_wait(client, id, WAIT_STARTED);
		supervisor_event(supervisor, EVENT_START);
		if (supervisor->phase >= PHASE_DRAINING && supervisor->phase < PHASE_ENDED)
			supervisor_stop(supervisor, SIGTERM, RESTART_LIMIT_S);
	}
}

static void answer_not_running(struct client *client, json_int_t id)
{
	char *text MVM_CLEAN_FREE = mvm_format("container %s is not running", client->supervisor->container->config.id);

	client_refuse(client, id, MVM_ERR_CONFLICT, text);
}

/* Refuses what needs a process where there is none. */
static bool check_running(struct client *client, json_int_t id)
{
	if (!check_not_restarting(client, id))
		return false;
	if (supervisor_has_process(client->supervisor))
		return true;
	answer_not_running(client, id);
	return false;
}

static bool is_paused(const struct supervisor *supervisor)
{
	return supervisor->phase >= PHASE_PAUSING && supervisor->phase <= PHASE_RESUMING;
}

static void answer_paused(struct client *client, json_int_t id, const char *advice)
{
	char *text MVM_CLEAN_FREE =
		mvm_format("Container %s is paused, %s", client->supervisor->container->config.id, advice);

	client_refuse(client, id, MVM_ERR_CONFLICT, text);
}

static bool is_ending_signal(const struct supervisor *supervisor, int signo)
{
	const char *name = supervisor->container->config.stop_signal;
	int its_own = SIGTERM;

	if (name)
		mvm_parse_signal(name, &its_own);
	return signo == 9 || signo == its_own;
}

/* As docker: who kills one may remove it next. */
static void kill_process(struct client *client, json_int_t id)
{
	struct supervisor *supervisor = client->supervisor;

	client_wait(client, id, WAIT_EXIT);
	supervisor_killed(supervisor);
	supervisor_signal(supervisor, SIGKILL, NULL, NULL);
	supervisor_event(supervisor, EVENT_RESUME);
}

/* Docker's rule for a restart policy: SIGKILL and the container's own signal mean its end, and where that is the usual
 * one, which docker keeps as none, any signal does. */
static bool is_final_signal(const struct supervisor *supervisor, int signo)
{
	const char *name = supervisor->container->config.stop_signal;
	int its_own = SIGTERM;

	if (name)
		mvm_parse_signal(name, &its_own);
	return its_own == SIGTERM || is_ending_signal(supervisor, signo);
}

/* There is no process between two rounds, and with such a word there will be none. */
static void signal_nobody(struct client *client, json_int_t id, int signo)
{
	rounds_stop_by_user(client->supervisor, is_final_signal(client->supervisor, signo));
	if (!client->supervisor->final) {
		client_answer(client, id, NULL);
		return;
	}
	client_wait(client, id, WAIT_EXIT);
	supervisor_event(client->supervisor, EVENT_DESTROY);
}

static void deliver_signal(struct client *client, json_int_t id, json_t *request)
{
	int64_t signo;

	if (mvm_json_get_int(request, "signo", 0, &signo, NULL) < 0 || signo < 1 || signo > 64) {
		client_refuse(client, id, MVM_ERR_USAGE, "no such signal");
		return;
	}
	if (rounds_restarting(client->supervisor)) {
		signal_nobody(client, id, (int)signo);
		return;
	}
	if (!check_running(client, id))
		return;
	rounds_stop_by_user(client->supervisor, is_final_signal(client->supervisor, (int)signo));
	if (signo == 9) {
		kill_process(client, id);
		return;
	}
	if (!is_paused(client->supervisor)) {
		supervisor_signal(client->supervisor, (int)signo, relayed, client_relay(client, id));
		return;
	}
	/* It comes when the machine goes on, which docker's way is at once for what is meant to end the container. */
	supervisor_signal(client->supervisor, (int)signo, NULL, NULL);
	if (is_ending_signal(client->supervisor, (int)signo))
		supervisor_event(client->supervisor, EVENT_RESUME);
	client_answer(client, id, NULL);
}

static void pause_machine(struct client *client, json_int_t id, json_t *request)
{
	struct supervisor *supervisor = client->supervisor;
	char *text MVM_CLEAN_FREE = mvm_format("Container %s is already paused", supervisor->container->config.id);

	if (!check_running(client, id))
		return;
	if (supervisor->phase == PHASE_PAUSED || supervisor->phase == PHASE_PAUSING) {
		client_refuse(client, id, MVM_ERR_CONFLICT, text);
		return;
	}
	client_wait(client, id, WAIT_PAUSED);
	supervisor_event(supervisor, EVENT_PAUSE);
}

static void unpause_machine(struct client *client, json_int_t id, json_t *request)
{
	struct supervisor *supervisor = client->supervisor;
	char *text MVM_CLEAN_FREE = mvm_format("Container %s is not paused", supervisor->container->config.id);

	if (!is_paused(supervisor)) {
		client_refuse(client, id, MVM_ERR_CONFLICT, text);
		return;
	}
	client_wait(client, id, WAIT_RESUMED);
	supervisor_event(supervisor, EVENT_RESUME);
}

static void stop(struct client *client, json_int_t id, json_t *request)
{
	int64_t signo, timeout;

	if (mvm_json_get_int(request, "signo", 15, &signo, NULL) < 0 ||
	    mvm_json_get_int(request, "timeout", 10, &timeout, NULL) < 0 || signo < 1 || signo > 64) {
		client_refuse(client, id, MVM_ERR_USAGE, "malformed stop request");
		return;
	}
	client->supervisor->asked_to_stop |= supervisor_has_process(client->supervisor);
	client->supervisor->kept = client->supervisor->kept || json_is_true(json_object_get(request, "keep"));
	client_wait(client, id, WAIT_EXIT);
	client->supervisor->final = true;
	if (!json_is_true(json_object_get(request, "system")))
		rounds_stop_by_user(client->supervisor, true);
	supervisor_stop(client->supervisor, (int)signo, timeout);
}

static void resize_exec(struct client *client, json_int_t id, uint32_t process, int rows, int cols)
{
	struct supervisor *supervisor = client->supervisor;

	if (execs_running(supervisor, process))
		agent_resize(supervisor->agent, process, rows, cols, relayed, client_relay(client, id));
	else
		client_refuse(client, id, MVM_ERR_CONFLICT, "that process does not run");
}

static void resize(struct client *client, json_int_t id, json_t *request)
{
	int64_t rows, cols, process;

	if (mvm_json_get_int(request, "rows", 0, &rows, NULL) < 0 ||
	    mvm_json_get_int(request, "cols", 0, &cols, NULL) < 0 ||
	    mvm_json_get_int(request, "process", CONTAINER_PROCESS, &process, NULL) < 0 || rows < 0 || cols < 0 ||
	    rows > 65535 || cols > 65535 || process < CONTAINER_PROCESS || process > UINT32_MAX) {
		client_refuse(client, id, MVM_ERR_USAGE, "malformed size");
		return;
	}
	if (process != CONTAINER_PROCESS) {
		resize_exec(client, id, (uint32_t)process, (int)rows, (int)cols);
		return;
	}
	client->supervisor->rows = (int)rows;
	client->supervisor->cols = (int)cols;
	if (client->supervisor->phase != PHASE_RUNNING) {
		client_answer(client, id, NULL);
		return;
	}
	events_note_resize(client->supervisor, (int)rows, (int)cols);
	agent_resize(client->supervisor->agent, CONTAINER_PROCESS, (int)rows, (int)cols, relayed,
		     client_relay(client, id));
}

/* The client says so before it goes; one that was killed is not known to have left. */
static void detach(struct client *client, json_int_t id, json_t *request)
{
	int64_t process;

	if (mvm_json_get_int(request, "process", CONTAINER_PROCESS, &process, NULL) == 0 &&
	    process != CONTAINER_PROCESS)
		execs_detached(client->supervisor, (uint32_t)process);
	else
		events_note(client->supervisor, "detach", NULL);
	client_answer(client, id, NULL);
}

static void exec(struct client *client, json_int_t id, json_t *request)
{
	if (is_paused(client->supervisor))
		answer_paused(client, id, "unpause the container before exec");
	else if (check_running(client, id))
		execs_add(client->supervisor, request, client_relay(client, id));
}

/* What stands still uses no more than it did, but nobody is there to say what that is. */
static void stats(struct client *client, json_int_t id, json_t *request)
{
	if (is_paused(client->supervisor))
		answer_paused(client, id, "its figures are not known");
	else if (check_running(client, id))
		stats_answer(client->supervisor, client_relay(client, id));
}

static void update(struct client *client, json_int_t id, json_t *request)
{
	struct mvm_container_update changes;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	if (mvm_container_update_from_json(request, &changes, &err) < 0)
		client_answer(client, id, err);
	else
		update_apply(client->supervisor, &changes, client_relay(client, id));
}

static void connect_network(struct client *client, json_int_t id, json_t *request)
{
	const char *endpoint = json_string_value(json_object_get(request, "endpoint"));

	if (!endpoint)
		client_refuse(client, id, MVM_ERR_USAGE, "malformed request");
	else if (is_paused(client->supervisor))
		answer_paused(client, id, "unpause the container first");
	else
		connect_apply(client->supervisor, endpoint, client_relay(client, id));
}

static void disconnect_network(struct client *client, json_int_t id, json_t *request)
{
	const char *network = json_string_value(json_object_get(request, "network"));

	if (!network)
		client_refuse(client, id, MVM_ERR_USAGE, "malformed request");
	else if (is_paused(client->supervisor))
		answer_paused(client, id, "unpause the container first");
	else
		disconnect_apply(client->supervisor, network, json_is_true(json_object_get(request, "force")),
				 client_relay(client, id));
}

/* Some room is left in the guest's message for what else is in it. */
#define ARCHIVE_TEXT_MAX 4096

static bool is_text(const char *text)
{
	return strlen(text) <= ARCHIVE_TEXT_MAX;
}

static bool read_archive_order(json_t *request, struct archive_order *order)
{
	return mvm_json_get_octets(request, "path", "", &order->path, NULL) == 0 &&
	       mvm_json_get_octets(request, "name", "", &order->name, NULL) == 0 &&
	       mvm_json_get_octets(request, "user", "", &order->user, NULL) == 0 &&
	       mvm_json_get_bool(request, "mounted", false, &order->mounted, NULL) == 0 && *order->path == '/' &&
	       is_text(order->path) && is_text(order->name) && is_text(order->user);
}

static bool can_take_archive(struct client *client, json_int_t id, enum archive_kind kind)
{
	struct supervisor *supervisor = client->supervisor;

	if (is_paused(supervisor))
		answer_paused(client, id, "unpause the container first");
	else if (!check_not_restarting(client, id))
		return false;
	else if (supervisor->phase > PHASE_RUNNING)
		client_refuse(client, id, MVM_ERR_INTERRUPTED, "the container is just ending; try again");
	else if (kind == ARCHIVE_UNPACK && supervisor->helper && !supervisor->writer)
		client_refuse(client, id, MVM_ERR_INTERRUPTED,
			      "another command reads its disk, such as export: try again when that has ended");
	else
		return true;
	return false;
}

/* Takes what the order holds. */
static void add_archive(struct client *client, json_int_t id, const struct archive_order *order)
{
	if (!can_take_archive(client, id, order->kind)) {
		free(order->path);
		free(order->name);
		free(order->user);
		return;
	}
	archives_add(client->supervisor, order, client_relay(client, id));
	if (client->supervisor->helper)
		supervisor_event(client->supervisor, EVENT_START);
}

static void processes(struct client *client, json_int_t id, json_t *request)
{
	const struct archive_order order = {.kind = ARCHIVE_PROCESSES};

	if (is_paused(client->supervisor) || check_running(client, id))
		add_archive(client, id, &order);
}

static void take_archive(struct client *client, json_int_t id, json_t *request, enum archive_kind kind)
{
	struct archive_order order = {.kind = kind};

	if (read_archive_order(request, &order)) {
		add_archive(client, id, &order);
		return;
	}
	free(order.path);
	free(order.name);
	free(order.user);
	client_refuse(client, id, MVM_ERR_USAGE, "malformed request about a path of the container");
}

static void archive(struct client *client, json_int_t id, json_t *request)
{
	take_archive(client, id, request, ARCHIVE_SEND);
}

static void changes(struct client *client, json_int_t id, json_t *request)
{
	const struct archive_order order = {
		.kind = ARCHIVE_SEND,
		.path = mvm_strdup("/"),
		.name = mvm_strdup(""),
		.changes = json_is_true(json_object_get(request, "layer")) ? MVM_CHANGES_LAYER : MVM_CHANGES_LIST,
		.freeze = json_is_true(json_object_get(request, "pause")),
	};

	add_archive(client, id, &order);
}

static void unpack(struct client *client, json_int_t id, json_t *request)
{
	take_archive(client, id, request, ARCHIVE_UNPACK);
}

static void stat_path(struct client *client, json_int_t id, json_t *request)
{
	take_archive(client, id, request, ARCHIVE_STAT);
}

/* Nobody else works with the helper: then the container is to be free when the answer comes. */
static void release(struct client *client, json_int_t id, json_t *request)
{
	struct supervisor *supervisor = client->supervisor;

	if (!supervisor->helper || supervisor->clients != client || client->next) {
		client_answer(client, id, NULL);
		return;
	}
	client_wait(client, id, WAIT_EXIT);
	supervisor_event(supervisor, EVENT_RELEASED);
}

/* Docker's followers leave at each end, and none come until it runs again. */
static void follow(struct client *client, json_int_t id, json_t *request)
{
	if (!check_not_restarting(client, id))
		return;
	client->follows = true;
	client_answer(client, id, NULL);
}

static void wait_exit(struct client *client, json_int_t id, json_t *request)
{
	client_wait(client, id, WAIT_EXIT);
}

static void ping(struct client *client, json_int_t id, json_t *request)
{
	client_answer(client, id, NULL);
}

static void destroy(struct client *client, json_int_t id, json_t *request)
{
	client_wait(client, id, WAIT_EXIT);
	client->supervisor->final = true;
	supervisor_event(client->supervisor, EVENT_DESTROY);
}

static const struct {
	const char *op;
	void (*run)(struct client *client, json_int_t id, json_t *request);
	bool by_helper; /* also where the container does not run */
} operations[] = {
	{"attach", attach, false},
	{"detach", detach, false},
	{"start", start, true},
	{"signal", deliver_signal, false},
	{"stop", stop, false},
	{"resize", resize, false},
	{"follow", follow, false},
	{"pause", pause_machine, false},
	{"unpause", unpause_machine, false},
	{"wait", wait_exit, false},
	{"ping", ping, true},
	{"archive", archive, true},
	{"changes", changes, true},
	{"unpack", unpack, true},
	{"stat", stat_path, true},
	{"release", release, true},
	{"destroy", destroy, true},
	{"exec", exec, false},
	{"stats", stats, false},
	{"update", update, true},
	{"connect", connect_network, true},
	{"disconnect", disconnect_network, true},
	{"processes", processes, false},
};

void requests_handle(struct client *client, json_t *request)
{
	const char *op = json_string_value(json_object_get(request, "op"));
	json_int_t id = json_integer_value(json_object_get(request, "id"));

	for (size_t i = 0; op && i < MVM_COUNT(operations); i++) {
		if (strcmp(op, operations[i].op))
			continue;
		if (operations[i].by_helper || !client->supervisor->helper)
			operations[i].run(client, id, request);
		else
			answer_not_running(client, id);
		return;
	}
	client_refuse(client, id, MVM_ERR_UNSUPPORTED, "this supervisor does not know that request");
}
