/* Templates and what comes of them. What docker's own program makes of the same ones was looked at for each. */
#include "tests/unit/unit.h"

#include "runtime/base/json.h"
#include "runtime/template/template.h"

static const char sample[] =
	"{\"Id\": \"0123456789abcdef\", \"Name\": \"/web\", \"State\": {\"Status\": \"running\", \"Pid\": 42, "
	"\"Paused\": "
	"false, \"Running\": true}, \"Args\": [\"a\", \"b c\"], \"Empty\": [], \"None\": null, \"Ratio\": 1.5, "
	"\"Big\": 1e30, "
	"\"Labels\": {\"b\": \"2\", \"a.b\": \"1\"}, \"Mixed\": [1, \"x\", true, null, [2], {\"k\": \"v\"}], "
	"\"Ports\": {\"80/tcp\": [{\"HostPort\": \"8080\"}]}, \"Tab\": \"x\\ty\\u001b[31m\", \"Word\": \"h\\u00e9llo "
	"wOrld\"}";

static json_t *parse_json(const char *text)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	json_t *value = NULL;

	assert_ok(mvm_json_parse(text, strlen(text), "sample", &value, &err));
	return value;
}

static json_t *greet(const void *arg, const char *parameter)
{
	char *text MVM_CLEAN_FREE = mvm_format("%s %s", (const char *)arg, parameter);

	return json_string(text);
}

static int render(const char *text, const struct mvm_template_data *data, struct mvm_buf *out, struct mvm_error **err)
{
	struct mvm_template *template MVM_CLEAN_TEMPLATE = NULL;

	return mvm_template_parse(text, &template, err) < 0 ? -1 : mvm_template_run(template, data, out, err);
}

struct expectation {
	const char *template, *output;
};

static void check_outputs(const struct expectation *cases, size_t count)
{
	json_t *value MVM_CLEAN_JSON = parse_json(sample);
	const struct mvm_template_data data = {.value = value, .method = "Label", .call = greet, .arg = "hello"};
	int wrong = 0;

	for (size_t i = 0; i < count; i++) {
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;
		struct mvm_buf out MVM_CLEAN_BUF = {0};
		int result = render(cases[i].template, &data, &out, &err);
		const char *got = result < 0 ? mvm_error_message(err) : out.data ? out.data : "";
		/* An expected error is said by what follows this. */
		static const char prefix[] = "template parsing error: template: ";

		if (result < 0 && !strncmp(got, prefix, strlen(prefix)) && *cases[i].output == ':')
			got += strlen(prefix);
		if (!strcmp(got, cases[i].output))
			continue;
		print_error("%s\n  gives    %s\n  and not  %s\n", cases[i].template, got, cases[i].output);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

static void values_are_printed_as_go_prints_them(void **state)
{
	static const struct expectation cases[] = {
		{"", ""},
		{"text { } }} only", "text { } }} only"},
		{"{{.Id}}", "0123456789abcdef"},
		{"a{{ .State.Status }}b", "arunningb"},
		{"{{.State.Pid}} {{.State.Paused}} {{.Ratio}} {{.Big}}", "42 false 1.5 1e+30"},
		{"{{.Args}} {{.Empty}} {{.Labels}}", "[a b c] [] map[a.b:1 b:2]"},
		{"{{.Mixed}}", "[1 x true <nil> [2] map[k:v]]"},
		{"{{.None}}", "<no value>"},
		{"{{.Labels.nothing}}", "<no value>"},
		{"{{.Tab}}", "x\ty\x1b[31m"},
		{"{{\"q\\\"\\t\\x41\\u00e9\\101\"}}{{`raw\\n{{`}}", "q\"\tA\xc3\xa9"
								    "A"
								    "raw\\n{{"},
		{"{{1}} {{-7}} {{0x10}} {{1.50}} {{'a'}}{{'\xc3\xa9'}} {{true}} {{false}} {{1e3}}",
		 "1 -7 16 1.5 97233 true false 1000"},
		{"{{json .State}}", "{\"Status\":\"running\",\"Pid\":42,\"Paused\":false,\"Running\":true}"},
		{"{{.Tab | json}} {{json .None}} {{json 1}}", "\"x\\ty\\u001B[31m\" null 1"},
		{"{{$.Id}} {{len $}}", "0123456789abcdef 13"},
		{"{{.Label \"you\"}} {{$.Label \"me\" | upper}}", "hello you HELLO ME"},
		{"{{\"you\" | .Label}}", "hello you"},
	};

	check_outputs(cases, MVM_COUNT(cases));
}

static void control_structures(void **state)
{
	static const struct expectation cases[] = {
		{"{{if .State.Running}}up{{else}}down{{end}}", "up"},
		{"{{if .State.Paused}}1{{else if eq .Name \"/web\"}}2{{else}}3{{end}}", "2"},
		{"{{if .Empty}}1{{else if .None}}2{{else if 0}}3{{else}}4{{end}}", "4"},
		{"{{range .Args}}<{{.}}>{{end}}", "<a><b c>"},
		{"{{range .Empty}}x{{else}}none{{end}}", "none"},
		{"{{range .None}}x{{else}}none{{end}}", "none"},
		{"{{range $i, $v := .Args}}{{if $i}},{{end}}{{$i}}={{$v}}{{end}}", "0=a,1=b c"},
		{"{{range $v := .Args}}{{$v}}{{$.Name}}{{end}}", "a/webb c/web"},
		{"{{range $k, $v := .Labels}}{{$k}}:{{$v}};{{end}}", "a.b:1;b:2;"},
		{"{{range .Labels}}{{.}}{{end}}", "12"},
		{"{{range $p, $c := .Ports}}{{$p}}->{{(index $c 0).HostPort}}{{end}}", "80/tcp->8080"},
		{"{{range .Args}}{{range $.Args}}{{.}}{{break}}{{end}}{{end}}", "aa"},
		{"{{range $i, $_ := .Args}}{{if eq $i 0}}{{continue}}{{end}}{{$i}}{{end}}", "1"},
		{"{{with .State}}{{.Pid}}{{end}}{{with .None}}x{{else}}y{{end}}", "42y"},
		{"{{with $s := .State}}{{$s.Pid}}{{end}}", "42"},
		{"{{with .None}}1{{else with .Name}}{{.}}{{end}}", "/web"},
		{"{{$x := 1}}{{$x}}{{$x = 2}}{{$x}}", "12"},
		{"{{$x := 1}}{{if true}}{{$x = 5}}{{$x := 7}}{{$x}}{{end}}{{$x}}", "75"},
		{"{{$first := true}}{{range .Args}}{{if $first}}{{$first = false}}{{else}}, {{end}}{{.}}{{end}}",
		 "a, b c"},
		{"a  {{- 1 -}}  b", "a1b"},
		{"a \n{{- /* note */ -}} \n b {{/* } */}}c", "ab c"},
		{"{{- .Id}} {{.Name -}} ", "0123456789abcdef /web"},
		{"{{ -3 }}{{- 3}}", "-33"},
		{"{{3 -}} x", "3x"},
	};

	check_outputs(cases, MVM_COUNT(cases));
}

static void functions(void **state)
{
	static const struct expectation cases[] = {
		{"{{and 1 0 .Nothing}} {{or 0 \"x\" .Nothing}} {{not .Empty}} {{and 1 2}} {{or 0 \"\"}}|",
		 "0 x true 2 |"},
		{"{{1 | and 2}} {{0 | or 0}}", "1 0"},
		{"{{eq 1 2 3 1}} {{ne \"a\" \"b\"}} {{lt 1 2}} {{le 2 2}} {{gt \"b\" \"a\"}} {{ge 1.5 2.5}}",
		 "true true true true true false"},
		{"{{eq .None nil}} {{eq .State.Pid 42}} {{eq .State.Running true}}", "true true true"},
		{"{{index .Args 1}} {{index .Labels \"a.b\"}} [{{index .Labels \"none\"}}]", "b c 1 []"},
		{"{{(index (index .Ports \"80/tcp\") 0).HostPort}}", "8080"},
		{"{{index .Ports \"80/tcp\" 0 \"HostPort\"}}", "8080"},
		{"{{index .Ports \"81/tcp\"}}", "<no value>"},
		{"{{len .Args}} {{len .Labels}} {{len .Name}} {{len \"\"}}", "2 2 4 0"},
		{"{{slice .Id 0 4}} {{slice .Args 1}} {{slice .Id 12}}", "0123 [b c] cdef"},
		{"{{print 1 2 \"a\" 3 4}} {{println \"a\" 1}}", "1 2a3 4 a 1\n"},
		{"{{printf \"%s|%5s|%-5s|%.2s|%q|%x\" .Name \"a\" \"b\" \"cde\" \"d\\n\" \"hi\"}}",
		 "/web|    a|b    |cd|\"d\\n\"|6869"},
		{"{{printf \"%d %5d %-5d| %05d %+d %x %v %t %.1f %c%%\" 1 2 3 -4 5 255 .Args true 1.25 65}}",
		 "1     2 3    | -0004 +5 ff [a b c] true 1.2 A%"},
		{"{{printf \"%d %s %z\" \"a\" 1 2}} {{printf \"%d\"}} {{printf \"x\" 1 \"y\"}} {{printf \"%\"}}",
		 "%!d(string=a) %!s(int=1) %!z(int=2) %!d(MISSING) x%!(EXTRA int=1, string=y) %!(NOVERB)"},
		{"{{.Args | printf \"%q %d\" \"x\"}}", "\"x\" [%!d(string=a) %!d(string=b c)]"},
		{"{{join .Args \", \"}} {{join (split \"a:b:c\" \":\") \"-\"}} {{split \"h\xc3\xa9\" \"\"}}",
		 "a, b c a-b-c [h \xc3\xa9]"},
		{"{{json (split \"a,,b\" \",\")}} {{json (split \"\" \",\")}} {{json (split \"\" \"\")}}",
		 "[\"a\",\"\",\"b\"] [\"\"] []"},
		{"{{lower \"AbC\"}} {{upper .Word}} {{title .Word}}", "abc H\xc3\xa9LLO WORLD H\xc3\xa9llo WOrld"},
		{"[{{pad \"x\" 1 2}}] [{{pad \"\" 3 3}}] {{truncate .Id 4}} {{truncate \"ab\" 5}}",
		 "[ x  ] [] 0123 ab"},
		{"{{json (truncate \"h\xc3\xa9\" 2)}}", "\"h\xef\xbf\xbd\""},
		{"{{.Id | printf \"%.12s\" | upper}}", "0123456789AB"},
	};

	check_outputs(cases, MVM_COUNT(cases));
}

static void malformed_templates_are_refused(void **state)
{
	static const struct expectation cases[] = {
		{"{{", ":1: unclosed action"},
		{"{{.Id", ":1: unclosed action"},
		{"{{.Id}", ":1: bad character U+007D '}'"},
		{"{{foo}}", ":1: function \"foo\" not defined"},
		{"\n{{foo .X}}", ":2: function \"foo\" not defined"},
		{"{{}}", ":1: missing value for command"},
		{"{{if}}{{end}}", ":1: missing value for if"},
		{"{{range .X}}", ":1: unexpected EOF"},
		{"{{if .X}}{{else}}", ":1: unexpected EOF"},
		{"{{end}}", ":1: unexpected {{end}}"},
		{"{{else}}", ":1: unexpected {{else}}"},
		{"{{if .X}}{{else}}{{else}}{{end}}", ":1: expected end; found {{else}}"},
		{"{{\"abc}}", ":1: unterminated quoted string"},
		{"{{`abc}}", ":1: unterminated raw quoted string"},
		{"{{\"\\z\"}}", ":1: invalid syntax"},
		{"{{'ab'}}", ":1: malformed character constant: 'ab'"},
		{"{{'\xff\xff\xff\xff\xff'}}", ":1: malformed character constant: '\xff\xff\xff\xff\xff'"},
		{"{{1a}}", ":1: bad number syntax: \"1a\""},
		{"{{99999999999999999999}}", ":1: integer overflow: \"99999999999999999999\""},
		{"{{$x}}", ":1: undefined variable \"$x\""},
		{"{{if $x := 1}}{{end}}{{$x}}", ":1: undefined variable \"$x\""},
		{"{{$x = 1}}", ":1: undefined variable \"$x\""},
		{"{{$a, $b := .X}}", ":1: too many declarations in command"},
		{"{{(.X}}", ":1: unclosed left paren"},
		{"{{.X)}}", ":1: unexpected right paren"},
		{"{{.X | }}", ":1: missing value for command"},
		{"{{.X | 1}}", ":1: non executable command in pipeline stage 2"},
		{"{{1.x}}", ":1: bad number syntax: \"1.x\""},
		{"{{\"a\".x}}", ":1: unexpected . after term \"\"a\"\""},
		{"{{/* a}}", ":1: unclosed comment"},
		{"{{/* a */ .X}}", ":1: comment ends before closing delimiter"},
		{"{{break}}", ":1: {{break}} outside {{range}}"},
		{"{{define \"x\"}}{{end}}", ":1: {{define}} is not supported; write the format as one text"},
		{"{{.X \x01}}", ":1: unexpected bad character U+0001 in command"},
		{"{{.X .end if}}", ":1: unexpected <if> in operand"},
	};

	check_outputs(cases, MVM_COUNT(cases));
}

static void failures_say_where(void **state)
{
	static const struct expectation cases[] = {
		{"{{.Nope}}", ":1:2: executing \"\" at <.Nope>: map has no entry for key \"Nope\""},
		{"{{.State.Nope}}", ":1:8: executing \"\" at <.State.Nope>: map has no entry for key \"Nope\""},
		{"a\nb{{ .State.A.B}}", ":2:10: executing \"\" at <.State.A.B>: map has no entry for key \"A\""},
		{"{{.Id.X}}", ":1:5: executing \"\" at <.Id.X>: can't evaluate field X in type string"},
		{"{{range .Args}}{{.X}}{{end}}",
		 ":1:17: executing \"\" at <.X>: can't evaluate field X in type string"},
		{"{{.Labels.a.b}}", ":1:9: executing \"\" at <.Labels.a.b>: nil data; no entry for key \"b\""},
		{"{{range .Id}}{{end}}", ":1:8: executing \"\" at <.Id>: range can't iterate over 0123456789abcdef"},
		{"{{len 3}}", ":1:2: executing \"\" at <len 3>: error calling len: len of type int"},
		{"{{len}}", ":1:2: executing \"\" at <len>: wrong number of args for len: want 1 got 0"},
		{"{{.Id | len 1}}", ":1:8: executing \"\" at <len>: wrong number of args for len: want 1 got 2"},
		{"{{index .Args 5}}",
		 ":1:2: executing \"\" at <index .Args 5>: error calling index: index out of range: 5"},
		{"{{index .Args -1}}",
		 ":1:2: executing \"\" at <index .Args -1>: error calling index: index out of range: -1"},
		{"{{index .Id \"a\"}}", ":1:2: executing \"\" at <index .Id \"a\">: error calling index: cannot index "
					"slice/array with type string"},
		{"{{eq 1 \"a\"}}",
		 ":1:2: executing \"\" at <eq 1 \"a\">: error calling eq: incompatible types for comparison"},
		{"{{lt true false}}",
		 ":1:2: executing \"\" at <lt true false>: error calling lt: invalid type for comparison"},
		{"{{.Id \"x\"}}", ":1:2: executing \"\" at <.Id>: Id has arguments but cannot be invoked as function"},
		{"{{. 1}}", ":1:2: executing \"\" at <.>: can't give argument to non-function ."},
		{"{{.Label}}", ":1:2: executing \"\" at <.Label>: wrong number of args for Label: want 1 got 0"},
		{"{{nil}}", ":1:2: executing \"\" at <nil>: nil is not a command"},
		{"{{upper 1}}",
		 ":1:2: executing \"\" at <upper 1>: error calling upper: wrong type for value; expected "
		 "string; got int"},
		{"{{slice .Id 3 2}}",
		 ":1:2: executing \"\" at <slice .Id 3 2>: error calling slice: invalid slice index: "
		 "3 > 2"},
	};

	check_outputs(cases, MVM_COUNT(cases));
}

static void fields_of_a_type_are_fixed(void **state)
{
	json_t *value MVM_CLEAN_JSON = parse_json("{\"ID\": \"1\"}");
	struct mvm_template_data data = {.value = value, .type = "container"};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_buf out MVM_CLEAN_BUF = {0};

	assert_ok(render("{{.ID}}", &data, &out, &err));
	assert_string_equal(out.data, "1");
	assert_error(
		render("x{{.Foo}}", &data, &out, &err), MVM_ERR_INVALID,
		"template parsing error: template: :1:3: executing \"\" at <.Foo>: can't evaluate field Foo in type "
		"container");
	/* Nothing of it was added. */
	assert_string_equal(out.data, "1");
}

static void json_of_the_value_may_be_another(void **state)
{
	json_t *value MVM_CLEAN_JSON = parse_json("{\"Time\": 1, \"Actor\": {\"ID\": \"x\"}}");
	json_t *json MVM_CLEAN_JSON = parse_json("{\"time\": 1}");
	const struct mvm_template_data data = {.value = value, .type = "event", .json = json};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_buf out MVM_CLEAN_BUF = {0};

	assert_ok(render("{{json .}} {{. | json}} {{json $}} {{json .Actor}} {{.Time}}", &data, &out, &err));
	assert_string_equal(out.data, "{\"time\":1} {\"time\":1} {\"time\":1} {\"ID\":\"x\"} 1");
}

static void headings_are_left_alone(void **state)
{
	json_t *value MVM_CLEAN_JSON = parse_json("{\"ID\": \"CONTAINER ID\"}");
	const struct mvm_template_data data = {.value = value, .headings = true};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_buf out MVM_CLEAN_BUF = {0};

	assert_ok(render("{{json .ID}} {{lower .ID}} {{truncate .ID 2}} {{.Foo}}", &data, &out, &err));
	assert_string_equal(out.data, "CONTAINER ID CONTAINER ID CONTAINER ID <no value>");
}

/* What a template asks for must end, whatever it is. */
static void work_is_bounded(void **state)
{
	json_t *list MVM_CLEAN_JSON = json_array(), *value MVM_CLEAN_JSON = json_pack("{s:O}", "L", list);
	const struct mvm_template_data data = {.value = value};
	struct mvm_buf deep MVM_CLEAN_BUF = {0}, out MVM_CLEAN_BUF = {0};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	for (int i = 0; i < 1000; i++)
		json_array_append_new(list, json_integer(i));
	assert_error(render("{{range .L}}{{range $.L}}{{range $.L}}{{end}}{{end}}{{end}}", &data, &out, &err),
		     MVM_ERR_INVALID, "more than 1000000 steps");
	assert_error(render("{{$x := \"ab\"}}{{range .L}}{{$x = print $x $x}}{{end}}", &data, &out, &err),
		     MVM_ERR_INVALID, "more than 16777216 bytes");
	assert_error(render("{{range .L}}{{printf \"%999999d\" .}}{{end}}", &data, &out, &err), MVM_ERR_INVALID,
		     "more than 16777216 bytes");
	for (int i = 0; i < 200; i++)
		mvm_buf_add(&deep, "{{if 1}}", 8);
	assert_error(render(deep.data, &data, &out, &err), MVM_ERR_INVALID, "nested deeper than 100 levels");
	deep.length = 0;
	mvm_buf_addf(&deep, "{{");
	for (int i = 0; i < 200; i++)
		mvm_buf_add(&deep, "(", 1);
	assert_error(render(deep.data, &data, &out, &err), MVM_ERR_INVALID, "nested deeper than 100 levels");
	assert_int_equal(out.length, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_printed_as_go_prints_them),
		cmocka_unit_test(control_structures),
		cmocka_unit_test(functions),
		cmocka_unit_test(malformed_templates_are_refused),
		cmocka_unit_test(failures_say_where),
		cmocka_unit_test(fields_of_a_type_are_fixed),
		cmocka_unit_test(json_of_the_value_may_be_another),
		cmocka_unit_test(headings_are_left_alone),
		cmocka_unit_test(work_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
