#include "figures.h"

#include <stdlib.h>
#include <string.h>

#include "guest-agent/proto/message.h"

/* The next line of a text, or NULL after the last. */
static const char *next_line(const char *line)
{
	line = strchr(line, '\n');
	return line && line[1] ? line + 1 : NULL;
}

uint64_t figures_value(const char *text, const char *key)
{
	size_t length = strlen(key);

	for (const char *line = *text ? text : NULL; line; line = next_line(line))
		if (strncmp(line, key, length) == 0 && line[length] == ' ')
			return strtoull(line + length, NULL, 10);
	return 0;
}

/* "  eth0: 100 1 0 0 0 0 0 0 200 2 ...": bytes received are the first number and bytes sent the ninth. */
void figures_add_network(const char *text, struct mvm_proto_figures *figures)
{
	for (const char *line = *text ? text : NULL; line; line = next_line(line)) {
		const char *name = line + strspn(line, " "), *at = name + strcspn(name, ":\n");
		char *end;

		if (*at != ':' || strncmp(name, "lo:", 3) == 0)
			continue;
		figures->net_received += strtoull(at + 1, &end, 10);
		for (int i = 0; i < 7; i++)
			strtoull(end, &end, 10);
		figures->net_sent += strtoull(end, NULL, 10);
	}
}

/* "254:0 rbytes=4096 wbytes=0 rios=1 ..." */
void figures_add_blocks(const char *text, struct mvm_proto_figures *figures)
{
	for (const char *at = strchr(text, ' '); at; at = strchr(at + 1, ' ')) {
		if (strncmp(at, " rbytes=", 8) == 0)
			figures->block_read += strtoull(at + 8, NULL, 10);
		else if (strncmp(at, " wbytes=", 8) == 0)
			figures->block_written += strtoull(at + 8, NULL, 10);
	}
}
