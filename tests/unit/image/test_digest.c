#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "image/digest.h"
#include "runtime/base/error.h"

/* FIPS 180-2, appendix B.1 */
#define ABC "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void of_bytes(void **state)
{
	struct mvm_digest digest;

	mvm_digest_of("abc", 3, &digest);
	assert_string_equal(digest.text, ABC);
	mvm_digest_of("", 0, &digest);
	assert_string_equal(mvm_digest_hex(&digest),
			    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void in_parts_and_again(void **state)
{
	struct mvm_hash *hash MVM_CLEAN_HASH = mvm_hash_create();
	struct mvm_digest digest;

	for (int round = 0; round < 2; round++) {
		mvm_hash_update(hash, "a", 1);
		mvm_hash_update(hash, "", 0);
		mvm_hash_update(hash, "bc", 2);
		mvm_hash_final(hash, &digest);
		assert_string_equal(digest.text, ABC);
	}
}

static void parses(void **state)
{
	struct mvm_digest a, b;

	assert_int_equal(mvm_digest_parse(ABC, &a, NULL), 0);
	mvm_digest_of("abc", 3, &b);
	assert_true(mvm_digest_equal(&a, &b));
	assert_true(mvm_digest_is_set(&a));
	assert_string_equal(mvm_digest_hex(&(struct mvm_digest){.text = ""}), "");
}

static void refuses(void **state)
{
	static const char *const wrong[] = {
		"",
		"sha256",
		"sha256:",
		"sha256:ba7816bf",
		ABC "0",
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"sha256:BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
		"sha256:../../../../../../../../../../../../../../../../../../../etc/passw",
		"../sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a\n",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;
		struct mvm_digest digest = {.text = "untouched"};

		assert_int_equal(mvm_digest_parse(wrong[i], &digest, &err), -1);
		assert_int_equal(mvm_error_code(err), MVM_ERR_INVALID);
		assert_string_equal(digest.text, "untouched");
	}
}

static void knows_other_algorithms_by_name(void **state)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_digest digest;

	assert_int_equal(mvm_digest_parse("sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce",
					  &digest, &err),
			 -1);
	assert_int_equal(mvm_error_code(err), MVM_ERR_UNSUPPORTED);
	assert_non_null(strstr(mvm_error_message(err), "sha512"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_bytes),
		cmocka_unit_test(in_parts_and_again),
		cmocka_unit_test(parses),
		cmocka_unit_test(refuses),
		cmocka_unit_test(knows_other_algorithms_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
