/* container.log: whatever was written comes back, and what is malformed is seen as such. */
#include "tests/unit/corpus.h"

#include "runtime/base/text.h"
#include "runtime/state/logfile.h"

static const struct timespec now = {1795241883, 123456789};
#define NOW "2026-11-21T06:18:03.123456789Z"

static void write_all(struct mvm_log_writer *writer, const char *data, size_t length, struct mvm_buf *out)
{
	mvm_log_write(writer, &now, data, length, out);
	mvm_log_flush(writer, &now, out);
}

/* The records' texts of one stream, as `logs` puts them together. */
static void read_back(const struct mvm_buf *log, enum mvm_log_stream stream, struct mvm_buf *out)
{
	size_t at = 0;

	while (at < log->length) {
		struct mvm_log_record record;
		long length = mvm_log_parse(log->data + at, log->length - at, &record);

		assert_true(length > 0);
		assert_memory_equal(record.time, NOW, MVM_TIME_LENGTH);
		assert_true(record.text_length <= MVM_LOG_PART);
		if (record.stream == stream)
			mvm_buf_add(out, record.text, record.text_length);
		if (record.stream == stream && record.full)
			mvm_buf_add(out, "\n", 1);
		at += (size_t)length;
	}
	assert_int_equal(at, log->length);
}

static void lines_are_in_the_format_of_kubernetes(void **state)
{
	struct mvm_log_writer writer = {.stream = MVM_LOG_STDERR};
	struct mvm_buf out MVM_CLEAN_BUF = {0};

	write_all(&writer, "one\n\nrest", 9, &out);
	assert_string_equal(out.data, NOW " stderr F one\n" NOW " stderr F \n" NOW " stderr P rest\n");
	mvm_log_flush(&writer, &now, &out);
	assert_int_equal(out.length, strlen(NOW " stderr F one\n" NOW " stderr F \n" NOW " stderr P rest\n"));
}

static void a_line_is_put_together_from_pieces(void **state)
{
	struct mvm_log_writer writer = {.stream = MVM_LOG_STDOUT};
	struct mvm_buf out MVM_CLEAN_BUF = {0};

	mvm_log_write(&writer, &now, "he", 2, &out);
	mvm_log_write(&writer, &now, "", 0, &out);
	mvm_log_write(&writer, &now, "llo", 3, &out);
	assert_int_equal(out.length, 0);
	mvm_log_write(&writer, &now, "\nnext", 5, &out);
	assert_string_equal(out.data, NOW " stdout F hello\n");
	mvm_log_flush(&writer, &now, &out);
	assert_string_equal(out.data, NOW " stdout F hello\n" NOW " stdout P next\n");
}

static void random_bytes_in_random_pieces(void **state)
{
	enum { SIZE = 100000 };
	unsigned seed = 1;

	for (int round = 0; round < 5; round++) {
		struct mvm_log_writer writers[2] = {{.stream = MVM_LOG_STDOUT}, {.stream = MVM_LOG_STDERR}};
		struct mvm_buf log MVM_CLEAN_BUF = {0}, out MVM_CLEAN_BUF = {0}, error MVM_CLEAN_BUF = {0};
		char *data[2] = {mvm_alloc(SIZE), mvm_alloc(SIZE)};
		size_t sent[2] = {0};

		for (int i = 0; i < 2; i++)
			for (size_t at = 0; at < SIZE; at++)
				/* Newlines are rare in one round and frequent in another. */
				data[i][at] = rand_r(&seed) % (1 << (3 * round)) ? (char)rand_r(&seed) : '\n';
		while (sent[0] < SIZE || sent[1] < SIZE) {
			int which = rand_r(&seed) % 2;
			size_t left = SIZE - sent[which], piece = (size_t)rand_r(&seed) % 40000;

			piece = piece < left ? piece : left;
			mvm_log_write(&writers[which], &now, data[which] + sent[which], piece, &log);
			sent[which] += piece;
		}
		for (int i = 0; i < 2; i++)
			mvm_log_flush(&writers[i], &now, &log);
		read_back(&log, MVM_LOG_STDOUT, &out);
		read_back(&log, MVM_LOG_STDERR, &error);
		assert_int_equal(out.length, SIZE);
		assert_memory_equal(out.data, data[0], SIZE);
		assert_int_equal(error.length, SIZE);
		assert_memory_equal(error.data, data[1], SIZE);
		free(data[0]);
		free(data[1]);
	}
}

static size_t count_records(const struct mvm_buf *log, size_t *parts)
{
	size_t count = 0;

	*parts = 0;
	for (size_t at = 0; at < log->length;) {
		struct mvm_log_record record;
		long length = mvm_log_parse(log->data + at, log->length - at, &record);

		assert_true(length > 0);
		count++;
		*parts += !record.full;
		at += (size_t)length;
	}
	return count;
}

static void long_lines_are_split(void **state)
{
	static const struct {
		size_t length;
		size_t records, parts;
	} cases[] = {
		{MVM_LOG_PART - 1, 1, 0},
		{MVM_LOG_PART, 2, 1},
		{MVM_LOG_PART + 1, 2, 1},
		{3 * MVM_LOG_PART, 4, 3},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct mvm_log_writer writer = {.stream = MVM_LOG_STDOUT};
		struct mvm_buf log MVM_CLEAN_BUF = {0}, back MVM_CLEAN_BUF = {0};
		char *line MVM_CLEAN_FREE = mvm_alloc(cases[i].length + 1);
		size_t parts;

		memset(line, 'x', cases[i].length);
		line[cases[i].length] = '\n';
		write_all(&writer, line, cases[i].length + 1, &log);
		assert_int_equal(count_records(&log, &parts), cases[i].records);
		assert_int_equal(parts, cases[i].parts);
		read_back(&log, MVM_LOG_STDOUT, &back);
		assert_int_equal(back.length, cases[i].length + 1);
		assert_memory_equal(back.data, line, back.length);
	}
}

static void records_that_are_not_complete_wait(void **state)
{
	const char text[] = NOW " stdout F hello\n";
	struct mvm_log_record record;

	for (size_t length = 0; length < sizeof(text) - 1; length++) {
		char *exact MVM_CLEAN_FREE = mvm_alloc(length);

		memcpy(exact, text, length);
		assert_int_equal(mvm_log_parse(exact, length, &record), 0);
	}
	assert_int_equal(mvm_log_parse(text, sizeof(text) - 1, &record), sizeof(text) - 1);
	assert_int_equal(record.stream, MVM_LOG_STDOUT);
	assert_int_equal(record.text_length, 5);
	assert_memory_equal(record.text, "hello\n", 6);
	assert_true(record.full);
}

static bool parses(const char *data, size_t length)
{
	struct mvm_log_record record;

	return mvm_log_parse(data, length, &record) == (long)length;
}

static void corpus_is_taken_and_refused(void **state)
{
	corpus_replay("container-log", parses);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_in_the_format_of_kubernetes),
		cmocka_unit_test(a_line_is_put_together_from_pieces),
		cmocka_unit_test(random_bytes_in_random_pieces),
		cmocka_unit_test(long_lines_are_split),
		cmocka_unit_test(records_that_are_not_complete_wait),
		cmocka_unit_test(corpus_is_taken_and_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
