#include "qmp.h"

#include <string.h>

#include "runtime/base/error.h"

static int read_message(const json_t *object, struct qmp_message *message, struct mvm_error **err)
{
	const json_t *failure = json_object_get(object, "error");
	const json_t *id = json_object_get(object, "id");

	*message = (struct qmp_message){.id = json_is_integer(id) ? json_integer_value(id) : -1};
	if (json_object_get(object, "QMP")) {
		message->kind = QMP_GREETING;
		return 0;
	}
	if (json_is_string(json_object_get(object, "event"))) {
		message->kind = QMP_EVENT;
		message->name = json_string_value(json_object_get(object, "event"));
		message->data = json_object_get(object, "data");
		return 0;
	}
	if (json_is_object(failure) && json_is_string(json_object_get(failure, "desc"))) {
		message->kind = QMP_ERROR;
		message->name = json_string_value(json_object_get(failure, "desc"));
		return 0;
	}
	message->kind = QMP_RETURN;
	message->data = json_object_get(object, "return");
	if (message->data)
		return 0;
	return mvm_fail(err, MVM_ERR_INVALID, "QEMU sent a message that is not QMP");
}

static int take_line(const char *line, size_t length, qmp_message_fn fn, void *arg, struct mvm_error **err)
{
	json_t *object MVM_CLEAN_JSON = NULL;
	struct qmp_message message;

	if (mvm_json_parse(line, length, "QEMU's message", &object, err) < 0 || read_message(object, &message, err) < 0)
		return -1;
	return fn(arg, &message);
}

int qmp_feed(struct qmp *qmp, const void *data, size_t length, qmp_message_fn fn, void *arg, struct mvm_error **err)
{
	mvm_buf_add(&qmp->input, data, length);
	for (;;) {
		char *end = qmp->input.length ? memchr(qmp->input.data, '\n', qmp->input.length) : NULL;
		size_t size = end ? (size_t)(end - qmp->input.data) : qmp->input.length;
		char *line MVM_CLEAN_FREE = NULL;
		int rc;

		if (size > QMP_LINE_MAX)
			return mvm_fail(err, MVM_ERR_INVALID, "QEMU sent a message of more than %d bytes",
					(int)QMP_LINE_MAX);
		if (!end)
			return 0;
		line = mvm_strndup(qmp->input.data, size);
		mvm_buf_consume(&qmp->input, size + 1);
		if (strspn(line, " \t\r") == size)
			continue;
		rc = take_line(line, size, fn, arg, err);
		if (rc != 0)
			return rc;
	}
}

void qmp_finish(struct qmp *qmp)
{
	mvm_buf_finish(&qmp->input);
}

char *qmp_command(const char *name, int64_t id, json_t *arguments)
{
	json_t *object MVM_CLEAN_JSON = json_pack("{s:s, s:I}", "execute", name, "id", (json_int_t)id);
	char *text MVM_CLEAN_FREE = NULL;

	if (arguments)
		json_object_set_new(object, "arguments", arguments);
	text = json_dumps(object, JSON_COMPACT);
	return mvm_format("%s\n", text);
}
