#include "ports.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "control.h"
#include "failure.h"
#include "files.h"
#include "loop.h"
#include "publish.h"

enum {
	PERIOD_MS = 400,
	TABLE = 40 << 10, /* PORTS_MAX listeners and the heading */
	TEXT = PORTS_MAX * 6,
};

static struct watch timer = {.fd = -1};
static char told[TEXT];

/* "   0: 0100007F:1F90 00000000:0000 0A ...": words of the kernel's byte order, in hexadecimal. */
static bool read_line(const char *line, uint8_t *set)
{
	const char *address = strchr(line, ':'), *port, *state;
	unsigned long number;

	if (!address)
		return false;
	address += 1 + strspn(address + 1, " ");
	port = strchr(address, ':');
	state = port ? strchr(port, ' ') : NULL;
	state = state ? strchr(state + 1, ' ') : NULL;
	if (!state || strncmp(state, " 0A ", 4) != 0)
		return false;
	number = strtoul(port + 1, NULL, 16);
	if (port - address != 8 || strncmp(port - 2, "7F", 2) || !strncmp(address, "0100007F", 8))
		set[number / 8 % PORTS_SET] |= (uint8_t)(1 << number % 8);
	return true;
}

void ports_add(const char *table, uint8_t set[PORTS_SET])
{
	const char *line = strchr(table, '\n');

	while (line && line[1] && strchr(line + 1, '\n') && read_line(line + 1, set))
		line = strchr(line + 1, '\n');
}

void ports_limit(uint8_t set[PORTS_SET])
{
	unsigned count = 0;

	for (unsigned port = 1; port < 65536; port++)
		if (set[port / 8] & 1 << port % 8 && ++count > PORTS_MAX)
			set[port / 8] &= (uint8_t) ~(1 << port % 8);
}

void ports_format(const uint8_t set[PORTS_SET], char *text, unsigned size)
{
	unsigned length = 0;

	text[0] = '\0';
	for (unsigned port = 1; port < 65536 && length + 7 <= size; port++)
		if (set[port / 8] & 1 << port % 8)
			length += (unsigned)snprintf(text + length, size - length, "%s%u", length ? " " : "", port);
}

static void tick(struct watch *watch, uint32_t events)
{
	static const char *const tables[] = {"/proc/net/tcp", "/proc/net/tcp6"};
	static char table[TABLE], text[TEXT];
	static uint8_t set[PORTS_SET];
	uint64_t times;

	if (read(watch->fd, &times, sizeof(times)) < 0)
		return;
	memset(set, 0, sizeof(set));
	for (int i = 0; i < 2; i++)
		if (file_read_at(AT_FDCWD, tables[i], table, sizeof(table)) >= 0)
			ports_add(table, set);
	ports_limit(set);
	ports_format(set, text, sizeof(text));
	if (!strcmp(text, told))
		return;
	strcpy(told, text);
	publish_follow(set);
	control_listening(text);
}

void ports_watch(void)
{
	const struct itimerspec period = {.it_interval = {.tv_nsec = PERIOD_MS * 1000000},
					  .it_value = {.tv_nsec = PERIOD_MS * 1000000}};

	timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	timer.ready = tick;
	if (timer.fd < 0 || timerfd_settime(timer.fd, 0, &period, NULL) || loop_add(&timer, EPOLLIN))
		complain("cannot watch for ports: %s", strerror(errno));
}
