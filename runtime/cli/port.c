#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/text.h"
#include "runtime/state/port.h"

static const struct cli_option options[] = {CLI_OPTIONS_END};

/* "80", "80/udp" as "80/tcp", "80/udp"; the caller's. */
static int read_port(const char *text, char **port, struct mvm_error **err)
{
	size_t length = strcspn(text, "/");
	char *number MVM_CLEAN_FREE = mvm_strndup(text, length);
	int64_t value;

	if (!mvm_parse_int(number, 0, UINT16_MAX, &value))
		return mvm_fail(err, MVM_ERR_INVALID, "invalid port '%s'", number);
	*port = mvm_format("%s/%s", number, text[length] && text[length + 1] ? text + length + 1 : "tcp");
	return 0;
}

char *cli_port_place(const struct mvm_port *port)
{
	char number[8];

	snprintf(number, sizeof(number), "%u", port->first);
	return mvm_port_join(port->ip, number);
}

/* Numbers count as such: "80/tcp" comes before "443/tcp". */
static int naturally(const void *a, const void *b)
{
	static const char digits[] = "0123456789";
	const char *left = *(char *const *)a, *right = *(char *const *)b;
	bool in_number = false;
	size_t left_digits, right_digits;

	while (*left && *left == *right) {
		in_number = *left >= '0' && *left <= '9';
		left++;
		right++;
	}
	left_digits = strspn(left, digits);
	right_digits = strspn(right, digits);
	if (left_digits != right_digits && (in_number || (left_digits && right_digits)))
		return left_digits < right_digits ? -1 : 1;
	return (unsigned char)*left - (unsigned char)*right;
}

/* Lines for the port that is asked for, or for all. */
static void list_ports(const struct mvm_strv *ports, const char *asked, struct mvm_strv *lines)
{
	for (size_t i = 0; i < ports->count; i++) {
		char *guest MVM_CLEAN_FREE = NULL, *place MVM_CLEAN_FREE = NULL;
		struct mvm_port port;

		if (!mvm_port_read(ports->items[i], &port))
			continue;
		guest = mvm_port_guest_text(&port);
		place = cli_port_place(&port);
		if (!asked)
			mvm_strv_addf(lines, "%s -> %s", guest, place);
		else if (!strcmp(asked, guest))
			mvm_strv_add(lines, place);
	}
	if (lines->count)
		qsort(lines->items, lines->count, sizeof(*lines->items), naturally);
}

static int show_ports(struct mvm_engine *engine, char **args, struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_strv lines MVM_CLEAN_STRV = {0};
	char *asked MVM_CLEAN_FREE = NULL;

	if (mvm_state_find(mvm_engine_state(engine), args[0], &container, err) < 0 ||
	    (args[1] && read_port(args[1], &asked, err) < 0))
		return -1;
	if (mvm_status_alive(container->state.status))
		list_ports(&container->state.ports, asked, &lines);
	if (args[1] && !lines.count)
		return mvm_fail(err, MVM_ERR_NOT_FOUND, "No public port '%s' published for %s", args[1], args[0]);
	for (size_t i = 0; i < lines.count; i++)
		puts(lines.items[i]);
	return 0;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	struct mvm_engine *engine;
	int result;

	if (mvm_engine_open(&engine, err) < 0)
		return -1;
	result = show_ports(engine, args, err);
	mvm_engine_close(engine);
	return result;
}

const struct cli_command cli_port = {
	.name = "port",
	.names = {"container port", "port"},
	.usage = "CONTAINER [PRIVATE_PORT[/PROTO]]",
	.summary = "List the published ports of a container, or one of them",
	.options = options,
	.min_args = 1,
	.max_args = 2,
	.complete = cli_complete_container,
	.values_size = 1,
	.run = run,
};
