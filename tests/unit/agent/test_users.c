/* Users and groups by docker's rules, from files that an image's author wrote, or an attacker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest-agent/failure.h"
#include "guest-agent/users.h"

static struct identity identity;
static struct failure failure;

static struct text text(const char *string)
{
	return (struct text){string, string ? strlen(string) : 0};
}

static int resolve(const char *spec, const char *passwd, const char *group)
{
	return users_resolve(spec, text(passwd), text(group), &identity, &failure);
}

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
			     "# a comment:x:7:7::/:\n"
			     "user:x:1000:1001:A user:/home/user:/bin/sh\n"
			     "1234:x:99:99:a name of digits:/digits:\n"
			     "last:x:5:6::/last";
static const char group[] = "root:x:0:\n"
			    "adm:x:4:other,user\n"
			    "audio:x:29:user,user,other\n"
			    "user:x:1001:user\n"
			    "77:x:78:\n"
			    "users:x:100:usero,ser,user \n";

static void assert_ids(uint32_t uid, uint32_t gid, const char *home)
{
	assert_int_equal(identity.uid, uid);
	assert_int_equal(identity.gid, gid);
	assert_string_equal(identity.home, home);
}

static void assert_groups(size_t count, const uint32_t *groups)
{
	assert_int_equal(identity.group_count, count);
	assert_memory_equal(identity.groups, groups, count * sizeof(*groups));
}

static void test_root_by_default(void **state)
{
	assert_int_equal(resolve("", passwd, group), 0);
	assert_ids(0, 0, "/root");
	assert_groups(1, (const uint32_t[]){0});
	assert_int_equal(resolve(":", passwd, group), 0);
	assert_ids(0, 0, "/root");
}

static void test_files_may_be_missing(void **state)
{
	assert_int_equal(resolve("", NULL, NULL), 0);
	assert_ids(0, 0, "/");
	assert_int_equal(resolve("12:34", NULL, NULL), 0);
	assert_ids(12, 34, "/");
	assert_int_equal(resolve("root", NULL, NULL), -1);
	assert_int_equal(failure.code, MVM_PROTO_NO_USER);
	assert_string_equal(failure.message, "unable to find user root: no matching entries in passwd file");
}

static void test_by_name_with_its_groups(void **state)
{
	assert_int_equal(resolve("user", passwd, group), 0);
	assert_ids(1000, 1001, "/home/user");
	/* The line is trimmed, as docker does, so the last member of `users` is "user". */
	assert_groups(4, (const uint32_t[]){1001, 4, 29, 100});
}

static void test_by_number_of_an_entry(void **state)
{
	assert_int_equal(resolve("1000", passwd, group), 0);
	assert_ids(1000, 1001, "/home/user");
	assert_int_equal(identity.group_count, 4);
}

static void test_by_number_without_entry(void **state)
{
	assert_int_equal(resolve("4711", passwd, group), 0);
	assert_ids(4711, 0, "/");
	assert_groups(1, (const uint32_t[]){0});
}

static void test_a_number_is_never_a_name(void **state)
{
	assert_int_equal(resolve("1234", passwd, group), 0);
	assert_ids(1234, 0, "/");
	assert_int_equal(resolve("0:77", passwd, group), 0);
	assert_int_equal(identity.gid, 77);
}

static void test_named_group_replaces_all(void **state)
{
	assert_int_equal(resolve("user:audio", passwd, group), 0);
	assert_ids(1000, 29, "/home/user");
	assert_groups(1, (const uint32_t[]){29});
	assert_int_equal(resolve("user:4000", passwd, group), 0);
	assert_groups(1, (const uint32_t[]){4000});
	assert_int_equal(resolve(":audio", passwd, group), 0);
	assert_ids(0, 29, "/root");
	assert_int_equal(resolve("user:", passwd, group), 0);
	assert_int_equal(identity.gid, 1001);
}

static void test_last_line_without_newline(void **state)
{
	assert_int_equal(resolve("last", passwd, group), 0);
	assert_ids(5, 6, "/last");
}

static void test_unknown_names(void **state)
{
	assert_int_equal(resolve("ghost", passwd, group), -1);
	assert_int_equal(failure.code, MVM_PROTO_NO_USER);
	assert_string_equal(failure.message, "unable to find user ghost: no matching entries in passwd file");
	assert_int_equal(resolve("user:ghosts", passwd, group), -1);
	assert_int_equal(failure.code, MVM_PROTO_NO_GROUP);
	assert_string_equal(failure.message, "unable to find group ghosts: no matching entries in group file");
	assert_int_equal(resolve("use", passwd, group), -1);
	assert_int_equal(resolve("user:adm:more", passwd, group), -1);
	assert_int_equal(resolve("-1", passwd, group), -1);
	assert_int_equal(resolve(" user", passwd, group), -1);
}

static void test_numbers_out_of_range(void **state)
{
	assert_int_equal(resolve("2147483647:2147483647", passwd, group), 0);
	assert_ids(2147483647, 2147483647, "/");
	assert_int_equal(resolve("2147483648", passwd, group), -1);
	assert_string_equal(failure.message, "uids and gids must be in range 0-2147483647");
	assert_int_equal(resolve("0:4294967296", passwd, group), -1);
	assert_int_equal(failure.code, MVM_PROTO_NO_GROUP);
	/* 2^64 is not 0. */
	assert_int_equal(resolve("18446744073709551616", passwd, group), -1);
}

static void test_broken_lines_are_no_entries(void **state)
{
	static const char broken[] = "\n:\n::::::\nuser\nuser:x\nuser:x:\nuser:x:abc:0::/:\nuser:x:-1:0::/:\n"
				     "user:x:0x10:0::/:\nuser:x:4294967295:0::/:\nuser:x: 5:0::/:\n:x:0:0::/:\n"
				     "user:x:7\n";

	/* The only one with an id: no group, no home. Nobody becomes root by a typing error. */
	assert_int_equal(resolve("user", broken, group), 0);
	assert_int_equal(identity.uid, 7);
	assert_int_equal(identity.gid, 0);
	assert_string_equal(identity.home, "/");
}

static void test_bytes_that_no_text_has(void **state)
{
	static const char bytes[] = "a\0b:x:1:1::/:\nuser:x:8:9::/ho\0me:\n\377\376:x:1:1::/:";
	const struct text file = {bytes, sizeof(bytes) - 1};

	assert_int_equal(users_resolve("user", file, text(group), &identity, &failure), 0);
	assert_ids(8, 9, "/");
	assert_int_equal(users_resolve("a", file, text(group), &identity, &failure), -1);
}

static void test_huge_lines(void **state)
{
	enum { SIZE = 1 << 20 };
	static char file[SIZE + 64];
	size_t length;

	memset(file, ':', SIZE);
	strcpy(file + SIZE, "\nuser:x:3:4::/u:\n");
	assert_int_equal(resolve("user", file, group), 0);
	assert_ids(3, 4, "/u");
	/* A home that is too long to be one. */
	length = (size_t)sprintf(file, "user:x:3:4::/");
	memset(file + length, 'h', 8192);
	strcpy(file + length + 8192, ":/bin/sh\n");
	assert_int_equal(resolve("user", file, group), 0);
	assert_ids(3, 4, "/");
	/* A million members, all of them him. */
	length = (size_t)sprintf(file, "g:x:10:");
	while (length < SIZE) {
		memcpy(file + length, "user,", 5);
		length += 5;
	}
	file[length] = '\0';
	assert_int_equal(resolve("user", passwd, file), 0);
	assert_groups(2, (const uint32_t[]){1001, 10});
}

static void test_more_groups_than_there_can_be(void **state)
{
	char *file = malloc(3 * USERS_GROUPS_MAX * 24);
	size_t length = 0;

	assert_non_null(file);
	for (int i = 0; i < 2 * USERS_GROUPS_MAX; i++)
		length += (size_t)sprintf(file + length, "g%d:x:%d:user\n", i, 5000 + i);
	assert_int_equal(resolve("user", passwd, file), 0);
	assert_int_equal(identity.group_count, USERS_GROUPS_MAX);
	free(file);
}

static void test_long_names_are_cut_in_messages(void **state)
{
	static char name[5000];

	memset(name, 'n', sizeof(name) - 1);
	assert_int_equal(resolve(name, passwd, group), -1);
	assert_true(strlen(failure.message) < 400);
}

static void test_more_groups_are_added(void **state)
{
	char *const more[] = {(char *)"audio", (char *)"1001", (char *)"4242", (char *)"users", (char *)"77", NULL};
	char *const unknown[] = {(char *)"audio", (char *)"nosuch", NULL};
	char *const huge[] = {(char *)"2147483648", NULL};
	const uint32_t expected[] = {1001, 4, 29, 100, 4242, 77};

	assert_int_equal(resolve("user", passwd, group), 0);
	assert_int_equal(users_add_groups(NULL, text(group), &identity, &failure), 0);
	assert_int_equal(users_add_groups(more, text(group), &identity, &failure), 0);
	assert_int_equal(identity.gid, 1001);
	assert_int_equal(identity.group_count, 6);
	assert_memory_equal(identity.groups, expected, sizeof(expected));
	assert_int_equal(users_add_groups(unknown, text(group), &identity, &failure), -1);
	assert_int_equal(failure.code, MVM_PROTO_NO_GROUP);
	assert_string_equal(failure.message, "unable to find group nosuch: no matching entries in group file");
	assert_int_equal(users_add_groups(huge, text(group), &identity, &failure), -1);
}

static void assert_name(const char *file, uint32_t id, const char *expected)
{
	char name[8];

	users_name(text(file), id, name, sizeof(name));
	assert_string_equal(name, expected);
}

static void test_names_of_ids(void **state)
{
	assert_name(passwd, 0, "root");
	assert_name(passwd, 1000, "user");
	assert_name(passwd, 5, "last");
	assert_name(passwd, 8, "");
	assert_name(group, 29, "audio");
	assert_name(NULL, 0, "");
	assert_name("a-name-that-is-long:x:9:9::/:", 9, "a-name-");
	/* No number is no id, not even root's. */
	assert_name("evil:x::0::/:\n:x:0:0::/:\nroot:x:0:0::/:", 0, "root");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_of_ids),
		cmocka_unit_test(test_root_by_default),
		cmocka_unit_test(test_files_may_be_missing),
		cmocka_unit_test(test_by_name_with_its_groups),
		cmocka_unit_test(test_by_number_of_an_entry),
		cmocka_unit_test(test_by_number_without_entry),
		cmocka_unit_test(test_a_number_is_never_a_name),
		cmocka_unit_test(test_named_group_replaces_all),
		cmocka_unit_test(test_last_line_without_newline),
		cmocka_unit_test(test_unknown_names),
		cmocka_unit_test(test_numbers_out_of_range),
		cmocka_unit_test(test_broken_lines_are_no_entries),
		cmocka_unit_test(test_bytes_that_no_text_has),
		cmocka_unit_test(test_huge_lines),
		cmocka_unit_test(test_more_groups_than_there_can_be),
		cmocka_unit_test(test_long_names_are_cut_in_messages),
		cmocka_unit_test(test_more_groups_are_added),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
