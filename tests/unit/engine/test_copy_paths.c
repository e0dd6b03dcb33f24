/* What `cp` makes of paths: docker's rules, by its own examples. */
#include "tests/unit/unit.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"
#include "runtime/engine/copy_paths.h"

static void paths_are_cleaned(void **state)
{
	static const struct {
		const char *path, *clean;
	} cases[] = {
		{"", "."},	    {".", "."},
		{"/", "/"},	    {"//", "/"},
		{"a", "a"},	    {"a/", "a"},
		{"./a", "a"},	    {"/a/./b//c/", "/a/b/c"},
		{"a/../b", "b"},    {"/..", "/"},
		{"/../a", "/a"},    {"..", ".."},
		{"../..", "../.."}, {"a/../..", ".."},
		{"../a/..", ".."},  {"/a/b/../../..", "/"},
		{"a/..", "."},	    {"../../a/../b", "../../b"},
		{"...", "..."},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		char *clean MVM_CLEAN_FREE = copy_clean(cases[i].path);

		assert_string_equal(clean, cases[i].clean);
	}
}

static void paths_are_taken_apart(void **state)
{
	static const struct {
		const char *path, *base, *folder, *name;
	} cases[] = {
		{"/a/b", "b", "/a", "b"},      {"/a/b/", "b", "/a", "b"}, {"/a/b/.", ".", "/a/b", "."},
		{"/a/b/./", ".", "/a/b", "."}, {"/", "/", "/", "/"},	  {"/.", ".", "/", "."},
		{".", ".", ".", "."},	       {"a", "a", ".", "a"},	  {"", ".", ".", "."},
		{"/a/b/..", "..", "/", "a"},   {"a/b", "b", "a", "b"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		char *base MVM_CLEAN_FREE = copy_base(cases[i].path);
		char *folder MVM_CLEAN_FREE = NULL, *name MVM_CLEAN_FREE = NULL;

		copy_split(cases[i].path, &folder, &name);
		assert_string_equal(base, cases[i].base);
		assert_string_equal(folder, cases[i].folder);
		assert_string_equal(name, cases[i].name);
	}
}

static void the_end_of_a_path_stays(void **state)
{
	static const struct {
		const char *path, *absolute;
		bool folder;
	} cases[] = {
		{"a", "/a", false},	 {"a/", "/a/", true}, {"a/.", "/a/.", true}, {"/a/b/../c/", "/a/c/", true},
		{".", "/.", true},	 {"/", "/", true},    {"./", "/./", true},   {"../../x", "/x", false},
		{"a/./", "/a/./", true}, {"a/..", "/", true}, {"", "/.", true},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		char *absolute MVM_CLEAN_FREE = copy_absolute(cases[i].path);

		assert_string_equal(absolute, cases[i].absolute);
		assert_int_equal(copy_asserts_folder(absolute), cases[i].folder);
	}
}

static void links_that_are_followed_keep_their_name(void **state)
{
	static const struct {
		const char *path, *resolved, *taken, *name;
	} cases[] = {
		{"/l", "/d", "/d", "l"},  {"/l/", "/d", "/d/", "l"}, {"/l/.", "/d", "/d/.", NULL},
		{"/d", "/d", "/d", NULL}, {"/x/l", "/", "/", "l"},   {"/l/.", "/", "//.", NULL},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		char *taken MVM_CLEAN_FREE = NULL, *name MVM_CLEAN_FREE = NULL;

		copy_rebase_name(cases[i].path, cases[i].resolved, &taken, &name);
		assert_string_equal(taken, cases[i].taken);
		assert_string_equal(name ? name : "-", cases[i].name ? cases[i].name : "-");
	}
}

static void names_are_rebased(void **state)
{
	static const struct {
		const char *name, *from, *to, *result;
	} cases[] = {
		{"a", "a", "b", "b"},	      {"a/", "a", "b", "b/"},
		{"a/x/a", "a", "b", "b/x/a"}, {"ab/x", "a", "b", "ab/x"},
		{"./x", ".", "b", "b/x"},     {"./", ".", "b", "b/"},
		{"/x", "/", "b", "b/x"},      {"/", "/", "b", "b/"},
		{"x", "a", "b", "x"},	      {"a/\xff", "a", "b/", "b/\xff"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		char *result MVM_CLEAN_FREE = copy_rebase(cases[i].name, cases[i].from, cases[i].to);

		assert_string_equal(result, cases[i].result);
	}
}

/* Docker's table of cases: its letters. */
static void the_plan_of_each_case(void **state)
{
	static const struct {
		char letter;
		const char *source;
		bool source_dir;
		const char *rebase;
		const char *target;
		bool exists, target_dir;
		const char *folder, *from, *to; /* folder NULL: `from` is the error */
	} cases[] = {
		{'A', "/s/f", false, NULL, "/t/n", false, false, "/t", "f", "n"},
		{'B', "/s/f", false, NULL, "/t/n/", false, false, NULL, "no such directory", NULL},
		{'B', "/s/f", false, NULL, "/t/n/.", false, false, NULL, "no such directory", NULL},
		{'C', "/s/f", false, NULL, "/t/n", true, false, "/t", "f", "n"},
		{'C', "/s/f", false, "l", "/t/n", true, false, "/t", "l", "n"},
		{'D', "/s/f", false, NULL, "/t/d", true, true, "/t/d", NULL, NULL},
		{'E', "/s/d", true, NULL, "/t/n", false, false, "/t", "d", "n"},
		{'E', "/s/d", true, NULL, "/t/n/", false, false, "/t", "d", "n"},
		{'F', "/s/d", true, NULL, "/t/f", true, false, NULL, "cannot copy directory", NULL},
		{'G', "/s/d", true, NULL, "/t/d", true, true, "/t/d", NULL, NULL},
		{'H', "/s/d/.", true, NULL, "/t/n", false, false, "/t", ".", "n"},
		{'H', "/s/d/.", true, NULL, "/t/n/", false, false, "/t", ".", "n"},
		{'I', "/s/d/.", true, NULL, "/t/f", true, false, NULL, "cannot copy directory", NULL},
		{'J', "/s/d/.", true, NULL, "/t/d/", true, true, "/t/d/", NULL, NULL},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		const struct copy_info source = {(char *)cases[i].source, true, cases[i].source_dir,
						 (char *)cases[i].rebase};
		const struct copy_info target = {(char *)cases[i].target, cases[i].exists, cases[i].target_dir, NULL};
		struct copy_plan plan COPY_CLEAN_PLAN = {0};
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;
		int result = copy_plan(&source, &target, &plan, &err);

		if (!cases[i].folder) {
			assert_int_equal(result, -1);
			assert_string_equal(mvm_error_message(err), cases[i].from);
			continue;
		}
		assert_int_equal(result, 0);
		assert_string_equal(plan.folder, cases[i].folder);
		assert_string_equal(plan.from ? plan.from : "-", cases[i].from ? cases[i].from : "-");
		assert_string_equal(plan.to ? plan.to : "-", cases[i].to ? cases[i].to : "-");
	}
}

/* Local files */

static char top[64];

static int setup(void **state)
{
	char real[PATH_MAX];

	strcpy(top, "/tmp/mvm-copy-XXXXXX");
	assert_non_null(mkdtemp(top));
	assert_non_null(realpath(top, real));
	strcpy(top, real);
	assert_int_equal(chdir(top), 0);
	assert_int_equal(mkdir("d", 0755), 0);
	assert_int_equal(symlink("d", "l"), 0);
	assert_int_equal(symlink("none", "broken"), 0);
	assert_int_equal(symlink("loop", "loop"), 0);
	assert_int_equal(mvm_replace_file("f", "x", 1, 0600, NULL), 0);
	return 0;
}

static int teardown(void **state)
{
	assert_int_equal(chdir("/"), 0);
	mvm_remove_tree(top, NULL);
	return 0;
}

static void local_sources(void **state)
{
	static const struct {
		const char *path;
		bool follow;
		const char *found; /* below the top; NULL: an error */
		bool is_dir;
		const char *rebase;
	} cases[] = {
		{"f", false, "/f", false, NULL},
		{"d", false, "/d", true, NULL},
		{"d/", false, "/d/", true, NULL},
		{"l", false, "/l", false, NULL},
		{"l/", false, "/d/", true, "l"},
		{"l/.", false, "/d/.", true, NULL},
		{"l", true, "/d", true, "l"},
		{"l/.", true, "/d/.", true, NULL},
		{"broken", false, "/broken", false, NULL},
		{"broken", true, NULL, false, NULL},
		{"none", false, NULL, false, NULL},
		{"f/", false, NULL, false, NULL},
		{"d/../f", false, "/f", false, NULL},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct copy_info info COPY_CLEAN_INFO = {0};
		char *path MVM_CLEAN_FREE = NULL, *expected MVM_CLEAN_FREE = NULL;
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;
		int result;

		assert_ok(copy_local_path(cases[i].path, &path, &err));
		result = copy_local_source(path, cases[i].follow, &info, &err);
		if (!cases[i].found) {
			assert_int_equal(result, -1);
			continue;
		}
		expected = mvm_format("%s%s", top, cases[i].found);
		assert_int_equal(result, 0);
		assert_string_equal(info.path, expected);
		assert_int_equal(info.is_dir, cases[i].is_dir);
		assert_string_equal(info.rebase_name ? info.rebase_name : "-", cases[i].rebase ? cases[i].rebase : "-");
	}
}

static void local_targets(void **state)
{
	static const struct {
		const char *path, *found; /* NULL: an error */
		bool exists, is_dir;
	} cases[] = {
		{"f", "/f", true, false},	{"d", "/d", true, true},	   {"l", "/d", true, true},
		{"n", "/n", false, false},	{"broken", "/none", false, false}, {"d/n", "/d/n", false, false},
		{"none/n", NULL, false, false}, {"loop", NULL, false, false},	   {"f/n", NULL, false, false},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct copy_info info COPY_CLEAN_INFO = {0};
		char *path MVM_CLEAN_FREE = NULL, *expected MVM_CLEAN_FREE = NULL;
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;
		int result;

		assert_ok(copy_local_path(cases[i].path, &path, &err));
		result = copy_local_target(path, &info, &err);
		assert_int_equal(result, cases[i].found ? 0 : -1);
		if (result < 0)
			continue;
		expected = mvm_format("%s%s", top, cases[i].found);
		assert_string_equal(info.path, expected);
		assert_true(info.exists == cases[i].exists && info.is_dir == cases[i].is_dir);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_cleaned),
		cmocka_unit_test(paths_are_taken_apart),
		cmocka_unit_test(the_end_of_a_path_stays),
		cmocka_unit_test(links_that_are_followed_keep_their_name),
		cmocka_unit_test(names_are_rebased),
		cmocka_unit_test(the_plan_of_each_case),
		cmocka_unit_test_setup_teardown(local_sources, setup, teardown),
		cmocka_unit_test_setup_teardown(local_targets, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
