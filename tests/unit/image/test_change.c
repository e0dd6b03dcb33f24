#include "../unit.h"

#include <string.h>

#include "image/change.h"
#include "runtime/base/mem.h"

/* The configuration after the changes, which end with NULL, as JSON with sorted keys; or the error. */
static char *apply(const char *before, ...)
{
	json_t *config = json_loads(before, 0, NULL);
	struct mvm_strv changes MVM_CLEAN_STRV = {0};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	const char *change;
	char *text;
	va_list args;

	va_start(args, before);
	while ((change = va_arg(args, const char *)))
		mvm_strv_add(&changes, change);
	va_end(args);
	if (mvm_changes_apply(config, &changes, &err) == 0)
		text = json_dumps(config, JSON_COMPACT | JSON_SORT_KEYS);
	else
		text = mvm_strdup(mvm_error_message(err));
	json_decref(config);
	return text;
}

#define assert_changes(expected, ...)                                                                                  \
	do {                                                                                                           \
		char *is MVM_CLEAN_FREE = apply(__VA_ARGS__, NULL);                                                    \
		assert_string_equal(is, expected);                                                                     \
	} while (0)

static void test_commands(void **state)
{
	assert_changes("{\"Cmd\":[\"a\",\"b c\"]}", "{}", "CMD [\"a\", \"b c\"]");
	assert_changes("{\"Cmd\":[\"/bin/sh\",\"-c\",\"echo \\\"$A\\\"\"]}", "{}", "cmd  echo \"$A\" ");
	assert_changes("{\"Cmd\":[\"/bin/sh\",\"-c\",\"[1]\"]}", "{}", "CMD [1]");
	assert_changes("{\"Cmd\":[]}", "{}", "CMD []");
	assert_changes("{\"Cmd\":[\"bash\",\"-c\",\"x\"],\"Shell\":[\"bash\",\"-c\"]}", "{\"Shell\":[\"bash\",\"-c\"]}",
		       "CMD x");
	/* The image's own command was for its own entrypoint; one that is given stays. */
	assert_changes("{\"Entrypoint\":[\"e\"]}", "{\"Cmd\":[\"c\"]}", "ENTRYPOINT [\"e\"]");
	assert_changes("{\"Cmd\":[\"c\"],\"Entrypoint\":[\"e\"]}", "{}", "CMD [\"c\"]", "ENTRYPOINT [\"e\"]");
}

static void test_env(void **state)
{
	assert_changes("{\"Env\":[\"A=1\",\"B=two words\",\"C=x y\"]}", "{}", "ENV A=1 B=\"two words\" C=x\\ y");
	assert_changes("{\"Env\":[\"A=all the rest\"]}", "{\"Env\":[\"A=old\"]}", "ENV A  all the rest");
	/* Variables mean what they meant before the instruction. */
	assert_changes("{\"Env\":[\"A=new\",\"B=old\",\"C=new\"]}", "{\"Env\":[\"A=old\"]}", "ENV A=new B=$A",
		       "ENV C=${A}");
	assert_changes("{\"Env\":[\"X=\",\"A=a-|b||c\"]}", "{\"Env\":[\"X=\"]}",
		       "ENV A=a-${X}|${X:-b}|${X:+n}|${Y:-c}");
	assert_changes("{\"Env\":[\"A=$B 'c' \\\"\"]}", "{}", "ENV A='$B '\"'c' \\\"\"");
	assert_changes("{\"Env\":[\"A=5$\"]}", "{}", "ENV A=5$");
}

static void test_the_rest(void **state)
{
	assert_changes("{\"ExposedPorts\":{\"53/udp\":{},\"80/tcp\":{},\"81/tcp\":{}}}", "{}", "EXPOSE 80-81 53/UDP");
	assert_changes("{\"Labels\":{\"a b\":\"c\",\"d\":\"\"}}", "{}", "LABEL \"a b\"=c d=");
	assert_changes("{\"Volumes\":{\"/a\":{},\"/b c\":{}}}", "{}", "VOLUME /a", "VOLUME [\"/b c\"]");
	assert_changes("{\"WorkingDir\":\"/a/c d\"}", "{}", "WORKDIR /a/./b", "WORKDIR ../c d");
	assert_changes("{\"WorkingDir\":\"/\"}", "{}", "WORKDIR ../..");
	assert_changes("{\"User\":\"1:2\"}", "{}", "USER 1:2");
	assert_changes("{\"StopSignal\":\"SIGINT\"}", "{}", "STOPSIGNAL SIGINT");
	assert_changes("{\"OnBuild\":[\"RUN a\",\"ADD b /\"]}", "{\"OnBuild\":[\"RUN a\"]}", "ONBUILD ADD b /");
	assert_changes("{\"Healthcheck\":{\"Interval\":90000000000,\"Retries\":3,\"Test\":[\"CMD-SHELL\",\"curl x\"]}}",
		       "{}", "HEALTHCHECK --interval=1m30s --retries=3 CMD curl x");
	assert_changes("{\"Healthcheck\":{\"Test\":[\"CMD\",\"a\"]}}", "{}", "HEALTHCHECK CMD [\"a\"]");
	assert_changes("{\"Healthcheck\":{\"Test\":[\"NONE\"]}}", "{}", "HEALTHCHECK none");
}

static void test_refused(void **state)
{
	static const char *const cases[][2] = {
		{"RUN x", "RUN is not a valid change command"},
		{"", " is not a valid change command"},
		{"CMD", "CMD requires at least one argument"},
		{"ENV A", "ENV: must have two arguments"},
		{"ENV A=b c", "ENV: Syntax error - can't find = in \"c\". Must be of the form: name=value"},
		{"ENV =b", "ENV: names can not be blank"},
		{"ENV A=\"b", "ENV: a quote in \"\"b\" is not closed"},
		{"ENV A=${B", "ENV: cannot read the variable in \"${B\""},
		{"ENV A=${B%x}", "ENV: cannot read the variable in \"${B%x}\""},
		{"EXPOSE 65536", "EXPOSE: invalid containerPort: 65536"},
		{"EXPOSE 2-1", "EXPOSE: invalid containerPort: 2-1"},
		{"EXPOSE 1/icmp", "EXPOSE: invalid proto: icmp"},
		{"USER a b", "USER: requires exactly one argument"},
		{"STOPSIGNAL NOTHING", "STOPSIGNAL: invalid signal: NOTHING"},
		{"VOLUME [\"\"]", "VOLUME: VOLUME specified can not be an empty string"},
		{"ONBUILD onbuild RUN x", "ONBUILD: Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"},
		{"ONBUILD FROM x", "ONBUILD: FROM isn't allowed as an ONBUILD trigger"},
		{"HEALTHCHECK --interval=1 CMD x", "--interval=1 is no time of at least 1ms, like 30s or 1m30s"},
		{"HEALTHCHECK --interval=1us CMD x", "--interval=1us is no time of at least 1ms, like 30s or 1m30s"},
		{"HEALTHCHECK x", "HEALTHCHECK: HEALTHCHECK takes NONE, or options and CMD with a command"},
		{"ENV A=\xff", "is not UTF-8"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		char *is MVM_CLEAN_FREE = apply("{}", cases[i][0], NULL);

		if (!strstr(is, cases[i][1]) || strncmp(is, "change \"", 8))
			fail_msg("%s: %s", cases[i][0], is);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_env),
		cmocka_unit_test(test_the_rest),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
