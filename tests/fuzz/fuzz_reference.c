/* References: what is taken has a full and a familiar form, and both mean the same. */
#include "fuzz.h"

#include "image/reference.h"
#include "runtime/base/mem.h"

static void check_form(char *text, const char *full)
{
	struct mvm_reference again MVM_CLEAN_REFERENCE = {0};
	char *other MVM_CLEAN_FREE = NULL;

	fuzz_check(mvm_reference_parse(text, &again, NULL) == 0);
	other = mvm_reference_full(&again);
	fuzz_check(strcmp(other, full) == 0);
	free(text);
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	char *text MVM_CLEAN_FREE = mvm_strndup((const char *)data, size);
	char *full MVM_CLEAN_FREE = NULL;

	if (mvm_reference_parse(text, &reference, NULL) < 0)
		return false;
	full = mvm_reference_full(&reference);
	check_form(mvm_strdup(full), full);
	check_form(mvm_reference_familiar(&reference), full);
	free(mvm_reference_repository(&reference));
	free(mvm_reference_familiar_repository(&reference));
	mvm_reference_is_loopback(reference.domain);
	return true;
}
