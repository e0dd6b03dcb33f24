/*
 * The control socket: see runtime/state/control.h for what is said over it.
 *
 * A client is a user's own process, but may be stuck: sockets are non-blocking, and who does not
 * read its answers is dropped. A dropped client loses its answers, nothing else.
 */
#include "internal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/state/control.h"

#define STREAM_BUFFER	(512 * 1024)
#define RESTART_LIMIT_S 10

struct client {
	struct client *next;
	struct supervisor *supervisor;
	struct mvm_control control;
	struct mvm_watch *watch;
	bool attached;	/* is told of the end */
	bool follows;	/* is told when the log grows */
	unsigned users; /* answers on their way from the guest; it is freed when none is left */
	bool dead;
};

struct waiter {
	struct waiter *next;
	struct client *client;
	json_int_t id;
	enum waiter_kind kind;
};

/* An order to the guest whose answer goes to a client. */
struct relay {
	struct client *client;
	json_int_t id;
};

static void release_client(struct client *client)
{
	if (client->dead && !client->users)
		free(client);
}

static void drop_client(struct client *client)
{
	struct supervisor *supervisor = client->supervisor;
	struct client **at = &supervisor->clients;

	if (client->dead)
		return;
	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	for (struct waiter **w = &supervisor->waiters; *w;) {
		struct waiter *waiter = *w;

		if (waiter->client != client) {
			w = &waiter->next;
			continue;
		}
		*w = waiter->next;
		free(waiter);
	}
	mvm_watch_remove(client->watch);
	mvm_control_finish(&client->control);
	client->dead = true;
	release_client(client);
	execs_left(supervisor);
	/* Whoever was to order the start is gone, and nobody else will. */
	if (!supervisor->clients)
		supervisor_event(supervisor, supervisor->helper ? EVENT_DESTROY : EVENT_ABANDONED);
}

static void send_message(struct client *client, json_t *message, const int *fds, size_t count)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	if (client->dead) {
		json_decref(message);
	} else if (mvm_control_send(&client->control, message, fds, count, &err) < 0) {
		mvm_log(MVM_LOG_INFO, "client dropped: %s", mvm_error_message(err));
		drop_client(client);
	}
}

static void answer(struct client *client, json_int_t id, const struct mvm_error *error)
{
	json_t *message = json_pack("{sI}", "id", id);

	if (error)
		json_object_set_new(message, "error", mvm_control_error_to_json(error));
	else
		json_object_set_new(message, "ok", json_true());
	send_message(client, message, NULL, 0);
}

static void answer_failure(struct client *client, json_int_t id, enum mvm_error_code code, const char *text)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	mvm_fail(&err, code, "%s", text);
	answer(client, id, err);
}

static void wait_for(struct client *client, json_int_t id, enum waiter_kind kind)
{
	struct waiter *waiter = mvm_alloc(sizeof(*waiter));

	*waiter = (struct waiter){.next = client->supervisor->waiters, .client = client, .id = id, .kind = kind};
	client->supervisor->waiters = waiter;
}

/* Takes the waiters of one kind off the list; answering one may drop others. */
static struct waiter *next_waiter(struct supervisor *supervisor, enum waiter_kind kind)
{
	for (struct waiter **at = &supervisor->waiters; *at; at = &(*at)->next) {
		struct waiter *waiter = *at;

		if (waiter->kind != kind)
			continue;
		*at = waiter->next;
		return waiter;
	}
	return NULL;
}

void clients_answer(struct supervisor *supervisor, enum waiter_kind kind, const struct mvm_error *error)
{
	struct waiter *waiter;

	while ((waiter = next_waiter(supervisor, kind))) {
		answer(waiter->client, waiter->id, error);
		free(waiter);
	}
}

void clients_started(struct supervisor *supervisor, const struct mvm_error *error)
{
	clients_answer(supervisor, WAIT_STARTED, error);
}

void clients_ended(struct supervisor *supervisor)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	mvm_fail(&err, MVM_ERR_INTERRUPTED, "the container has just ended");
	clients_started(supervisor, supervisor->refusal ? supervisor->refusal : err);
	clients_answer(supervisor, WAIT_PAUSED, err);
	clients_answer(supervisor, WAIT_RESUMED, err);
}

static json_t *exit_message(struct supervisor *supervisor)
{
	const struct mvm_container_state *state = &supervisor->container->state;

	return json_pack("{sI, so*}", "exit_code", (json_int_t)state->exit_code, "error",
			 state->error ? mvm_json_message(state->error) : NULL);
}

void clients_exited(struct supervisor *supervisor)
{
	struct waiter *waiter;

	while ((waiter = next_waiter(supervisor, WAIT_EXIT))) {
		json_t *message = exit_message(supervisor);

		json_object_set_new(message, "id", json_integer(waiter->id));
		json_object_set_new(message, "ok", json_true());
		send_message(waiter->client, message, NULL, 0);
		free(waiter);
	}
	for (struct client *client = supervisor->clients, *next; client; client = next) {
		json_t *message;

		next = client->next;
		if (!client->attached)
			continue;
		message = exit_message(supervisor);
		json_object_set_new(message, "event", json_string("exit"));
		send_message(client, message, NULL, 0);
	}
}

void clients_notice(struct supervisor *supervisor, const char *text)
{
	for (struct client *client = supervisor->clients, *next; client; client = next) {
		next = client->next;
		send_message(client, json_pack("{ss, ss}", "event", "notice", "text", text), NULL, 0);
	}
}

void clients_logged(struct supervisor *supervisor)
{
	for (struct client *client = supervisor->clients, *next; client; client = next) {
		json_t *message;

		next = client->next;
		if (!client->follows)
			continue;
		/* A follower that lags has word of growth waiting already; one more would say nothing new. */
		message = json_pack("{ss}", "event", "log");
		mvm_control_send(&client->control, message, NULL, 0, NULL);
	}
}

static void close_all(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
}

static void attach(struct client *client, json_int_t id, json_t *request)
{
	static const char *const names[STREAM_COUNT] = {"stdin", "stdout", "stderr"};
	struct supervisor *supervisor = client->supervisor;
	int theirs[STREAM_COUNT], ours[STREAM_COUNT], size = STREAM_BUFFER;
	enum stream_kind kinds[STREAM_COUNT];
	size_t count = 0;

	for (int kind = 0; supervisor->streams && kind < STREAM_COUNT; kind++) {
		int pair[2];

		if (!json_is_true(json_object_get(request, names[kind])))
			continue;
		if (mvm_socketpair(SOCK_STREAM, pair) < 0) {
			close_all(ours, count);
			close_all(theirs, count);
			answer_failure(client, id, MVM_ERR_IO, "too many descriptors are open");
			return;
		}
		setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		kinds[count] = (enum stream_kind)kind;
		ours[count] = pair[0];
		theirs[count++] = pair[1];
	}
	client->attached = true;
	for (size_t i = 0; i < count; i++)
		streams_attach(supervisor->streams, kinds[i], ours[i]);
	if (supervisor->streams)
		send_message(client, json_pack("{sI, sb}", "id", id, "ok", 1), theirs, count);
	else
		answer(client, id, supervisor->refusal);
	close_all(theirs, count);
}

/* One that runs is started already, and one that is about to run soon will be. One that is just ending comes to
 * its end first, with the time for its last output that a stop gives. */
static void start(struct client *client, json_int_t id, json_t *request)
{
	struct supervisor *supervisor = client->supervisor;

	if (supervisor->helper) {
		answer_failure(client, id, MVM_ERR_CONFLICT,
			       "another command reads its disk, such as export: try again when that has ended");
	} else if (supervisor->phase == PHASE_PAUSED || supervisor->phase == PHASE_PAUSING) {
		answer_failure(client, id, MVM_ERR_CONFLICT, "cannot start a paused container, try unpause instead");
	} else if (supervisor_has_process(supervisor)) {
		answer(client, id, NULL);
	} else {
		wait_for(client, id, WAIT_STARTED);
		supervisor_event(supervisor, EVENT_START);
		if (supervisor->phase >= PHASE_DRAINING && supervisor->phase < PHASE_ENDED)
			supervisor_stop(supervisor, SIGTERM, RESTART_LIMIT_S);
	}
}

void relay_release(struct relay *relay)
{
	relay->client->users--;
	release_client(relay->client);
	free(relay);
}

void relayed(void *arg, const struct mvm_error *error)
{
	struct relay *relay = arg;

	answer(relay->client, relay->id, error);
	relay_release(relay);
}

void relay_message(struct relay *relay, json_t *message, const int *fds, size_t count)
{
	json_object_set_new(message, "id", json_integer(relay->id));
	send_message(relay->client, message, fds, count);
}

bool relay_is_dead(const struct relay *relay)
{
	return relay->client->dead;
}

void relay_stream(struct relay *relay, int fd)
{
	relay_message(relay, json_pack("{ss}", "event", "stream"), &fd, 1);
	close(fd);
}

static struct relay *relay_create(struct client *client, json_int_t id)
{
	struct relay *relay = mvm_alloc(sizeof(*relay));

	*relay = (struct relay){.client = client, .id = id};
	client->users++;
	return relay;
}

static void answer_not_running(struct client *client, json_int_t id)
{
	char *text MVM_CLEAN_FREE = mvm_format("container %s is not running", client->supervisor->container->config.id);

	answer_failure(client, id, MVM_ERR_CONFLICT, text);
}

/* Refuses what needs a process where there is none. */
static bool check_running(struct client *client, json_int_t id)
{
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

	answer_failure(client, id, MVM_ERR_CONFLICT, text);
}

static bool is_ending_signal(const struct supervisor *supervisor, int signo)
{
	const char *name = supervisor->container->config.stop_signal;
	int its_own = SIGTERM;

	if (name)
		mvm_parse_signal(name, &its_own);
	return signo == 9 || signo == its_own;
}

static void deliver_signal(struct client *client, json_int_t id, json_t *request)
{
	int64_t signo;

	if (mvm_json_get_int(request, "signo", 0, &signo, NULL) < 0 || signo < 1 || signo > 64) {
		answer_failure(client, id, MVM_ERR_USAGE, "no such signal");
		return;
	}
	if (!check_running(client, id))
		return;
	if (signo == 9)
		supervisor_killed(client->supervisor);
	if (!is_paused(client->supervisor)) {
		agent_signal(client->supervisor->agent, (int)signo, relayed, relay_create(client, id));
		return;
	}
	/* It comes when the machine goes on, which docker's way is at once for what is meant to end the container. */
	agent_signal(client->supervisor->agent, (int)signo, NULL, NULL);
	if (is_ending_signal(client->supervisor, (int)signo))
		supervisor_event(client->supervisor, EVENT_RESUME);
	answer(client, id, NULL);
}

static void pause_machine(struct client *client, json_int_t id, json_t *request)
{
	struct supervisor *supervisor = client->supervisor;
	char *text MVM_CLEAN_FREE = mvm_format("Container %s is already paused", supervisor->container->config.id);

	if (!check_running(client, id))
		return;
	if (supervisor->phase == PHASE_PAUSED || supervisor->phase == PHASE_PAUSING) {
		answer_failure(client, id, MVM_ERR_CONFLICT, text);
		return;
	}
	wait_for(client, id, WAIT_PAUSED);
	supervisor_event(supervisor, EVENT_PAUSE);
}

static void unpause_machine(struct client *client, json_int_t id, json_t *request)
{
	struct supervisor *supervisor = client->supervisor;
	char *text MVM_CLEAN_FREE = mvm_format("Container %s is not paused", supervisor->container->config.id);

	if (!is_paused(supervisor)) {
		answer_failure(client, id, MVM_ERR_CONFLICT, text);
		return;
	}
	wait_for(client, id, WAIT_RESUMED);
	supervisor_event(supervisor, EVENT_RESUME);
}

static void stop(struct client *client, json_int_t id, json_t *request)
{
	int64_t signo, timeout;

	if (mvm_json_get_int(request, "signo", 15, &signo, NULL) < 0 ||
	    mvm_json_get_int(request, "timeout", 10, &timeout, NULL) < 0 || signo < 1 || signo > 64) {
		answer_failure(client, id, MVM_ERR_USAGE, "malformed stop request");
		return;
	}
	client->supervisor->kept = client->supervisor->kept || json_is_true(json_object_get(request, "keep"));
	wait_for(client, id, WAIT_EXIT);
	supervisor_stop(client->supervisor, (int)signo, timeout);
}

static void resize_exec(struct client *client, json_int_t id, uint32_t process, int rows, int cols)
{
	struct supervisor *supervisor = client->supervisor;

	if (execs_running(supervisor, process))
		agent_resize(supervisor->agent, process, rows, cols, relayed, relay_create(client, id));
	else
		answer_failure(client, id, MVM_ERR_CONFLICT, "that process does not run");
}

static void resize(struct client *client, json_int_t id, json_t *request)
{
	int64_t rows, cols, process;

	if (mvm_json_get_int(request, "rows", 0, &rows, NULL) < 0 ||
	    mvm_json_get_int(request, "cols", 0, &cols, NULL) < 0 ||
	    mvm_json_get_int(request, "process", CONTAINER_PROCESS, &process, NULL) < 0 || rows < 0 || cols < 0 ||
	    rows > 65535 || cols > 65535 || process < CONTAINER_PROCESS || process > UINT32_MAX) {
		answer_failure(client, id, MVM_ERR_USAGE, "malformed size");
		return;
	}
	if (process != CONTAINER_PROCESS) {
		resize_exec(client, id, (uint32_t)process, (int)rows, (int)cols);
		return;
	}
	client->supervisor->rows = (int)rows;
	client->supervisor->cols = (int)cols;
	if (client->supervisor->phase == PHASE_RUNNING)
		agent_resize(client->supervisor->agent, CONTAINER_PROCESS, (int)rows, (int)cols, relayed,
			     relay_create(client, id));
	else
		answer(client, id, NULL);
}

static void exec(struct client *client, json_int_t id, json_t *request)
{
	if (is_paused(client->supervisor))
		answer_paused(client, id, "unpause the container before exec");
	else if (check_running(client, id))
		execs_add(client->supervisor, request, relay_create(client, id));
}

/* Some room is left in the guest's message for what else is in it. */
#define ARCHIVE_PATH_MAX 4096

static void archive(struct client *client, json_int_t id, json_t *request)
{
	struct supervisor *supervisor = client->supervisor;
	const char *path, *name;

	if (mvm_json_get_string(request, "path", "", &path, NULL) < 0 ||
	    mvm_json_get_string(request, "name", "", &name, NULL) < 0 || *path != '/' ||
	    strlen(path) > ARCHIVE_PATH_MAX || strlen(name) > ARCHIVE_PATH_MAX) {
		answer_failure(client, id, MVM_ERR_USAGE, "malformed archive request");
		return;
	}
	if (is_paused(supervisor)) {
		answer_paused(client, id, "unpause the container first");
		return;
	}
	if (supervisor->phase > PHASE_RUNNING) {
		answer_failure(client, id, MVM_ERR_CONFLICT, "the container is just ending; try again");
		return;
	}
	archives_add(supervisor, path, name, relay_create(client, id));
	if (supervisor->helper)
		supervisor_event(supervisor, EVENT_START);
}

/* Nobody else works with the helper: then the container is to be free when the answer comes. */
static void release(struct client *client, json_int_t id, json_t *request)
{
	struct supervisor *supervisor = client->supervisor;

	if (!supervisor->helper || supervisor->clients != client || client->next) {
		answer(client, id, NULL);
		return;
	}
	wait_for(client, id, WAIT_EXIT);
	supervisor_event(supervisor, EVENT_DESTROY);
}

static void follow(struct client *client, json_int_t id, json_t *request)
{
	client->follows = true;
	answer(client, id, NULL);
}

static void wait_exit(struct client *client, json_int_t id, json_t *request)
{
	wait_for(client, id, WAIT_EXIT);
}

static void destroy(struct client *client, json_int_t id, json_t *request)
{
	wait_for(client, id, WAIT_EXIT);
	supervisor_event(client->supervisor, EVENT_DESTROY);
}

static const struct {
	const char *op;
	void (*run)(struct client *client, json_int_t id, json_t *request);
	bool by_helper; /* also where the container does not run */
} operations[] = {
	{"attach", attach, false},
	{"start", start, true},
	{"signal", deliver_signal, false},
	{"stop", stop, false},
	{"resize", resize, false},
	{"follow", follow, false},
	{"pause", pause_machine, false},
	{"unpause", unpause_machine, false},
	{"wait", wait_exit, false},
	{"archive", archive, true},
	{"release", release, true},
	{"destroy", destroy, true},
	{"exec", exec, false},
};

static void handle(struct client *client, json_t *request)
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
	answer_failure(client, id, MVM_ERR_UNSUPPORTED, "this supervisor does not know that request");
}

static void client_ready(void *arg, int fd, short revents)
{
	struct client *client = arg;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	client->users++;
	while (!client->dead) {
		json_t *request MVM_CLEAN_JSON = NULL;
		int result = mvm_control_receive(&client->control, &request, &err);

		if (result == MVM_CONTROL_AGAIN)
			break;
		if (result == 0) {
			handle(client, request);
			continue;
		}
		if (result < 0)
			mvm_log(MVM_LOG_WARN, "%s", mvm_error_message(err));
		drop_client(client);
	}
	client->users--;
	release_client(client);
}

void clients_add(struct supervisor *supervisor, int fd)
{
	struct client *client = mvm_alloc(sizeof(*client));

	mvm_set_nonblock(fd, true);
	client->supervisor = supervisor;
	mvm_control_init(&client->control, fd);
	client->watch = mvm_loop_watch(supervisor->loop, fd, POLLIN, client_ready, client);
	client->next = supervisor->clients;
	supervisor->clients = client;
}

static void accept_client(void *arg, int listen_fd, short revents)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	int fd = accept(listen_fd, NULL, NULL);

	if (fd < 0)
		return;
	mvm_set_cloexec(fd, true);
	if (mvm_control_check_peer(fd, &err) < 0) {
		mvm_log(MVM_LOG_WARN, "%s", mvm_error_message(err));
		close(fd);
		return;
	}
	clients_add(arg, fd);
}

int clients_listen(struct supervisor *supervisor, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = NULL;

	if (mvm_state_place_socket(supervisor->state, supervisor->container->config.id, &path, err) < 0 ||
	    mvm_control_listen(path, &supervisor->listen_fd, err) < 0)
		return -1;
	mvm_set_nonblock(supervisor->listen_fd, true);
	supervisor->listen_watch =
		mvm_loop_watch(supervisor->loop, supervisor->listen_fd, POLLIN, accept_client, supervisor);
	return 0;
}

void clients_destroy(struct supervisor *supervisor)
{
	mvm_watch_remove(supervisor->listen_watch);
	mvm_close(&supervisor->listen_fd);
	while (supervisor->clients)
		drop_client(supervisor->clients);
}
