/* Who listens, by the kernel's tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/types.h>

#include "guest-agent/control.h"
#include "guest-agent/failure.h"
#include "guest-agent/files.h"
#include "guest-agent/loop.h"
#include "guest-agent/ports.h"
#include "guest-agent/publish.h"

/* What ports_watch() needs, which is not called here. */
void control_listening(const char *ports)
{
	fail();
}

void publish_follow(const uint8_t *set)
{
	fail();
}

ssize_t file_read_at(int folder, const char *path, char *buffer, size_t size)
{
	return -1;
}

int loop_add(struct watch *watch, uint32_t events)
{
	return -1;
}

#define HEAD "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
#define TAIL " 00000000:00000000 00:00000000 00000000     0        0 1234 1 0000 100 0 0 10 0\n"

static const char *ports_of(const char *table)
{
	static char text[64];
	uint8_t set[PORTS_SET] = {0};

	ports_add(table, set);
	ports_format(set, text, sizeof(text));
	return text;
}

static void listeners_only(void **state)
{
	assert_string_equal(ports_of(""), "");
	assert_string_equal(ports_of(HEAD), "");
	assert_string_equal(
		ports_of(HEAD "   0: 00000000:1F90 00000000:0000 0A" TAIL "   1: 0100007F:0016 00000000:0000 0A" TAIL
			      "   2: 027FA8C0:0050 00000000:0000 0A" TAIL "  10: 00000000:1F90 00000000:0000 0A" TAIL),
		"22 80 8080");
	/* The resolver of systemd, say, and all that is behind the listeners. */
	assert_string_equal(
		ports_of(HEAD "   0: 3500007F:0035 00000000:0000 0A" TAIL "   1: 00000000:FFFF 00000000:0000 0A" TAIL
			      "   2: 0100007F:1111 0100007F:2222 01" TAIL "   3: 00000000:3333 00000000:0000 0A" TAIL),
		"65535");
}

static void the_other_family(void **state)
{
	assert_string_equal(
		ports_of(HEAD
			 "   0: 00000000000000000000000000000000:1F91 00000000000000000000000000000000:0000 0A" TAIL
			 "   1: 00000000000000000000000001000000:1F92 00000000000000000000000000000000:0000 0A" TAIL),
		"8081 8082");
}

/* A table that is cut off in the middle of a line, and lines that are none. */
static void what_is_not_whole(void **state)
{
	static const char whole[] =
		HEAD "   0: 00000000:0001 00000000:0000 0A" TAIL "   1: 00000000:0002 00000000:0000 0A" TAIL;
	char part[sizeof(whole)];

	for (size_t i = 0; i < sizeof(whole); i++) {
		const char *got;

		memcpy(part, whole, i);
		part[i] = '\0';
		got = ports_of(part);
		assert_true(!strcmp(got, "") || !strcmp(got, "1") || (i == sizeof(whole) - 1 && !strcmp(got, "1 2")));
	}
	assert_string_equal(ports_of(HEAD "nonsense\n"), "");
	assert_string_equal(ports_of(HEAD ":\n"), "");
}

static void no_more_than_there_is_room_for(void **state)
{
	uint8_t set[PORTS_SET];
	char text[20];

	memset(set, 0xff, sizeof(set));
	ports_format(set, text, sizeof(text));
	assert_string_equal(text, "1 2 3 4 5 6 7 8");
}

static void the_first_of_many(void **state)
{
	static char text[PORTS_MAX * 6];
	uint8_t set[PORTS_SET];

	memset(set, 0xff, sizeof(set));
	ports_limit(set);
	ports_format(set, text, sizeof(text));
	assert_memory_equal(text, "1 2 3 ", 6);
	assert_string_equal(strrchr(text, ' '), " 256");

	/* The longest ones there are have room. */
	memset(set, 0, sizeof(set));
	for (unsigned port = 65535 - PORTS_MAX; port < 65536; port++)
		set[port / 8] |= (uint8_t)(1 << port % 8);
	ports_limit(set);
	ports_format(set, text, sizeof(text));
	assert_int_equal(strlen(text), PORTS_MAX * 6 - 1);
	assert_string_equal(strrchr(text, ' '), " 65534");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listeners_only),    cmocka_unit_test(the_other_family),
		cmocka_unit_test(what_is_not_whole), cmocka_unit_test(no_more_than_there_is_room_for),
		cmocka_unit_test(the_first_of_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
