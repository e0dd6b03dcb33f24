/* Tables for people and for programs. */
#include "capture.h"

#include <time.h>

#include "runtime/base/json.h"
#include "runtime/cli/cli.h"

static char *printed(const struct cli_table *table, const char *format)
{
	struct capture capture;

	capture_begin(&capture, stdout);
	cli_table_print(table, format);
	return capture_end(&capture);
}

static void fill(struct cli_table *table, const char *const *cells, size_t count)
{
	for (size_t i = 0; i < count; i++)
		mvm_strv_add(&table->cells, cells[i]);
}

static void columns_are_at_least_ten_wide_and_three_apart(void **state)
{
	static const struct cli_column columns[] = {{"ID", "ID"}, {"NAME", "Name"}, {"STATUS", "Status"}};
	static const char *const cells[] = {"1", "a-name-longer-than-ten", "Up", "22", "b", "Exited"};
	struct cli_table table = {.columns = columns, .column_count = MVM_COUNT(columns)};
	char *text MVM_CLEAN_FREE = NULL, *by_name MVM_CLEAN_FREE = NULL;

	fill(&table, cells, MVM_COUNT(cells));
	text = printed(&table, NULL);
	assert_string_equal(text, "ID        NAME                     STATUS\n"
				  "1         a-name-longer-than-ten   Up\n"
				  "22        b                        Exited\n");
	by_name = printed(&table, "table");
	assert_string_equal(by_name, text);
	cli_table_finish(&table);
	assert_int_equal(table.cells.count, 0);
}

static void an_empty_table_is_its_titles(void **state)
{
	static const struct cli_column columns[] = {{"ID", "ID"}, {"NAME", "Name"}};
	struct cli_table table = {.columns = columns, .column_count = MVM_COUNT(columns)};
	char *text MVM_CLEAN_FREE = printed(&table, NULL), *json MVM_CLEAN_FREE = printed(&table, "json");

	assert_string_equal(text, "ID        NAME\n");
	assert_string_equal(json, "");
}

/* A column for JSON only takes no room, wherever it stands, and the others stay apart. */
static void hidden_columns_leave_no_trace(void **state)
{
	static const struct cli_column columns[] = {
		{NULL, "First"}, {"TAG", "Tag"}, {NULL, "Digest"}, {"ID", "ID"}, {NULL, "Last"}};
	static const char *const cells[] = {"hidden", "latest", "hidden", "0123", "hidden"};
	struct cli_table table = {.columns = columns, .column_count = MVM_COUNT(columns)};
	char *text MVM_CLEAN_FREE = NULL;

	fill(&table, cells, MVM_COUNT(cells));
	text = printed(&table, NULL);
	assert_string_equal(text, "TAG       ID\nlatest    0123\n");
	cli_table_finish(&table);
}

static void width_is_counted_in_characters(void **state)
{
	static const struct cli_column columns[] = {{"COMMAND", "Command"}, {"X", "X"}};
	static const char *const cells[] = {"\"caf\xc3\xa9\xe2\x80\xa6\"", "1", "12345678901", "2"};
	struct cli_table table = {.columns = columns, .column_count = MVM_COUNT(columns)};
	char *text MVM_CLEAN_FREE = NULL;

	fill(&table, cells, MVM_COUNT(cells));
	text = printed(&table, NULL);
	assert_string_equal(text, "COMMAND       X\n"
				  "\"caf\xc3\xa9\xe2\x80\xa6\"       1\n"
				  "12345678901   2\n");
	cli_table_finish(&table);
}

static void json_is_one_object_a_line(void **state)
{
	static const struct cli_column columns[] = {{"NAME", "Name"}, {NULL, "State"}};
	static const char *const cells[] = {"a \"b\"\n", "running", "c", ""};
	struct cli_table table = {.columns = columns, .column_count = MVM_COUNT(columns)};
	char *text MVM_CLEAN_FREE = NULL;

	fill(&table, cells, MVM_COUNT(cells));
	text = printed(&table, "json");
	assert_string_equal(text, "{\"Name\":\"a \\\"b\\\"\\n\",\"State\":\"running\"}\n"
				  "{\"Name\":\"c\",\"State\":\"\"}\n");
	cli_table_finish(&table);
}

static void formats_are_checked(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	assert_ok(cli_check_format(NULL, &err));
	assert_ok(cli_check_format("table", &err));
	assert_ok(cli_check_format("json", &err));
	assert_error(cli_check_format("{{.ID}}", &err), MVM_ERR_USAGE, "unknown format '{{.ID}}'");
	assert_error(cli_check_format("", &err), MVM_ERR_USAGE, "unknown format");
}

static void ages_count_from_now(void **state)
{
	char *weeks MVM_CLEAN_FREE = cli_ago(time(NULL) - 3 * 7 * 86400);
	char *future MVM_CLEAN_FREE = cli_ago(time(NULL) + 3600);

	assert_string_equal(weeks, "3 weeks ago");
	assert_string_equal(future, "Less than a second ago");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_at_least_ten_wide_and_three_apart),
		cmocka_unit_test(an_empty_table_is_its_titles),
		cmocka_unit_test(hidden_columns_leave_no_trace),
		cmocka_unit_test(width_is_counted_in_characters),
		cmocka_unit_test(json_is_one_object_a_line),
		cmocka_unit_test(formats_are_checked),
		cmocka_unit_test(ages_count_from_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
