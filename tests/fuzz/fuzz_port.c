/* What is given to -p and --expose, and what config.json says of ports: what is taken comes out in the form that is
 * kept, which is read back as what it was. */
#include "fuzz.h"

#include "runtime/base/error.h"
#include "runtime/state/port.h"

static void check_kept(const char *text)
{
	char *again MVM_CLEAN_FREE = NULL, *exposed MVM_CLEAN_FREE = NULL;
	struct mvm_strv ports MVM_CLEAN_STRV = {0};
	struct mvm_port port;

	fuzz_check(mvm_port_read(text, &port));
	fuzz_check(port.guest && port.first <= port.last && strlen(port.ip) < sizeof(port.ip));
	again = mvm_port_format(&port);
	fuzz_check(!strcmp(again, text));
	exposed = mvm_port_guest_text(&port);
	fuzz_check(mvm_port_parse_exposed(exposed, &ports, NULL) == 0 && ports.count == 1 &&
		   !strcmp(ports.items[0], exposed));
}

static bool publish(const char *text, struct mvm_strv *ports)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	if (mvm_port_parse(text, ports, &err) < 0) {
		fuzz_check(err && *mvm_error_message(err) && !ports->count);
		return false;
	}
	fuzz_check(ports->count && ports->count <= UINT16_MAX);
	for (size_t i = 0; i<ports->count; i += ports->count> 64 ? 1021 : 1)
		check_kept(ports->items[i]);
	return true;
}

static bool expose(const char *text, struct mvm_strv *exposed)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	if (mvm_port_parse_exposed(text, exposed, &err) < 0) {
		fuzz_check(err && !exposed->count);
		return false;
	}
	fuzz_check(exposed->count && exposed->count <= UINT16_MAX + 1);
	mvm_port_sort_exposed(exposed);
	return true;
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	char *text MVM_CLEAN_FREE = mvm_strndup((const char *)data, size), *column MVM_CLEAN_FREE = NULL;
	struct mvm_strv ports MVM_CLEAN_STRV = {0}, exposed MVM_CLEAN_STRV = {0};
	struct mvm_port port;
	bool taken = publish(text, &ports);

	/* What is kept is never a list. */
	if (mvm_port_read(text, &port))
		fuzz_check(taken && ports.count == 1);
	expose(text, &exposed);
	if (ports.count + exposed.count < 1024)
		column = mvm_port_display(&ports, &exposed);
	return taken;
}
