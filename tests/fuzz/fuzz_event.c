/* A line of the history of events: what is taken has all that an event has, and can be written and read again. */
#include "fuzz.h"

#include "runtime/base/mem.h"
#include "runtime/state/events.h"

bool fuzz_one(const uint8_t *data, size_t size)
{
	struct mvm_event event MVM_CLEAN_EVENT = {0}, again MVM_CLEAN_EVENT = {0};
	char *text MVM_CLEAN_FREE = NULL;
	const char *key;
	json_t *value;

	if (!mvm_event_parse((const char *)data, size, &event))
		return false;
	fuzz_check(event.type && event.action && event.id && event.time_ns >= 0);
	json_object_foreach((json_t *)event.attributes, key, value) fuzz_check(mvm_event_attribute(&event, key));
	text = json_dumps(event.json, JSON_COMPACT);
	/* Escapes may make it longer than a line may be. */
	fuzz_check(text && (strlen(text) > size || mvm_event_parse(text, strlen(text), &again)));
	return true;
}
