#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <strings.h>

#include "image/curl.h"
#include "image/url.h"
#include "runtime/base/mem.h"

#define BASE "https://registry.example/v2/lib/blobs/uploads/"

static void check(const char *base, const char *location, const char *wanted)
{
	char *got MVM_CLEAN_FREE = mvm_url_resolve(base, location);

	if (!wanted) {
		assert_null(got);
		return;
	}
	assert_non_null(got);
	assert_string_equal(got, wanted);
}

static void locations(void **state)
{
	check(BASE, "https://other.example:8443/x?a=b%3D", "https://other.example:8443/x?a=b%3D");
	check(BASE, "/v2/lib/blobs/uploads/1?_state=x", "https://registry.example/v2/lib/blobs/uploads/1?_state=x");
	check(BASE, "1-2", BASE "1-2");
	check(BASE, "../../manifests/a", "https://registry.example/v2/lib/manifests/a");
	check(BASE, "?digest=a", BASE "?digest=a");
	check(BASE, "//other.example/x", "https://other.example/x");
	check(BASE "1?_state=old", "2", BASE "2");
	check(BASE, "/x#part", "https://registry.example/x");
	check("http://127.0.0.1:5000/v2/", "/v2/a", "http://127.0.0.1:5000/v2/a");
	check("http://[::1]:5000/v2/", "a", "http://[::1]:5000/v2/a");
}

static void hostile_locations(void **state)
{
	check(BASE, "file:///etc/passwd", NULL);
	check(BASE, "ftp://registry.example/x", NULL);
	check(BASE, "javascript:alert(1)", NULL);
	check(BASE, "https://user:secret@registry.example/x", NULL);
	check(BASE, "https://", NULL);
	check(BASE, "https://registry.example:99999/", NULL);
	check(BASE, "https://registry example/", NULL);
	check("not a url", "/x", NULL);
	check(BASE, "../../../../../../etc", "https://registry.example/etc");
}

static void fields(void **state)
{
	static const struct {
		const char *url, *wanted;
	} cases[] = {
		{"https://a.example/u/1", "https://a.example/u/1?digest=sha256%3aab"},
		{"https://a.example/u/1?_state=a%2Fb%3D", "https://a.example/u/1?_state=a%2Fb%3D&digest=sha256%3aab"},
		{"https://a.example/u/1?", "https://a.example/u/1?digest=sha256%3aab"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		char *got MVM_CLEAN_FREE = mvm_url_with_field(cases[i].url, "digest", "sha256:ab");

		assert_non_null(got);
		/* libcurls differ in the case of hex digits. */
		assert_int_equal(strcasecmp(got, cases[i].wanted), 0);
	}
	assert_null(mvm_url_with_field("no url", "digest", "sha256:ab"));
}

static void hosts(void **state)
{
	assert_true(mvm_url_same_host("http://127.0.0.1:5000/v2/", "http://127.0.0.1:6000/token"));
	assert_true(mvm_url_same_host("https://A.example", "http://a.example:80/"));
	assert_true(mvm_url_same_host("http://[::1]:1/", "http://[::1]:2/"));
	assert_false(mvm_url_same_host("http://a.example", "http://b.example"));
	assert_false(mvm_url_same_host("http://a.example", "http://a.example@b.example/"));
	assert_false(mvm_url_same_host("http://a.example", "http://a.example:x@b.example/"));
	assert_false(mvm_url_same_host("http://a.example", "http://a.example\\@b.example/"));
	assert_false(mvm_url_same_host("no url", "no url"));
}

static void origins(void **state)
{
	assert_true(mvm_url_same_origin("https://a.example/x", "https://A.example:443/y?z"));
	assert_true(mvm_url_same_origin("http://127.0.0.1:5000", "http://127.0.0.1:5000/v2/"));
	assert_false(mvm_url_same_origin("https://a.example/", "http://a.example/"));
	assert_false(mvm_url_same_origin("https://a.example/", "https://a.example:8443/"));
	assert_false(mvm_url_same_origin("https://a.example/", "https://b.a.example/"));
	assert_false(mvm_url_same_origin("https://a.example/", "https://a.example.b/"));
	assert_false(mvm_url_same_origin("https://a.example/", "https://a.example@b.example/"));
	assert_false(mvm_url_same_origin("no url", "no url"));
}

static int load(void **state)
{
	return mvm_curl_load(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(locations), cmocka_unit_test(hostile_locations),
		cmocka_unit_test(fields),    cmocka_unit_test(origins),
		cmocka_unit_test(hosts),
	};

	return cmocka_run_group_tests(tests, load, NULL);
}
