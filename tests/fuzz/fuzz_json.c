/* JSON: what is taken can be written and read again. */
#include "fuzz.h"

#include "runtime/base/json.h"
#include "runtime/base/mem.h"

bool fuzz_one(const uint8_t *data, size_t size)
{
	json_t *value MVM_CLEAN_JSON = NULL, *again MVM_CLEAN_JSON = NULL;
	char *text MVM_CLEAN_FREE = NULL;

	if (mvm_json_parse((const char *)data, size, "input", &value, NULL) < 0)
		return false;
	text = json_dumps(value, JSON_ENCODE_ANY);
	fuzz_check(text && mvm_json_parse(text, strlen(text), "again", &again, NULL) == 0);
	return true;
}
