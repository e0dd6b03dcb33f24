/* Whose signature an image needs by the policy, which names fit, and keys of each kind. */
#include "tests/unit/unit.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "image/public_key.h"
#include "image/trust.h"
#include "runtime/base/config.h"

static char *folder, *key_path;

static EVP_PKEY *make_key(const char *kind)
{
	if (!strcmp(kind, "ed25519"))
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	if (!strcmp(kind, "rsa"))
		return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	if (!strcmp(kind, "short"))
		return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
	if (!strcmp(kind, "x25519"))
		return EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	return EVP_PKEY_Q_keygen(NULL, NULL, "EC", kind);
}

static char *public_pem(EVP_PKEY *key)
{
	BIO *out = BIO_new(BIO_s_mem());
	char *data, *text;
	long length;

	assert_int_equal(PEM_write_bio_PUBKEY(out, key), 1);
	length = BIO_get_mem_data(out, &data);
	text = mvm_strndup(data, (size_t)length);
	BIO_free(out);
	return text;
}

static int set_up(void **state)
{
	EVP_PKEY *key = make_key("P-256");
	char *pem MVM_CLEAN_FREE = public_pem(key);

	(void)state;
	folder = scratch_create();
	key_path = mvm_format("%s/key.pub", folder);
	EVP_PKEY_free(key);
	return mvm_replace_file(key_path, pem, strlen(pem), 0600, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	scratch_remove(folder);
	free(key_path);
	return 0;
}

static struct mvm_config *configure(const char *policy)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/config.json", folder);
	char *text MVM_CLEAN_FREE = mvm_format("{\"signaturePolicy\": %s}", policy);
	struct mvm_config *config;
	struct mvm_error *err = NULL;

	assert_ok(mvm_replace_file(path, text, strlen(text), 0600, &err));
	setenv("MVM_CONFIG", path, 1);
	assert_ok(mvm_config_load(&config, &err));
	return config;
}

static int find(const char *policy, const char *name, struct mvm_trust *trust, struct mvm_error **err)
{
	struct mvm_config *config MVM_CLEAN_CONFIG = configure(policy);
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};

	assert_int_equal(mvm_reference_parse(name, &reference, NULL), 0);
	return mvm_trust_find(config, &reference, trust, err);
}

#define REJECT	 "[{\"type\":\"reject\"}]"
#define ANYTHING "[{\"type\":\"insecureAcceptAnything\"}]"
#define DIGEST	 "@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static void the_narrowest_scope_counts(void **state)
{
	/* Each list has as many requirements as tell it from the others. */
#define ONE "{\"type\":\"reject\"}"
	static const char policy[] = "{\"default\":[" ONE "],\"transports\":{\"atomic\":{\"x\":7},\"docker\":{"
				     "\"docker.io/library/alpine:3\":[" ONE "," ONE "],"
				     "\"docker.io/library/alpine\":[" ONE "," ONE "," ONE "],"
				     "\"docker.io/library\":[" ONE "," ONE "," ONE "," ONE "],"
				     "\"docker.io\":[" ONE "," ONE "," ONE "," ONE "," ONE "],"
				     "\"*.example.org\":[" ONE "," ONE "," ONE "," ONE "," ONE "," ONE "],"
				     "\"*.org\":[" ONE "," ONE "," ONE "," ONE "," ONE "," ONE "," ONE "]}}}";
	static const struct {
		const char *name;
		size_t count;
	} cases[] = {
		{"alpine:3", 2},	 {"alpine", 3},
		{"alpine" DIGEST, 3},	 {"debian", 4},
		{"someone/alpine", 5},	 {"docker.io/alpines:3", 4},
		{"a.example.org/x", 6},	 {"a.b.example.org:5/x", 6},
		{"example.org/x", 7},	 {"registry.example/x", 1},
		{"localhost:5000/x", 1},
	};
	struct mvm_error *err = NULL;

	(void)state;
	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct mvm_trust trust MVM_CLEAN_TRUST = {0};

		assert_ok(find(policy, cases[i].name, &trust, &err));
		assert_int_equal(trust.count, cases[i].count);
	}
}

static void of_the_transport(void **state)
{
	struct mvm_trust trust MVM_CLEAN_TRUST = {0};
	struct mvm_error *err = NULL;

	(void)state;
	assert_ok(find("{\"default\":" REJECT ",\"transports\":{\"docker\":{\"\":" ANYTHING "}}}", "alpine", &trust,
		       &err));
	assert_int_equal(trust.items[0].kind, MVM_TRUST_ANYTHING);
}

static void none_is_no_requirement(void **state)
{
	struct mvm_trust trust MVM_CLEAN_TRUST = {0};
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	struct mvm_error *err = NULL;

	(void)state;
	assert_ok(find("null", "alpine", &trust, &err));
	assert_int_equal(trust.count, 0);
	assert_ok(mvm_reference_parse("alpine", &reference, &err));
	assert_ok(mvm_trust_find(NULL, &reference, &trust, &err));
	assert_int_equal(trust.count, 0);
}

static void mistakes(void **state)
{
	static const struct {
		const char *policy, *words;
	} cases[] = {
		{"[]", "\"signaturePolicy\" is not an object"},
		{"{}", "\"default\": not a list of at least one requirement"},
		{"{\"default\":[]}", "\"default\": not a list"},
		{"{\"default\":" REJECT ",\"transport\":{}}", "\"transport\" is not supported"},
		{"{\"default\":" REJECT ",\"transports\":{\"docker\":{\"x.example\":{}}}}",
		 "\"x.example\": not a list"},
		{"{\"default\":[{}]}", "no \"type\""},
		{"{\"default\":[{\"type\":\"signedBy\"}]}", "GnuPG"},
		{"{\"default\":[{\"type\":\"signed\"}]}", "no \"type\" of"},
		{"{\"default\":[{\"type\":\"reject\",\"keyPath\":\"/k\"}]}", "\"keyPath\" is not supported"},
		{"{\"default\":[{\"type\":\"sigstoreSigned\"}]}", "takes one of"},
		{"{\"default\":[{\"type\":\"sigstoreSigned\",\"keyPath\":\"/a\",\"keyData\":\"\"}]}", "takes one of"},
		{"{\"default\":[{\"type\":\"sigstoreSigned\",\"keyPaths\":[]}]}", "takes one of"},
		{"{\"default\":[{\"type\":\"sigstoreSigned\",\"keyPaths\":[1]}]}", "not a list of texts"},
		{"{\"default\":[{\"type\":\"sigstoreSigned\",\"keyPath\":\"key.pub\"}]}", "does not begin with /"},
		{"{\"default\":[{\"type\":\"sigstoreSigned\",\"keyPath\":\"/nowhere/key.pub\"}]}",
		 "cannot read the key: /nowhere/key.pub"},
		{"{\"default\":[{\"type\":\"sigstoreSigned\",\"keyData\":\"AAA\"}]}", "not a key's PEM in base64"},
		{"{\"default\":[{\"type\":\"sigstoreSigned\",\"keyData\":\"AAAA\"}]}", "no public key in PEM"},
		/* What asks for a log's entry is not made weaker by passing it over. */
		{"{\"default\":[{\"type\":\"sigstoreSigned\",\"keyPath\":\"/k\",\"rekorPublicKeyPath\":\"/r\"}]}",
		 "\"rekorPublicKeyPath\" is not supported"},
		{"{\"default\":[{\"type\":\"sigstoreSigned\",\"keyPath\":\"/k\",\"signedIdentity\":{}}]}",
		 "\"signedIdentity\" has no \"type\""},
		{"{\"default\":[{\"type\":\"sigstoreSigned\",\"keyPath\":\"/k\",\"signedIdentity\":{\"type\":"
		 "\"exactReference\"}}]}",
		 "\"dockerReference\" is not the name"},
	};
	struct mvm_error *err = NULL;

	(void)state;
	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct mvm_trust trust MVM_CLEAN_TRUST = {0};

		assert_error(find(cases[i].policy, "alpine", &trust, &err), MVM_ERR_INVALID, cases[i].words);
		assert_null(trust.items);
	}
}

static void which_names_fit(void **state)
{
	static const struct {
		const char *identity, *reference, *name;
		bool fits;
	} cases[] = {
		{NULL, "r.example/a:1", "r.example/a:1", true},
		{NULL, "r.example/a:1", "r.example/a:2", false},
		/* As podman has it: cosign's names have no tag, and are not "latest". */
		{NULL, "r.example/a:latest", "r.example/a", false},
		{NULL, "r.example/a" DIGEST, "r.example/a", true},
		{NULL, "r.example/a" DIGEST, "r.example/a:1", true},
		{NULL, "r.example/a" DIGEST, "r.example/b", false},
		{"{\"type\":\"matchExact\"}", "r.example/a" DIGEST, "r.example/a", false},
		{"{\"type\":\"matchExact\"}", "alpine:1", "docker.io/library/alpine:1", true},
		{"{\"type\":\"matchRepository\"}", "r.example/a:1", "r.example/a", true},
		{"{\"type\":\"matchRepository\"}", "r.example/a:1", "r.example/a:2", true},
		{"{\"type\":\"matchRepository\"}", "r.example/a:1", "r.example/ab", false},
		{"{\"type\":\"matchRepository\"}", "r.example/a:1", "", false},
		{"{\"type\":\"matchRepository\"}", "r.example/a:1", "r.example/A B", false},
		{"{\"type\":\"exactReference\",\"dockerReference\":\"up.example/a:1\"}", "r.example/a:9",
		 "up.example/a:1", true},
		{"{\"type\":\"exactReference\",\"dockerReference\":\"up.example/a:1\"}", "r.example/a:1",
		 "r.example/a:1", false},
		{"{\"type\":\"exactRepository\",\"dockerRepository\":\"up.example/a\"}", "r.example/b:9",
		 "up.example/a:7", true},
		{"{\"type\":\"exactRepository\",\"dockerRepository\":\"up.example/a\"}", "r.example/b:9",
		 "r.example/b:9", false},
	};
	struct mvm_error *err = NULL;

	(void)state;
	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		char *policy MVM_CLEAN_FREE = mvm_format(
			"{\"default\":[{\"type\":\"sigstoreSigned\",\"keyPath\":\"%s\"%s%s}]}", key_path,
			cases[i].identity ? ",\"signedIdentity\":" : "", cases[i].identity ? cases[i].identity : "");
		struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
		struct mvm_trust trust MVM_CLEAN_TRUST = {0};

		assert_ok(find(policy, cases[i].reference, &trust, &err));
		assert_int_equal(trust.items[0].key_count, 1);
		assert_ok(mvm_reference_parse(cases[i].reference, &reference, &err));
		if (mvm_trust_identity_fits(&trust.items[0], &reference, cases[i].name) != cases[i].fits)
			fail_msg("case %zu", i);
	}
}

static unsigned char *sign(EVP_PKEY *key, const char *text, size_t *length)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	const EVP_MD *hash = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
	unsigned char *signature = mvm_alloc(1024);

	*length = 1024;
	assert_int_equal(EVP_DigestSignInit(context, NULL, hash, NULL, key), 1);
	assert_int_equal(EVP_DigestSign(context, signature, length, (const unsigned char *)text, strlen(text)), 1);
	EVP_MD_CTX_free(context);
	return signature;
}

static void keys_of_each_kind(void **state)
{
	static const char *const kinds[] = {"P-256", "P-384", "P-521", "ed25519", "rsa"};
	static const char text[] = "{\"critical\":{}}";

	(void)state;
	for (size_t i = 0; i < MVM_COUNT(kinds); i++) {
		EVP_PKEY *key = make_key(kinds[i]), *other = make_key(kinds[i]);
		char *pem MVM_CLEAN_FREE = public_pem(key);
		struct mvm_public_key *public = NULL;
		struct mvm_error *err = NULL;
		size_t length, others_length;
		unsigned char *good MVM_CLEAN_FREE = sign(key, text, &length);
		unsigned char *others MVM_CLEAN_FREE = sign(other, text, &others_length);

		assert_ok(mvm_public_key_parse(pem, strlen(pem), "k", &public, &err));
		assert_true(mvm_public_key_verifies(public, text, strlen(text), good, length));
		assert_false(mvm_public_key_verifies(public, text, strlen(text) - 1, good, length));
		assert_false(mvm_public_key_verifies(public, text, strlen(text), others, others_length));
		assert_false(mvm_public_key_verifies(public, text, strlen(text), good, length - 1));
		assert_false(mvm_public_key_verifies(public, text, strlen(text), good, 0));
		good[length / 2] ^= 1;
		assert_false(mvm_public_key_verifies(public, text, strlen(text), good, length));
		mvm_public_key_destroy(public);
		EVP_PKEY_free(key);
		EVP_PKEY_free(other);
	}
}

static void what_is_no_key(void **state)
{
	static const char private[] = "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAA==\n";
	struct mvm_public_key *key = NULL;
	struct mvm_error *err = NULL;
	EVP_PKEY *weak = make_key("short"), *exchange = make_key("x25519");
	char *weak_pem MVM_CLEAN_FREE = public_pem(weak), *exchange_pem MVM_CLEAN_FREE = public_pem(exchange);

	(void)state;
	assert_error(mvm_public_key_parse("", 0, "/k", &key, &err), MVM_ERR_INVALID, "/k: no public key in PEM");
	assert_error(mvm_public_key_parse(private, strlen(private), "/k", &key, &err), MVM_ERR_INVALID,
		     "/k: a private key");
	assert_error(mvm_public_key_parse(weak_pem, strlen(weak_pem), "/k", &key, &err), MVM_ERR_UNSUPPORTED,
		     "1024 bits");
	assert_error(mvm_public_key_parse(exchange_pem, strlen(exchange_pem), "/k", &key, &err), MVM_ERR_UNSUPPORTED,
		     "neither an ECDSA");
	EVP_PKEY_free(weak);
	EVP_PKEY_free(exchange);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_narrowest_scope_counts),
		cmocka_unit_test(of_the_transport),
		cmocka_unit_test(none_is_no_requirement),
		cmocka_unit_test(mistakes),
		cmocka_unit_test(which_names_fit),
		cmocka_unit_test(keys_of_each_kind),
		cmocka_unit_test(what_is_no_key),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
