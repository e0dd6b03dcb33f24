#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "image/reference.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"

#define HEX    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define DIGEST "sha256:" HEX

static const struct {
	const char *text, *full, *familiar, *domain, *path;
} good[] = {
	{"alpine", "docker.io/library/alpine:latest", "alpine:latest", "docker.io", "library/alpine"},
	{"alpine:3.20", "docker.io/library/alpine:3.20", "alpine:3.20", "docker.io", "library/alpine"},
	{"docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest", "docker.io", "library/alpine"},
	{"index.docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest", "docker.io", "library/alpine"},
	{"docker.io/library/alpine", "docker.io/library/alpine:latest", "alpine:latest", "docker.io", "library/alpine"},
	{"bitnami/redis", "docker.io/bitnami/redis:latest", "bitnami/redis:latest", "docker.io", "bitnami/redis"},
	{"library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest", "docker.io", "library/a/b"},
	{"127.0.0.1:5000/deb", "127.0.0.1:5000/deb:latest", "127.0.0.1:5000/deb:latest", "127.0.0.1:5000", "deb"},
	{"[::1]:5000/deb:v1", "[::1]:5000/deb:v1", "[::1]:5000/deb:v1", "[::1]:5000", "deb"},
	{"localhost/deb", "localhost/deb:latest", "localhost/deb:latest", "localhost", "deb"},
	{"localhost:5000/a/b_c__d-e---f.g", "localhost:5000/a/b_c__d-e---f.g:latest",
	 "localhost:5000/a/b_c__d-e---f.g:latest", "localhost:5000", "a/b_c__d-e---f.g"},
	{"Registry.Example:80/x", "Registry.Example:80/x:latest", "Registry.Example:80/x:latest", "Registry.Example:80",
	 "x"},
	{"UPPER/x", "UPPER/x:latest", "UPPER/x:latest", "UPPER", "x"},
	{"alpine@" DIGEST, "docker.io/library/alpine@" DIGEST, "alpine@" DIGEST, "docker.io", "library/alpine"},
	{"alpine:3.20@" DIGEST, "docker.io/library/alpine@" DIGEST, "alpine@" DIGEST, "docker.io", "library/alpine"},
	{"a:_.-A", "docker.io/library/a:_.-A", "a:_.-A", "docker.io", "library/a"},
	{"localhost", "docker.io/library/localhost:latest", "localhost:latest", "docker.io", "library/localhost"},
	{"example.com", "docker.io/library/example.com:latest", "example.com:latest", "docker.io",
	 "library/example.com"},
};

static void parses(void **state)
{
	for (size_t i = 0; i < MVM_COUNT(good); i++) {
		struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
		char *full MVM_CLEAN_FREE = NULL, *familiar MVM_CLEAN_FREE = NULL;

		assert_int_equal(mvm_reference_parse(good[i].text, &reference, NULL), 0);
		full = mvm_reference_full(&reference);
		familiar = mvm_reference_familiar(&reference);
		assert_string_equal(full, good[i].full);
		assert_string_equal(familiar, good[i].familiar);
		assert_string_equal(reference.domain, good[i].domain);
		assert_string_equal(reference.path, good[i].path);
	}
}

/* What is written to disk or shown on the screen means the same when it is read again. */
static void both_forms_parse_to_the_same(void **state)
{
	for (size_t i = 0; i < MVM_COUNT(good); i++) {
		const char *const forms[] = {good[i].full, good[i].familiar};

		for (size_t j = 0; j < MVM_COUNT(forms); j++) {
			struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
			char *full MVM_CLEAN_FREE = NULL;

			assert_int_equal(mvm_reference_parse(forms[j], &reference, NULL), 0);
			full = mvm_reference_full(&reference);
			assert_string_equal(full, good[i].full);
		}
	}
}

static void refuses(void **state)
{
	static const char *const wrong[] = {
		"",
		":",
		":latest",
		"alpine:",
		"alpine@",
		"alpine@sha256:abc",
		"alpine@" DIGEST "@" DIGEST,
		"al pine",
		"alpine ",
		"alpine\n",
		"-alpine",
		"alpine-",
		"al..pine",
		"al___pine",
		"a//b",
		"/alpine",
		"alpine/",
		"../alpine",
		"a/../b",
		"localhost:5000/../../etc",
		"https://docker.io/alpine",
		"host:port/x",
		"host:99999/x",
		"host:/x",
		"-host.example/x",
		"host-.example/x",
		"a..b/x",
		"[::1/x",
		"[]/x",
		"[::1%25lo]:5000/x",
		"user@host.example/x",
		"alpine:.tag",
		"alpine:-tag",
		"alpine:a:b",
		"alpine:ta/g",
		"alpine\xc3\xa9",
		HEX,
	};

	for (size_t i = 0; i < MVM_COUNT(wrong); i++) {
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;
		struct mvm_reference reference = {0};

		if (mvm_reference_parse(wrong[i], &reference, &err) == 0)
			fail_msg("\"%s\" was taken", wrong[i]);
		assert_int_equal(mvm_error_code(err), MVM_ERR_INVALID);
		assert_null(reference.domain);
	}
}

static void upper_case_in_dockers_words(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_reference reference;

	assert_int_equal(mvm_reference_parse("Alpine:v1", &reference, &err), -1);
	assert_string_equal(mvm_error_message(err),
			    "invalid reference format: repository name (library/Alpine) must be lowercase");
}

static char *repeat(const char *head, char letter, size_t count)
{
	char *text = mvm_alloc(strlen(head) + count + 1);

	strcpy(text, head);
	memset(text + strlen(head), letter, count);
	return text;
}

static void lengths(void **state)
{
	static const struct {
		const char *head;
		size_t longest;
	} limits[] = {{"a:", 128}, {"a/", 253}};

	for (size_t i = 0; i < MVM_COUNT(limits); i++)
		for (size_t over = 0; over < 2; over++) {
			char *text MVM_CLEAN_FREE = repeat(limits[i].head, 'b', limits[i].longest + over);
			struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};

			assert_int_equal(mvm_reference_parse(text, &reference, NULL), over ? -1 : 0);
		}
	for (size_t length = 1000; length < 100000; length *= 10) {
		char *text MVM_CLEAN_FREE = repeat("", 'a', length);
		struct mvm_reference reference;

		assert_int_equal(mvm_reference_parse(text, &reference, NULL), -1);
	}
}

static void shortens(void **state)
{
	char *name MVM_CLEAN_FREE = mvm_reference_shorten("docker.io/library/alpine:latest");
	char *odd MVM_CLEAN_FREE = mvm_reference_shorten("Not A Name");

	assert_string_equal(name, "alpine:latest");
	assert_string_equal(odd, "Not A Name");
}

static void loopback(void **state)
{
	static const char *const yes[] = {"localhost",	    "localhost:5000", "127.0.0.1", "127.0.0.1:5000",
					  "127.255.1.2:80", "[::1]:5000",     "[::1]"};
	static const char *const no[] = {"docker.io", "localhost.example", "127.0.0.1.example", "127.example",
					 "128.0.0.1", "10.127.0.1:5000",   "[::2]:5000",	"127.0.0.256",
					 "127.0.0",   "127.0.0.1x:5000",   "notlocalhost:5000"};

	for (size_t i = 0; i < MVM_COUNT(yes); i++)
		assert_true(mvm_reference_is_loopback(yes[i]));
	for (size_t i = 0; i < MVM_COUNT(no); i++)
		assert_false(mvm_reference_is_loopback(no[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses),   cmocka_unit_test(both_forms_parse_to_the_same),
		cmocka_unit_test(refuses),  cmocka_unit_test(upper_case_in_dockers_words),
		cmocka_unit_test(lengths),  cmocka_unit_test(shortens),
		cmocka_unit_test(loopback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
