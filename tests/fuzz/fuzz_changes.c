/* A guest's list of changes: what is taken is sorted, each path once, with the folders around it. */
#include "fuzz.h"

#include "runtime/engine/changes.h"

static void check(const struct mvm_changes *changes)
{
	for (size_t i = 0; i < changes->count; i++) {
		fuzz_check(strchr("ACD", changes->items[i].kind) && changes->items[i].path[0] == '/');
		fuzz_check(i == 0 || strcmp(changes->items[i - 1].path, changes->items[i].path) < 0);
	}
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	struct mvm_changes changes = {0};
	struct changes_reader reader = {.changes = &changes};
	bool taken = changes_feed(&reader, (const char *)data, size / 2, NULL) == 0 &&
		     changes_feed(&reader, (const char *)data + size / 2, size - size / 2, NULL) == 0 &&
		     changes_complete(&reader, NULL) == 0;

	if (taken)
		check(&changes);
	changes_reader_finish(&reader);
	mvm_changes_finish(&changes);
	return taken;
}
