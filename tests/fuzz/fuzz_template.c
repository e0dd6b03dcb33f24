/* Templates: whatever is asked for ends, within its bounds, and gives text or an error. */
#include "fuzz.h"

#include "runtime/base/json.h"
#include "runtime/base/mem.h"
#include "runtime/template/template.h"

static json_t *greet(const void *arg, const char *parameter)
{
	return mvm_json_message(parameter);
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	char *text MVM_CLEAN_FREE = mvm_strndup((const char *)data, size);
	struct mvm_template *template MVM_CLEAN_TEMPLATE = NULL;
	struct mvm_buf out MVM_CLEAN_BUF = {0};
	json_t *value MVM_CLEAN_JSON =
		json_pack("{s:s, s:[s, s, i], s:{s:s, s:s}, s:{s:b, s:n, s:f, s:i}}", "A", "text", "L", "one", "two", 3,
			  "M", "a", "b", "c", "d", "S", "T", 1, "N", "F", 1.5, "I", -7);
	const struct mvm_template_data plain = {.value = value, .method = "Label", .call = greet};
	const struct mvm_template_data headings = {.value = value, .type = "row", .headings = true};

	fuzz_check(value);
	if (mvm_template_parse(text, &template, NULL) < 0)
		return false;
	fuzz_check(mvm_template_run(template, &plain, &out, NULL) == 0 || out.length == 0);
	(void)mvm_template_run(template, &headings, &out, NULL);
	fuzz_check(out.length <= 2 * 16 * 1024 * 1024);
	return true;
}
