/* events --filter, by the rules of docker's daemon. */
#include "tests/unit/unit.h"

#include "runtime/cli/event_filter.h"

static struct mvm_strv split(const char *text)
{
	char *copy MVM_CLEAN_FREE = mvm_strdup(text), *rest = copy, *word;
	struct mvm_strv words = {0};

	while ((word = strsep(&rest, ";")))
		if (*word)
			mvm_strv_add(&words, word);
	return words;
}

#define CONTAINER                                                                                                      \
	"{\"Type\":\"container\",\"Action\":\"exec_start: sh -c x\",\"Actor\":{\"ID\":\"0123456789ab\",\"Attributes\"" \
	":{\"image\":\"alpine:3.20\",\"name\":\"web\",\"role\":\"front\",\"empty\":\"\"}},\"timeNano\":1}"
#define IMAGE                                                                                                          \
	"{\"Type\":\"image\",\"Action\":\"pull\",\"Actor\":{\"ID\":\"alpine:latest\",\"Attributes\":{\"name\":"        \
	"\"alpine\"}},\"timeNano\":1}"

static void wanted(void **state)
{
	static const struct {
		const char *filters;
		bool container, image;
	} cases[] = {
		{"", true, true},
		{"type=container", true, false},
		{"type=container;type=image", true, true},
		{"type=network", false, false},
		{"container=web", true, false},
		{"container=we", true, false},
		{"container=0123", true, false},
		{"container=eb", false, false},
		{"container=other;container=web", true, false},
		{"container=", true, true},
		/* Docker looks at no type here. */
		{"container=alp", false, true},
		{"volume=web", true, false},
		{"event=pull", false, true},
		{"event=pul", false, false},
		{"event=exec_start", true, false},
		{"event=exec_start: sh -c x", true, false},
		{"event=exec_start: sh", false, false},
		{"event=exec_create;event=exec_start: sh", true, false},
		{"image=alpine", true, true},
		{"image=alpine:3.20", true, false},
		{"image=alpine:latest", false, true},
		{"image=docker.io/library/alpine", false, false},
		{"label=role", true, false},
		{"label=role=front", true, false},
		{"label=role=fron", false, false},
		{"label=empty=", true, false},
		{"label=role;label=empty", true, false},
		{"label=role;label=none", false, false},
		{"label=name=alpine", false, true},
		{"scope=local", true, true},
		{"scope=swarm", false, false},
		{"type=container;event=pull", false, false},
		{"daemon=x", false, false},
	};
	struct mvm_event container MVM_CLEAN_EVENT = {0}, image MVM_CLEAN_EVENT = {0};

	assert_true(mvm_event_parse(CONTAINER, strlen(CONTAINER), &container));
	assert_true(mvm_event_parse(IMAGE, strlen(IMAGE), &image));
	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct mvm_strv filters MVM_CLEAN_STRV = split(cases[i].filters);
		struct mvm_error *err = NULL;

		assert_ok(cli_event_filters_check(&filters, &err));
		if (cli_event_is_wanted(&container, &filters) != cases[i].container ||
		    cli_event_is_wanted(&image, &filters) != cases[i].image)
			fail_msg("%s", cases[i].filters);
	}
}

static void unknown_names(void **state)
{
	struct mvm_strv filters MVM_CLEAN_STRV = split("type=image;color=red"), bare MVM_CLEAN_STRV = split("type");
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	assert_error(cli_event_filters_check(&filters, &err), MVM_ERR_USAGE, "invalid filter 'color'");
	assert_error(cli_event_filters_check(&bare, &err), MVM_ERR_USAGE, "expected name=value");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wanted),
		cmocka_unit_test(unknown_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
