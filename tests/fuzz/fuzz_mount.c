/* -v and --mount: what is taken has a form that means the same. */
#include "fuzz.h"

#include "runtime/base/mem.h"
#include "share/mount.h"

static bool try_form(int (*parse)(const char *text, struct mvm_mount *mount, struct mvm_error **err), const char *text)
{
	struct mvm_mount mount MVM_CLEAN_MOUNT = {0}, again MVM_CLEAN_MOUNT = {0};
	char *form MVM_CLEAN_FREE = NULL, *other MVM_CLEAN_FREE = NULL;

	if (parse(text, &mount, NULL) < 0)
		return false;
	fuzz_check(mount.target[0] == '/' && mount.target[1]);
	fuzz_check(mount.type != MVM_MOUNT_BIND || mount.source[0] == '/');
	form = mvm_mount_format(&mount);
	fuzz_check(parse(form, &again, NULL) == 0);
	other = mvm_mount_format(&again);
	fuzz_check(strcmp(form, other) == 0);
	return true;
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	char *text MVM_CLEAN_FREE = mvm_strndup((const char *)data, size);
	bool shorter = try_form(mvm_mount_parse_short, text);

	return try_form(mvm_mount_parse_long, text) || shorter;
}
