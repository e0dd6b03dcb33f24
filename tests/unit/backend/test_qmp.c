#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/backend/qemu/qmp.h"
#include "runtime/base/error.h"

/* What came, as one line of text a message. */
static int record(void *arg, const struct qmp_message *message)
{
	static const char *const kinds[] = {"greeting", "event", "return", "error"};
	const char *reason = json_string_value(json_object_get(message->data, "reason"));

	mvm_buf_addf(arg, "%s %s %lld %s\n", kinds[message->kind], message->name ? message->name : "-",
		     (long long)message->id, reason ? reason : "-");
	return 0;
}

static int stop_at_once(void *arg, const struct qmp_message *message)
{
	(void)message;
	++*(int *)arg;
	return 7;
}

static const char conversation[] =
	"{\"QMP\": {\"version\": {}, \"capabilities\": [\"oob\"]}}\r\n"
	"{\"return\": {}, \"id\": 1}\r\n"
	"\r\n"
	"{\"timestamp\": {\"seconds\": 1}, \"event\": \"SHUTDOWN\", \"data\": {\"guest\": true, \"reason\": "
	"\"guest-reset\"}}\r\n"
	"{\"id\": 3, \"error\": {\"class\": \"GenericError\", \"desc\": \"no such thing\"}}\r\n"
	"{\"event\": \"STOP\"}\r\n";

static const char expected[] = "greeting - -1 -\n"
			       "return - 1 -\n"
			       "event SHUTDOWN -1 guest-reset\n"
			       "error no such thing 3 -\n"
			       "event STOP -1 -\n";

static void test_conversation_in_any_cut(void **state)
{
	size_t whole = strlen(conversation);

	(void)state;
	for (size_t piece = 1; piece <= whole; piece += 1 + piece / 8) {
		struct mvm_buf seen MVM_CLEAN_BUF = {0};
		struct qmp qmp = {0};

		for (size_t at = 0; at < whole; at += piece) {
			size_t length = whole - at < piece ? whole - at : piece;

			assert_int_equal(qmp_feed(&qmp, conversation + at, length, record, &seen, NULL), 0);
		}
		assert_string_equal(seen.data, expected);
		qmp_finish(&qmp);
	}
}

static void expect_invalid(const char *line)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_buf seen MVM_CLEAN_BUF = {0};
	struct qmp qmp = {0};

	assert_int_equal(qmp_feed(&qmp, line, strlen(line), record, &seen, &err), -1);
	assert_int_equal(mvm_error_code(err), MVM_ERR_INVALID);
	assert_int_equal(seen.length, 0);
	qmp_finish(&qmp);
}

static void test_not_qmp(void **state)
{
	(void)state;
	expect_invalid("hello\n");
	expect_invalid("{\"event\": 5}\n");
	expect_invalid("[1, 2]\n");
	expect_invalid("{}\n");
	expect_invalid("{\"return\": {}\n");
	expect_invalid("{\"error\": \"text\"}\n");
}

static void test_endless_line(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct qmp qmp = {0};
	char part[4096];
	int rc = 0;

	(void)state;
	memset(part, ' ', sizeof(part));
	for (size_t sent = 0; rc == 0 && sent <= QMP_LINE_MAX + sizeof(part); sent += sizeof(part))
		rc = qmp_feed(&qmp, part, sizeof(part), record, NULL, &err);
	assert_int_equal(rc, -1);
	assert_int_equal(mvm_error_code(err), MVM_ERR_INVALID);
	qmp_finish(&qmp);
}

static void test_callback_ends_feeding(void **state)
{
	struct qmp qmp = {0};
	int calls = 0;

	(void)state;
	assert_int_equal(qmp_feed(&qmp, conversation, strlen(conversation), stop_at_once, &calls, NULL), 7);
	assert_int_equal(calls, 1);
	qmp_finish(&qmp);
}

static void test_command(void **state)
{
	char *line = qmp_command("stop", 5, NULL);

	(void)state;
	assert_string_equal(line, "{\"execute\":\"stop\",\"id\":5}\n");
	free(line);
	line = qmp_command("x", 6, json_pack("{s:i}", "n", 1));
	assert_string_equal(line, "{\"execute\":\"x\",\"id\":6,\"arguments\":{\"n\":1}}\n");
	free(line);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conversation_in_any_cut),
		cmocka_unit_test(test_not_qmp),
		cmocka_unit_test(test_endless_line),
		cmocka_unit_test(test_callback_ends_feeding),
		cmocka_unit_test(test_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
