#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "image/auth.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"

static void check(const char *header, const char *realm, const char *service, const char *scope, bool basic)
{
	const char *const wanted[] = {realm, service, scope};
	struct mvm_challenge challenge MVM_CLEAN_CHALLENGE = {0};
	const char *const *got;

	mvm_challenge_parse(header, &challenge);
	got = (const char *const[]){challenge.realm, challenge.service, challenge.scope};
	for (int i = 0; i < 3; i++) {
		assert_int_equal(!wanted[i], !got[i]);
		if (wanted[i])
			assert_string_equal(got[i], wanted[i]);
	}
	assert_int_equal(challenge.basic, basic);
}

static void what_registries_send(void **state)
{
	check("Bearer realm=\"https://auth.example/token\",service=\"registry.example\","
	      "scope=\"repository:library/alpine:pull\"",
	      "https://auth.example/token", "registry.example", "repository:library/alpine:pull", false);
	check("bearer  realm = \"https://a\" , error=\"invalid_token\" ,SERVICE=s", "https://a", "s", NULL, false);
	check("Basic realm=\"Registry\"", NULL, NULL, NULL, true);
	check("Basic realm=\"Registry\", Bearer realm=\"https://a\",scope=\"x,y\"", "https://a", NULL, "x,y", true);
	check("Bearer realm=\"https://a\", Basic realm=\"Registry\"", "https://a", NULL, NULL, true);
	check("Negotiate, Bearer realm=\"https://a\"", "https://a", NULL, NULL, false);
	check("Bearer realm=\"a\\\"b\\\\c\"", "a\"b\\c", NULL, NULL, false);
	check("Bearer realm=\"one\",realm=\"two\"", "one", NULL, NULL, false);
	check("Bearer realm=\"one\", Bearer realm=\"two\"", "one", NULL, NULL, false);
	check(", ,Bearer realm=one,,", "one", NULL, NULL, false);
}

static void hostile(void **state)
{
	static const char *const headers[] = {
		"",
		"   ",
		",,,,",
		"Bearer",
		"Bearer ",
		"Bearer realm",
		"Bearer realm=",
		"Bearer realm=\"",
		"Bearer realm=\"x",
		"Bearer realm=\"x\\",
		"Bearer realm=\"x\r\nEvil: yes\"",
		"Bearer realm=\"\x01\"",
		"Bearer =\"x\"",
		"Bearer \"x\"",
		"Bearer service=\"x\"",
		"\"Bearer realm=x\"",
		"=;=;=",
		"Bearer;realm=x",
		"Bearer realm=\"x\"y",
		"\xff\xfe Bearer",
	};

	for (size_t i = 0; i < MVM_COUNT(headers); i++)
		check(headers[i], NULL, NULL, NULL, false);
}

/* Every beginning of a good header: no reading past the end (under the sanitizers), no endless loop. */
static void cut_anywhere(void **state)
{
	static const char header[] = "Basic realm=\"a\\\"\", Bearer realm=\"https://a\",service=s , scope=\"b c\"";

	for (size_t length = 0; length < sizeof(header); length++) {
		char *copy = malloc(length + 1);
		struct mvm_challenge challenge MVM_CLEAN_CHALLENGE = {0};

		assert_non_null(copy);
		memcpy(copy, header, length);
		copy[length] = '\0';
		mvm_challenge_parse(copy, &challenge);
		assert_true(!challenge.realm || !strcmp(challenge.realm, "https://a"));
		free(copy);
	}
}

static void check_scope(const char *asked, const char *wanted)
{
	struct mvm_challenge challenge = {.scope = (char *)asked};
	char *scope MVM_CLEAN_FREE = mvm_challenge_scope(&challenge, "library/alpine", "pull");

	if (wanted)
		assert_string_equal(scope, wanted);
	else
		assert_null(scope);
}

/* A longer name of ours with our actions, and nothing else. */
static void scopes(void **state)
{
	check_scope("repository:cache/library/alpine:pull", "repository:cache/library/alpine:pull");
	check_scope("registry:catalog:* repository:x/y/library/alpine:pull,push,delete,*",
		    "repository:x/y/library/alpine:pull");
	check_scope(NULL, NULL);
	check_scope("", NULL);
	check_scope("  ", NULL);
	check_scope("repository:library/alpine:pull,push", NULL);
	check_scope("repository:other/secret:pull", NULL);
	check_scope("repository:xlibrary/alpine:pull", NULL);
	check_scope("repository:/library/alpine", NULL);
	check_scope("repository:a&b/library/alpine:pull", NULL);
	check_scope("plugin:cache/library/alpine:pull", NULL);
}

static void tokens(void **state)
{
	static const struct {
		const char *json, *token;
	} cases[] = {
		{"{\"token\": \"abc.def-_~+/=\"}", "abc.def-_~+/="},
		{"{\"access_token\": \"abc\", \"expires_in\": 60}", "abc"},
		{"{\"token\": \"first\", \"access_token\": \"second\"}", "first"},
		{"{\"token\": \"\", \"access_token\": \"second\"}", "second"},
		{"{}", NULL},
		{"[]", NULL},
		{"\"abc\"", NULL},
		{"", NULL},
		{"{\"token\": 1}", NULL},
		{"{\"token\": \"a b\"}", NULL},
		{"{\"token\": \"a\\r\\nX: y\"}", NULL},
		{"{\"token\": \"a\\u0000b\"}", NULL},
		{"{\"token\": \"\xc3\xa9\"}", NULL},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;
		struct mvm_token token = {0};
		int result = mvm_token_parse(cases[i].json, strlen(cases[i].json), &token, &err);

		assert_int_equal(result, cases[i].token ? 0 : -1);
		if (cases[i].token)
			assert_string_equal(token.access, cases[i].token);
		else
			assert_int_equal(mvm_error_code(err), MVM_ERR_INVALID);
		mvm_token_finish(&token);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_registries_send),
		cmocka_unit_test(hostile),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(scopes),
		cmocka_unit_test(tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
