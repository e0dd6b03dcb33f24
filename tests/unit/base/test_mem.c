/* Buffers, string vectors, checked arithmetic. */
#include "tests/unit/unit.h"

#include <signal.h>
#include <sys/resource.h>

static void buffer_grows_and_stays_terminated(void **state)
{
	struct mvm_buf buf MVM_CLEAN_BUF = {0};
	char expected[5001];

	for (int i = 0; i < 5000; i++) {
		char c = (char)('a' + i % 26);

		expected[i] = c;
		mvm_buf_add(&buf, &c, 1);
		assert_int_equal(buf.length, i + 1);
		assert_int_equal(buf.data[buf.length], 0);
		assert_true(buf.capacity > buf.length);
	}
	assert_memory_equal(buf.data, expected, 5000);
}

static void buffer_adds_nothing_and_bytes_with_nul(void **state)
{
	struct mvm_buf buf MVM_CLEAN_BUF = {0};

	mvm_buf_add(&buf, NULL, 0);
	assert_int_equal(buf.length, 0);
	assert_string_equal(buf.data, "");
	mvm_buf_add(&buf, "a\0b", 3);
	mvm_buf_addf(&buf, "%d-%s", 42, "x");
	assert_int_equal(buf.length, 7);
	assert_memory_equal(buf.data, "a\0b42-x", 8);
}

static void buffer_reserves_without_counting(void **state)
{
	struct mvm_buf buf MVM_CLEAN_BUF = {0};
	char *end;

	mvm_buf_add(&buf, "head", 4);
	end = mvm_buf_reserve(&buf, 1000);
	assert_ptr_equal(end, buf.data + 4);
	assert_int_equal(buf.length, 4);
	memset(end, 'x', 1000);
	buf.length += 1000;
	mvm_buf_add(&buf, "", 0);
	assert_int_equal(buf.data[1004], 0);
}

static void buffer_consumes_from_the_front(void **state)
{
	struct mvm_buf buf MVM_CLEAN_BUF = {0};

	mvm_buf_consume(&buf, 3);
	mvm_buf_add(&buf, "abcdef", 6);
	mvm_buf_consume(&buf, 0);
	assert_string_equal(buf.data, "abcdef");
	mvm_buf_consume(&buf, 2);
	assert_string_equal(buf.data, "cdef");
	assert_int_equal(buf.length, 4);
	mvm_buf_consume(&buf, 100);
	assert_int_equal(buf.length, 0);
	assert_string_equal(buf.data, "");
}

static void buffer_steal_never_gives_null(void **state)
{
	struct mvm_buf buf = {0};
	char *text = mvm_buf_steal(&buf);

	assert_string_equal(text, "");
	free(text);
	mvm_buf_add(&buf, "abc", 3);
	text = mvm_buf_steal(&buf);
	assert_string_equal(text, "abc");
	free(text);
	assert_null(buf.data);
	assert_int_equal(buf.length, 0);
	assert_int_equal(buf.capacity, 0);
}

static void string_vector_is_always_terminated(void **state)
{
	struct mvm_strv strv MVM_CLEAN_STRV = {0};
	char *taken = mvm_strdup("taken");

	assert_null(strv.items);
	mvm_strv_add(&strv, "one");
	assert_null(strv.items[1]);
	mvm_strv_take(&strv, taken);
	mvm_strv_addf(&strv, "%s=%d", "n", 3);
	assert_int_equal(strv.count, 3);
	assert_string_equal(strv.items[0], "one");
	assert_ptr_equal(strv.items[1], taken);
	assert_string_equal(strv.items[2], "n=3");
	assert_null(strv.items[3]);
	mvm_strv_finish(&strv);
	assert_null(strv.items);
	assert_int_equal(strv.count, 0);
}

static void copies_and_formats(void **state)
{
	char *copy MVM_CLEAN_FREE = mvm_strndup("abcdef", 3);
	char *formatted MVM_CLEAN_FREE = mvm_format("%s %05d", "x", 42);
	char *zeroed MVM_CLEAN_FREE = mvm_alloc(100);
	char *nothing MVM_CLEAN_FREE = mvm_alloc(0);

	assert_string_equal(copy, "abc");
	assert_string_equal(formatted, "x 00042");
	assert_null(mvm_strdup(NULL));
	assert_non_null(nothing);
	for (int i = 0; i < 100; i++)
		assert_int_equal(zeroed[i], 0);
}

static void arithmetic_is_checked(void **state)
{
	size_t out = 7;

	assert_true(mvm_add_size(SIZE_MAX - 1, 1, &out));
	assert_int_equal(out, SIZE_MAX);
	assert_false(mvm_add_size(SIZE_MAX, 1, &out));
	assert_true(mvm_mul_size(SIZE_MAX / 2, 2, &out));
	assert_int_equal(out, SIZE_MAX - 1);
	assert_false(mvm_mul_size(SIZE_MAX / 2 + 1, 2, &out));
	assert_true(mvm_mul_size(0, SIZE_MAX, &out));
	assert_int_equal(out, 0);
}

static void overflow_in_child(void (*what)(void))
{
	const struct rlimit no_core = {0};
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGABRT, SIG_DFL);
		if (close(STDERR_FILENO) < 0)
			_exit(1);
		what();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void realloc_wraps(void)
{
	mvm_realloc(NULL, SIZE_MAX / 4, 8);
}

static void reserve_wraps(void)
{
	struct mvm_buf buf = {0};

	mvm_buf_add(&buf, "x", 1);
	mvm_buf_reserve(&buf, SIZE_MAX - 1);
}

/* A size that wraps must never become a small allocation. */
static void wrapping_sizes_abort(void **state)
{
	overflow_in_child(realloc_wraps);
	overflow_in_child(reserve_wraps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffer_grows_and_stays_terminated),
		cmocka_unit_test(buffer_adds_nothing_and_bytes_with_nul),
		cmocka_unit_test(buffer_reserves_without_counting),
		cmocka_unit_test(buffer_consumes_from_the_front),
		cmocka_unit_test(buffer_steal_never_gives_null),
		cmocka_unit_test(string_vector_is_always_terminated),
		cmocka_unit_test(copies_and_formats),
		cmocka_unit_test(arithmetic_is_checked),
		cmocka_unit_test(wrapping_sizes_abort),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
