/* Tables for people and for programs. */
#include "capture.h"

#include <time.h>

#include "runtime/base/json.h"
#include "runtime/cli/cli.h"

static char *printed(const struct cli_table *table, const char *format)
{
	struct capture capture;
	char *text;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	int result;

	capture_begin(&capture, stdout);
	result = cli_table_print(table, format, &err);
	text = capture_end(&capture);
	assert_ok(result);
	return text;
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
	static const struct cli_column columns[] = {{"FIRST", "First", true},
						    {"TAG", "Tag"},
						    {"DIGEST", "Digest", true},
						    {"ID", "ID"},
						    {"LAST", "Last", true}};
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
	static const struct cli_column columns[] = {{"NAME", "Name"}, {"STATE", "State", true}};
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
	assert_ok(cli_check_format("{{.ID}}", &err));
	assert_ok(cli_check_format("table {{.ID}}\\t{{.Names}}", &err));
	assert_error(cli_check_format("{{.ID", &err), MVM_ERR_INVALID,
		     "template parsing error: template: :1: unclosed action");
	assert_error(cli_check_format("table {{nope}}", &err), MVM_ERR_INVALID, "function \"nope\" not defined");
}

/* A small table with one column that is hidden, and labels. */
static void check_template(const char *format, const char *expected)
{
	static const struct cli_column columns[] = {
		{"CONTAINER ID", "ID"}, {"NAMES", "Names"}, {"CREATED AT", "CreatedAt", true}};
	static const char *const cells[] = {"1", "web", "today", "22", "a-longer-name", "now"};
	static char first_label[] = "com.example.my-role=front", *first_items[] = {first_label, NULL};
	static const struct mvm_strv first = {first_items, 1}, second = {0};
	static const struct mvm_strv *const labels[] = {&first, &second};
	struct cli_table table = {
		.columns = columns, .column_count = MVM_COUNT(columns), .type = "container", .labels = labels};
	char *text MVM_CLEAN_FREE = NULL;

	fill(&table, cells, MVM_COUNT(cells));
	text = printed(&table, format);
	cli_table_finish(&table);
	assert_string_equal(text, expected);
}

static void templates_are_run_once_a_row(void **state)
{
	check_template("{{.ID}}", "1\n22\n");
	check_template(" {{.ID}}\\t{{.Names}}\\n ", "1\tweb\n\n22\ta-longer-name\n\n");
	check_template("{{.Label \"com.example.my-role\"}}.", "front.\n.\n");
	check_template("{{json .}}", "{\"CreatedAt\":\"today\",\"ID\":\"1\",\"Names\":\"web\"}\n"
				     "{\"CreatedAt\":\"now\",\"ID\":\"22\",\"Names\":\"a-longer-name\"}\n");
}

static void tables_of_templates_have_headings(void **state)
{
	check_template("table {{.Names}}\\t{{.ID}}", "NAMES           CONTAINER ID\n"
						     "web             1\n"
						     "a-longer-name   22\n");
	check_template("table {{upper .CreatedAt}}", "CREATED AT\nTODAY\nNOW\n");
	check_template("table {{.ID}}: {{.Label \"com.example.my-role\"}}\\t{{.ID}}",
		       "CONTAINER ID: my role   CONTAINER ID\n"
		       "1: front                1\n"
		       "22:                     22\n");
}

static void what_a_row_does_not_have_is_an_error(void **state)
{
	static const struct cli_column columns[] = {{"ID", "ID"}};
	struct cli_table table = {.columns = columns, .column_count = 1, .type = "container"};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct capture capture;
	char *text MVM_CLEAN_FREE = NULL;
	int result;

	mvm_strv_add(&table.cells, "1");
	capture_begin(&capture, stdout);
	result = cli_table_print(&table, "{{.ID}} {{.Foo}}", &err);
	text = capture_end(&capture);
	cli_table_finish(&table);
	assert_error(result, MVM_ERR_INVALID, "can't evaluate field Foo in type container");
	assert_string_equal(text, "");
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
		cmocka_unit_test(templates_are_run_once_a_row),
		cmocka_unit_test(tables_of_templates_have_headings),
		cmocka_unit_test(what_a_row_does_not_have_is_an_error),
		cmocka_unit_test(ages_count_from_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
