/* Names before lines: aligned, and coloured as docker compose colours them. */
#include "tests/unit/unit.h"

#include "runtime/cli/log_lines.h"

struct page {
	struct log_lines lines;
	char *text;
	size_t length;
	FILE *out;
};

static int open_page(void **state)
{
	struct page *page = mvm_alloc(sizeof(*page));

	page->lines.prefix = true;
	page->out = open_memstream(&page->text, &page->length);
	*state = page;
	return 0;
}

static int close_page(void **state)
{
	struct page *page = *state;

	log_lines_finish(&page->lines);
	fclose(page->out);
	free(page->text);
	free(page);
	return 0;
}

static void expect(struct page *page, const char *text)
{
	fflush(page->out);
	assert_string_equal(page->text, text);
}

static void names_are_as_wide_as_the_longest_so_far(void **state)
{
	struct page *page = *state;

	log_lines_register(&page->lines, "web-1");
	log_lines_write(&page->lines, "db-1", "a\n", 2, page->out);
	log_lines_write(&page->lines, "worker-12", "b", 1, page->out);
	log_lines_write(&page->lines, "db-1", "", 0, page->out);
	log_lines_say(&page->lines, "db-1", "exited with code 0", page->out);
	expect(page, "db-1   | a\nworker-12  | b\ndb-1       | \ndb-1 exited with code 0\n");
}

static void colours_go_round(void **state)
{
	struct page *page = *state;

	page->lines.color = true;
	for (char c = 'a'; c < 'k'; c++)
		log_lines_register(&page->lines, (char[]){c, '\0'});
	log_lines_write(&page->lines, "k", "x", 1, page->out);
	log_lines_write(&page->lines, "f", "y", 1, page->out);
	log_lines_say(&page->lines, "b", "went", page->out);
	expect(page, "\033[36mk  | \033[0mx\n\033[36;1mf  | \033[0my\n\033[33m\r\033[Kb went\n\033[0m");
}

static void without_prefix_there_are_lines_alone(void **state)
{
	struct page *page = *state;

	page->lines.prefix = false;
	log_lines_write(&page->lines, "a", "text\n", 5, page->out);
	expect(page, "text\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(names_are_as_wide_as_the_longest_so_far, open_page, close_page),
		cmocka_unit_test_setup_teardown(colours_go_round, open_page, close_page),
		cmocka_unit_test_setup_teardown(without_prefix_there_are_lines_alone, open_page, close_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
