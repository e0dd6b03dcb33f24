/* Variables: texts with them, and .env files. The input is one, a NUL, and the other. */
#include "fuzz.h"

#include "runtime/compose/dotenv.h"

static const char *find(void *arg, const char *name)
{
	return environment_find(arg, name);
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	char *file MVM_CLEAN_FREE = mvm_strndup((const char *)data, size);
	size_t length = strlen(file);
	char *text MVM_CLEAN_FREE =
		length < size ? mvm_strndup((const char *)data + length + 1, size - length - 1) : mvm_strdup("");
	struct mvm_strv given MVM_CLEAN_STRV = {0}, read MVM_CLEAN_STRV = {0};
	struct mvm_buf out MVM_CLEAN_BUF = {0};
	struct substitution how = {.find = find, .arg = &given};

	mvm_strv_add(&given, "GIVEN=value");
	if (dotenv_parse(file, &how, &read, NULL) < 0)
		return false;
	for (size_t i = 0; i < read.count; i++)
		fuzz_check(strchr(read.items[i], '='));
	how.arg = &read;
	if (substitute(text, &how, &out, NULL) < 0)
		return false;
	fuzz_check(out.length <= SUBSTITUTE_MAX);
	return true;
}
