/* Certificates that a user names, and what of them gets into the container's folder. */
#include "tests/unit/unit.h"

#include "runtime/state/certificates.h"

/* Made for this test, and for nothing else. */
#define ONE                                                                                                            \
	"-----BEGIN CERTIFICATE-----\n"                                                                                \
	"MIIBczCCARmgAwIBAgIUImTGEloMdOhGupiIWnKRlx/mYJQwCgYIKoZIzj0EAwIw\n"                                           \
	"DjEMMAoGA1UEAwwDb25lMCAXDTI2MTEyODEyMDM0NFoYDzIxMjYxMTA0MTIwMzQ0\n"                                           \
	"WjAOMQwwCgYDVQQDDANvbmUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASaV4JQ\n"                                           \
	"eyOH3Ohl6XmwPs25wZ3bbYG9c4VYO1n5lmChrBe2orMb8UVWHl585t1YDJj4gGGQ\n"                                           \
	"PPXlZxJc0lkXTjL+o1MwUTAdBgNVHQ4EFgQUnAXgs93u4x9N7dMbWvKEPI7+ruow\n"                                           \
	"HwYDVR0jBBgwFoAUnAXgs93u4x9N7dMbWvKEPI7+ruowDwYDVR0TAQH/BAUwAwEB\n"                                           \
	"/zAKBggqhkjOPQQDAgNIADBFAiEAqO5AI99P6PVd3Y/3KRpqtJcAAdPyONkcfwZJ\n"                                           \
	"s8tUuxECIAn/2HQKPUj2+idQv3gfxJrQgTsLtkK39wrJ0qrR5zzd\n"                                                       \
	"-----END CERTIFICATE-----\n"
#define TWO                                                                                                            \
	"-----BEGIN CERTIFICATE-----\n"                                                                                \
	"MIIBdDCCARmgAwIBAgIUOlrWojnzJvRJ/d/mHf5yoDPxuy8wCgYIKoZIzj0EAwIw\n"                                           \
	"DjEMMAoGA1UEAwwDdHdvMCAXDTI2MTEyODEyMDM0NFoYDzIxMjYxMTA0MTIwMzQ0\n"                                           \
	"WjAOMQwwCgYDVQQDDAN0d28wWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQ9uFaW\n"                                           \
	"K3Wlh031AB58/eYpuEoeruXVO83R/tWwZRZc1GVJz0YdPAJZ0rz0YbskZUtiP1/z\n"                                           \
	"E5FX51Yq6s+EqyWmo1MwUTAdBgNVHQ4EFgQUaCl+fphq5Z3KHKtG66hxUxycy0Yw\n"                                           \
	"HwYDVR0jBBgwFoAUaCl+fphq5Z3KHKtG66hxUxycy0YwDwYDVR0TAQH/BAUwAwEB\n"                                           \
	"/zAKBggqhkjOPQQDAgNJADBGAiEA5PHqzpNpuW4ZFo7Y6tUupsClrTilmNCU1erg\n"                                           \
	"uOx8NiQCIQDcifrOG27FJGWB5RKbwqBzbItAPY31e9ofrsrYrra3aQ==\n"                                                   \
	"-----END CERTIFICATE-----\n"
#define KEY                                                                                                            \
	"-----BEGIN PRIVATE KEY-----\n"                                                                                \
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgIElKLxd02NAsLpkD\n"                                           \
	"EmDPfAtXqqGsiQGHv+V+TBT38FahRANCAASaV4JQeyOH3Ohl6XmwPs25wZ3bbYG9\n"                                           \
	"c4VYO1n5lmChrBe2orMb8UVWHl585t1YDJj4gGGQPPXlZxJc0lkXTjL+\n"                                                   \
	"-----END PRIVATE KEY-----\n"

static char *write_file(const char *folder, const char *text)
{
	char *path = mvm_format("%s/file.pem", folder);
	struct mvm_error *err = NULL;

	assert_ok(mvm_replace_file(path, text, strlen(text), 0600, &err));
	return path;
}

static void certificates_and_nothing_else(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ONE, ONE},	{ONE TWO, ONE TWO}, {ONE TWO ONE, ONE TWO}, {"subject=/CN=one\n" ONE "\nafter", ONE},
		{KEY ONE, ONE}, {ONE KEY, ONE},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		char *path MVM_CLEAN_FREE = write_file(*state, cases[i].text);
		struct mvm_buf pem MVM_CLEAN_BUF = {0};
		struct mvm_error *err = NULL;

		assert_ok(mvm_certificates_read(path, &pem, &err));
		assert_string_equal(pem.data, cases[i].expected);
		/* The same again adds nothing. */
		assert_ok(mvm_certificates_read(path, &pem, &err));
		assert_string_equal(pem.data, cases[i].expected);
	}
}

static void what_is_none_is_refused(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{"", "no certificate in PEM"},
		{"text", "no certificate in PEM"},
		{KEY, "a private key, not a certificate"},
		{"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "certificate 1 is damaged"},
		{"-----BEGIN CERTIFICATE-----\nAAAA\n", "certificate 1 is damaged"},
		{ONE "-----BEGIN CERTIFICATE-----\n%%%%\n-----END CERTIFICATE-----\n", "certificate 2 is damaged"},
	};
	struct mvm_buf pem MVM_CLEAN_BUF = {0};
	struct mvm_error *err = NULL;

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		char *path MVM_CLEAN_FREE = write_file(*state, cases[i].text);

		assert_error(mvm_certificates_read(path, &pem, &err), MVM_ERR_INVALID, cases[i].error);
	}
	assert_error(mvm_certificates_read("/nowhere/ca.pem", &pem, &err), MVM_ERR_NOT_FOUND,
		     "/nowhere/ca.pem: No such file");
}

static void together_they_are_bounded(void **state)
{
	char *path MVM_CLEAN_FREE = write_file(*state, ONE);
	struct mvm_buf pem MVM_CLEAN_BUF = {0};
	struct mvm_error *err = NULL;

	memset(mvm_buf_reserve(&pem, MVM_CERTIFICATES_MAX), 'x', MVM_CERTIFICATES_MAX - 10);
	pem.length = MVM_CERTIFICATES_MAX - 10;
	pem.data[pem.length] = '\0';
	assert_error(mvm_certificates_read(path, &pem, &err), MVM_ERR_INVALID, "more than 256 KiB");
}

static void kept_in_the_containers_folder(void **state)
{
	struct mvm_buf pem MVM_CLEAN_BUF = {0};
	struct mvm_error *err = NULL;
	char *text = NULL;

	assert_ok(mvm_certificates_save(*state, &pem, &err));
	assert_ok(mvm_certificates_load(*state, &text, &err));
	assert_null(text);
	mvm_buf_addf(&pem, ONE);
	assert_ok(mvm_certificates_save(*state, &pem, &err));
	assert_ok(mvm_certificates_load(*state, &text, &err));
	assert_string_equal(text, ONE);
	free(text);
}

static void the_hosts_own(void **state)
{
	char *path MVM_CLEAN_FREE = write_file(*state, TWO), *text MVM_CLEAN_FREE = NULL;

	setenv("SSL_CERT_FILE", path, 1);
	text = mvm_host_ca_bundle();
	assert_string_equal(text, TWO);
	unsetenv("SSL_CERT_FILE");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificates_and_nothing_else),
		cmocka_unit_test(what_is_none_is_refused),
		cmocka_unit_test(together_they_are_bounded),
		cmocka_unit_test(kept_in_the_containers_folder),
		cmocka_unit_test(the_hosts_own),
	};

	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
