#include "client.h"

#include <stdbool.h>
#include <stdlib.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/mem.h"
#include "runtime/state/control.h"

struct mvm_client {
	struct mvm_control control;
	json_int_t last_id;
	bool lost;
	void (*on_event)(void *arg, const json_t *event);
	void *arg;
};

struct mvm_client *mvm_client_create(int fd)
{
	struct mvm_client *client = mvm_alloc(sizeof(*client));

	mvm_control_init(&client->control, fd);
	mvm_client_set_patience(client, MVM_CLIENT_PATIENCE_MS);
	return client;
}

void mvm_client_set_patience(struct mvm_client *client, int milliseconds)
{
	mvm_control_set_patience(&client->control, milliseconds);
}

pid_t mvm_client_peer(const struct mvm_client *client)
{
	return mvm_control_peer_pid(client->control.fd);
}

void mvm_client_destroy(struct mvm_client *client)
{
	if (!client)
		return;
	mvm_control_finish(&client->control);
	free(client);
}

bool mvm_client_is_lost(const struct mvm_client *client)
{
	return client->lost;
}

int mvm_client_fd(const struct mvm_client *client)
{
	return client->control.fd;
}

void mvm_client_on_event(struct mvm_client *client, void (*fn)(void *arg, const json_t *event), void *arg)
{
	client->on_event = fn;
	client->arg = arg;
}

static int fail_silent(struct mvm_error **err)
{
	return mvm_fail(err, MVM_ERR_TIMEOUT,
			"the supervisor of the container does not answer; 'mvm rm -f' ends it, container and all");
}

int mvm_client_send(struct mvm_client *client, const char *op, json_t *fields, json_int_t *id, struct mvm_error **err)
{
	json_t *message = fields ? fields : json_object();
	struct mvm_error *local MVM_CLEAN_ERROR = NULL;

	*id = ++client->last_id;
	json_object_set_new(message, "op", json_string(op));
	json_object_set_new(message, "id", json_integer(*id));
	if (mvm_control_send(&client->control, message, NULL, 0, &local) == 0)
		return 0;
	client->lost = mvm_error_code(local) == MVM_ERR_IO;
	return mvm_error_code(local) == MVM_ERR_TIMEOUT ? fail_silent(err) : mvm_error_move(err, &local);
}

int mvm_client_receive(struct mvm_client *client, json_t **message, struct mvm_error **err)
{
	return mvm_control_receive(&client->control, message, err);
}

/* The next message about a request: an event, or its answer. Other events are passed on. */
static int wait_message(struct mvm_client *client, json_int_t id, json_t **out, struct mvm_error **err)
{
	bool asked = false;

	for (;;) {
		json_t *message MVM_CLEAN_JSON = NULL;
		int result = mvm_client_receive(client, &message, err);
		json_int_t ping;

		client->lost = result < 0 || result == MVM_CONTROL_CLOSED;
		if (result < 0)
			return -1;
		if (result == MVM_CONTROL_AGAIN && asked)
			return fail_silent(err);
		if (result == MVM_CONTROL_AGAIN) {
			asked = true;
			if (mvm_client_send(client, "ping", NULL, &ping, err) < 0)
				return -1;
			continue;
		}
		asked = false;
		if (result > 0)
			return mvm_fail(err, MVM_ERR_MACHINE, "the supervisor of the container has gone");
		if (json_integer_value(json_object_get(message, "id")) == id) {
			*out = json_incref(message);
			return 0;
		}
		if (json_object_get(message, "event") && client->on_event)
			client->on_event(client->arg, message);
	}
}

static int wait_answer(struct mvm_client *client, json_int_t id, json_t **answer, struct mvm_error **err)
{
	json_t *message MVM_CLEAN_JSON = NULL;
	json_t *error;

	if (wait_message(client, id, &message, err) < 0)
		return -1;
	error = json_object_get(message, "error");
	if (json_is_object(error))
		return mvm_control_error_from_json(error, err);
	if (answer)
		*answer = json_incref(message);
	return 0;
}

int mvm_client_wait(struct mvm_client *client, json_int_t id, struct mvm_error **err)
{
	return wait_answer(client, id, NULL, err);
}

int mvm_client_call(struct mvm_client *client, const char *op, json_t *fields, json_t **answer, struct mvm_error **err)
{
	json_int_t id;

	if (mvm_client_send(client, op, fields, &id, err) < 0)
		return -1;
	return wait_answer(client, id, answer, err);
}

int mvm_client_stream(struct mvm_client *client, const char *op, json_t *fields, int *stream, json_int_t *id,
		      struct mvm_error **err)
{
	if (mvm_client_send(client, op, fields, id, err) < 0 || wait_answer(client, *id, NULL, err) < 0)
		return -1;
	return mvm_control_steal_fds(&client->control, stream, 1, err);
}

static int steal_streams(struct mvm_client *client, const bool wanted[3], int fds[3], struct mvm_error **err)
{
	for (int i = 0; i < 3; i++) {
		fds[i] = -1;
		if (!wanted[i] || mvm_control_steal_fds(&client->control, &fds[i], 1, err) == 0)
			continue;
		while (i-- > 0)
			mvm_close(&fds[i]);
		return -1;
	}
	return 0;
}

int mvm_client_attach(struct mvm_client *client, const bool wanted[3], int fds[3], struct mvm_error **err)
{
	json_t *fields =
		json_pack("{sb, sb, sb}", "stdin", (int)wanted[0], "stdout", (int)wanted[1], "stderr", (int)wanted[2]);

	if (mvm_client_call(client, "attach", fields, NULL, err) < 0)
		return -1;
	return steal_streams(client, wanted, fds, err);
}

int mvm_client_exec(struct mvm_client *client, json_t *fields, const bool wanted[3], int fds[3], uint32_t *process,
		    struct mvm_error **err)
{
	json_t *answer MVM_CLEAN_JSON = NULL;

	if (mvm_client_call(client, "exec", fields, &answer, err) < 0 || steal_streams(client, wanted, fds, err) < 0)
		return -1;
	*process = (uint32_t)json_integer_value(json_object_get(answer, "process"));
	return 0;
}
