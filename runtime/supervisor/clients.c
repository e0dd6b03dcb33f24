/*
 * The control socket: see runtime/state/control.h for what is said over it.
 *
 * A client is a user's own process, but may be stuck: sockets are non-blocking, and who does not
 * read its answers is dropped. A dropped client loses its answers, nothing else.
 */
#include "clients.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"

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
	archives_left(supervisor);
	/* Whoever was to order the start is gone, and nobody else will. */
	if (!supervisor->clients)
		supervisor_event(supervisor, supervisor->helper ? EVENT_RELEASED : EVENT_ABANDONED);
}

void client_send(struct client *client, json_t *message, const int *fds, size_t count)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	if (client->dead) {
		json_decref(message);
	} else if (mvm_control_send(&client->control, message, fds, count, &err) < 0) {
		mvm_log(MVM_LOG_INFO, "client dropped: %s", mvm_error_message(err));
		drop_client(client);
	}
}

void client_answer(struct client *client, json_int_t id, const struct mvm_error *error)
{
	json_t *message = json_pack("{sI}", "id", id);

	if (error)
		json_object_set_new(message, "error", mvm_control_error_to_json(error));
	else
		json_object_set_new(message, "ok", json_true());
	client_send(client, message, NULL, 0);
}

void client_refuse(struct client *client, json_int_t id, enum mvm_error_code code, const char *text)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	mvm_fail(&err, code, "%s", text);
	client_answer(client, id, err);
}

void client_wait(struct client *client, json_int_t id, enum waiter_kind kind)
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
		client_answer(waiter->client, waiter->id, error);
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

void clients_between_rounds(struct supervisor *supervisor)
{
	clients_started(supervisor, NULL);
	clients_ended(supervisor);
	clients_exited(supervisor);
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
		client_send(waiter->client, message, NULL, 0);
		free(waiter);
	}
	for (struct client *client = supervisor->clients, *next; client; client = next) {
		json_t *message;

		next = client->next;
		if (!client->attached && !client->follows)
			continue;
		client->attached = client->follows = false;
		message = exit_message(supervisor);
		json_object_set_new(message, "event", json_string("exit"));
		client_send(client, message, NULL, 0);
	}
}

void clients_notice(struct supervisor *supervisor, const char *text)
{
	for (struct client *client = supervisor->clients, *next; client; client = next) {
		next = client->next;
		client_send(client, json_pack("{ss, ss}", "event", "notice", "text", text), NULL, 0);
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

void relay_release(struct relay *relay)
{
	relay->client->users--;
	release_client(relay->client);
	free(relay);
}

void relayed(void *arg, const struct mvm_error *error)
{
	struct relay *relay = arg;

	client_answer(relay->client, relay->id, error);
	relay_release(relay);
}

void relay_message(struct relay *relay, json_t *message, const int *fds, size_t count)
{
	json_object_set_new(message, "id", json_integer(relay->id));
	client_send(relay->client, message, fds, count);
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

struct relay *client_relay(struct client *client, json_int_t id)
{
	struct relay *relay = mvm_alloc(sizeof(*relay));

	*relay = (struct relay){.client = client, .id = id};
	client->users++;
	return relay;
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
			requests_handle(client, request);
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
