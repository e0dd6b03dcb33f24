/* What plain scalars stand for, and numbers as Go prints them. */
#include "tests/unit/unit.h"

#include "runtime/compose/node.h"

static void plain_scalars_have_their_kind(void **state)
{
	static const struct {
		const char *text;
		enum node_kind kind;
		const char *shown;
	} cases[] = {
		{"", NODE_NULL, ""},
		{"~", NODE_NULL, ""},
		{"null", NODE_NULL, ""},
		{"nULL", NODE_STRING, NULL},
		{"true", NODE_BOOL, "true"},
		{"FALSE", NODE_BOOL, "false"},
		{"yes", NODE_STRING, NULL},
		{"on", NODE_STRING, NULL},
		{"0", NODE_INT, "0"},
		{"-12", NODE_INT, "-12"},
		{"+3", NODE_INT, "3"},
		{"1_000", NODE_INT, "1000"},
		{"0x1F", NODE_INT, "31"},
		{"0o17", NODE_INT, "15"},
		{"0440", NODE_INT, "288"},
		{"0b11", NODE_INT, "3"},
		{"9223372036854775807", NODE_INT, "9223372036854775807"},
		{"08", NODE_FLOAT, "8"},
		{"1.10", NODE_FLOAT, "1.1"},
		{".5", NODE_FLOAT, "0.5"},
		{"1.", NODE_FLOAT, "1"},
		{"1e3", NODE_FLOAT, "1000"},
		{"-1.5e-7", NODE_FLOAT, "-1.5e-07"},
		{"1e21", NODE_FLOAT, "1e+21"},
		{"0.05", NODE_FLOAT, "0.05"},
		{"0.1", NODE_FLOAT, "0.1"},
		{"123456.789", NODE_FLOAT, "123456.789"},
		{".inf", NODE_FLOAT, "+Inf"},
		{".nan", NODE_FLOAT, "NaN"},
		{".", NODE_STRING, NULL},
		{"-", NODE_STRING, NULL},
		{"1.2.3", NODE_STRING, NULL},
		{"12:30", NODE_STRING, NULL},
		{"8080:80", NODE_STRING, NULL},
		{"1e", NODE_STRING, NULL},
		{"0x", NODE_STRING, NULL},
		{"inf", NODE_STRING, NULL},
		{"2024-01-02", NODE_STRING, NULL},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct node node = {.text = cases[i].text};
		char *shown MVM_CLEAN_FREE = NULL;

		node_resolve(&node, cases[i].text);
		if (node.kind != cases[i].kind)
			fail_msg("%s is of kind %d", cases[i].text, node.kind);
		shown = node_to_text(&node);
		assert_string_equal(shown, cases[i].shown ? cases[i].shown : cases[i].text);
	}
}

static void single_precision_is_printed_short(void **state)
{
	char *single MVM_CLEAN_FREE = format_real(0.1f, true), *plain MVM_CLEAN_FREE = format_real(0.1f, false);

	assert_string_equal(single, "0.1");
	assert_string_equal(plain, "0.10000000149011612");
}

static void what_reads_as_another_kind_needs_quotes(void **state)
{
	static const char *const ambiguous[] = {"",	"true",	 "null",    "~",  "1",	       "1.5",
						"0x1f", "22:22", "1:59:59", "no", "y",	       "Off",
						".inf", "<<",	 "1_000",   "08", "2024-01-02"};
	static const char *const plain[] = {"a",       "80:80",	 "22:60", "1.2.3", "v1",
					    "2024-01", "truely", "-",	  "$HOME", "1:2:x"};

	for (size_t i = 0; i < MVM_COUNT(ambiguous); i++)
		if (!text_is_ambiguous(ambiguous[i]))
			fail_msg("\"%s\" needs quotes", ambiguous[i]);
	for (size_t i = 0; i < MVM_COUNT(plain); i++)
		if (text_is_ambiguous(plain[i]))
			fail_msg("\"%s\" needs no quotes", plain[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_scalars_have_their_kind),
		cmocka_unit_test(single_precision_is_printed_short),
		cmocka_unit_test(what_reads_as_another_kind_needs_quotes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
