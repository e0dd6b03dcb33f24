/* Manifests and configs of kernels, which come from registries. */
#include "tests/unit/unit.h"

#include "image/kernel_manifest.h"
#include "image/manifest.h"

#define DIGEST(c)		       "\"sha256:" c c c c c c c c c c c c c c c c "\""
#define A			       DIGEST("aaaa")
#define B			       DIGEST("bbbb")
#define C			       DIGEST("cccc")
#define PART(type, digest, size)       "{\"mediaType\":\"" type "\",\"digest\":" digest ",\"size\":" size "}"
#define CONFIG			       PART(MVM_MEDIA_KERNEL_CONFIG, A, "50")
#define IMAGE			       PART(MVM_MEDIA_KERNEL_IMAGE, B, "9000")
#define INITRAMFS		       PART(MVM_MEDIA_KERNEL_INITRAMFS, C, "100")
#define KIND			       "\"schemaVersion\":2,\"artifactType\":\"" MVM_MEDIA_KERNEL "\","
#define MANIFEST(head, config, layers) "{" head "\"config\":" config ",\"layers\":[" layers "]}"

static int parse(const char *text, struct mvm_kernel_parts *parts, struct mvm_error **err)
{
	return mvm_kernel_manifest_parse(text, strlen(text), parts, err);
}

static void a_kernel(void **state)
{
	struct mvm_kernel_parts parts, again;
	char *text MVM_CLEAN_FREE = NULL;
	struct mvm_error *err = NULL;

	(void)state;
	/* In any order, and with what others may add. */
	assert_ok(parse(MANIFEST(KIND "\"annotations\":{\"a\":\"b\"},\"subject\":null,", CONFIG, INITRAMFS "," IMAGE),
			&parts, &err));
	assert_string_equal(parts.image.digest.text,
			    "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
	assert_int_equal(parts.image.size, 9000);
	assert_int_equal(parts.initramfs.size, 100);
	assert_int_equal(parts.config.size, 50);
	text = mvm_kernel_manifest_format(&parts);
	assert_ok(parse(text, &again, &err));
	assert_memory_equal(&parts, &again, sizeof(parts));
}

static void what_is_none(void **state)
{
	static const struct {
		const char *text;
		enum mvm_error_code code;
		const char *words;
	} cases[] = {
		{"", MVM_ERR_INVALID, "not a manifest of a kernel"},
		{"[]", MVM_ERR_INVALID, "not a manifest of a kernel"},
		{"{}", MVM_ERR_INVALID, "not a manifest of a kernel"},
		{MANIFEST("", CONFIG, IMAGE), MVM_ERR_INVALID, "not a manifest of a kernel"},
		{"{\"schemaVersion\":2,\"manifests\":[],\"config\":{},\"layers\":[]}", MVM_ERR_INVALID,
		 "not a manifest"},
		{MANIFEST("\"schemaVersion\":2,", PART("application/vnd.oci.image.config.v1+json", A, "9"), ""),
		 MVM_ERR_UNSUPPORTED, "not a kernel but a container image; `mvm pull` takes it"},
		{MANIFEST("\"schemaVersion\":2,", PART("application/vnd.docker.container.image.v1+json", A, "9"), ""),
		 MVM_ERR_UNSUPPORTED, "a container image"},
		{MANIFEST("\"schemaVersion\":2,\"artifactType\":\"application/spdx+json\",", CONFIG, IMAGE),
		 MVM_ERR_UNSUPPORTED, "an artifact of type \"application/spdx+json\""},
		{MANIFEST("\"schemaVersion\":2,", CONFIG, IMAGE), MVM_ERR_UNSUPPORTED, "not a kernel but an artifact"},
		{MANIFEST(KIND, PART("application/vnd.oci.empty.v1+json", A, "2"), IMAGE "," INITRAMFS),
		 MVM_ERR_UNSUPPORTED, "not a kernel"},
		{MANIFEST(KIND, CONFIG, IMAGE "," INITRAMFS "," PART("application/vnd.mvm.kernel.modules.v1", A, "9")),
		 MVM_ERR_UNSUPPORTED, "unknown type \"application/vnd.mvm.kernel.modules.v1\"; a newer mvm"},
		{MANIFEST(KIND, CONFIG, IMAGE ",7"), MVM_ERR_UNSUPPORTED, "unknown type"},
		{MANIFEST(KIND, CONFIG, IMAGE "," IMAGE), MVM_ERR_INVALID, "two layers"},
		{MANIFEST(KIND, CONFIG, IMAGE), MVM_ERR_INVALID, "without initramfs"},
		{MANIFEST(KIND, CONFIG, INITRAMFS), MVM_ERR_INVALID, "without its image"},
		{MANIFEST(KIND, CONFIG, ""), MVM_ERR_INVALID, "without its image"},
		{MANIFEST(KIND, CONFIG, PART(MVM_MEDIA_KERNEL_IMAGE, B, "0")), MVM_ERR_INVALID, "the kernel: 0 bytes"},
		{MANIFEST(KIND, CONFIG, PART(MVM_MEDIA_KERNEL_IMAGE, B, "536870913")), MVM_ERR_INVALID, "536870913"},
		{MANIFEST(KIND, CONFIG, PART(MVM_MEDIA_KERNEL_IMAGE, B, "-1")), MVM_ERR_INVALID, "impossible size"},
		{MANIFEST(KIND, CONFIG, PART(MVM_MEDIA_KERNEL_IMAGE, "\"sha256:../../x\"", "1")), MVM_ERR_INVALID,
		 "digest"},
		{MANIFEST(KIND, PART(MVM_MEDIA_KERNEL_CONFIG, A, "70000"), IMAGE "," INITRAMFS), MVM_ERR_INVALID,
		 "config"},
	};
	struct mvm_kernel_parts parts;
	struct mvm_error *err = NULL;

	(void)state;
	for (size_t i = 0; i < MVM_COUNT(cases); i++)
		assert_error(parse(cases[i].text, &parts, &err), cases[i].code, cases[i].words);
}

static int parse_config(const char *text, struct mvm_kernel_config *config, struct mvm_error **err)
{
	return mvm_kernel_config_parse(text, strlen(text), config, err);
}

static void configs(void **state)
{
	struct mvm_kernel_config config MVM_CLEAN_KERNEL_CONFIG = {0};
	char *text MVM_CLEAN_FREE = mvm_kernel_config_format(MVM_ARCH_ARM64, "6.1.192");
	struct mvm_error *err = NULL;

	(void)state;
	assert_ok(parse_config(text, &config, &err));
	assert_int_equal(config.arch, MVM_ARCH_ARM64);
	assert_string_equal(config.version, "6.1.192");
	mvm_kernel_config_finish(&config);
	assert_ok(parse_config("{\"os\":\"linux\",\"architecture\":\"x86_64\"}", &config, &err));
	assert_int_equal(config.arch, MVM_ARCH_AMD64);
	assert_string_equal(config.version, "");
	assert_error(parse_config("{\"os\":\"linux\",\"architecture\":\"riscv64\"}", &config, &err),
		     MVM_ERR_UNSUPPORTED, "linux/riscv64");
	assert_error(parse_config("{\"architecture\":\"arm64\"}", &config, &err), MVM_ERR_UNSUPPORTED, "arm64");
	assert_error(parse_config("{\"os\":\"linux\",\"architecture\":\"arm64\",\"version\":\"6 <b>\"}", &config, &err),
		     MVM_ERR_INVALID, "version");
	assert_error(parse_config("{\"os\":\"linux\",\"architecture\":7}", &config, &err), MVM_ERR_INVALID,
		     "architecture");
	assert_error(parse_config("no", &config, &err), MVM_ERR_INVALID, "not a kernel's config");
}

/* `mvm pull` of one says where it goes. */
static void an_image_it_is_not(void **state)
{
	static const char text[] = MANIFEST(KIND, CONFIG, IMAGE "," INITRAMFS);
	struct mvm_manifest manifest MVM_CLEAN_MANIFEST = {0};
	struct mvm_error *err = NULL;

	(void)state;
	assert_error(mvm_manifest_parse(text, strlen(text), NULL, &manifest, &err), MVM_ERR_UNSUPPORTED,
		     "not a container image but a kernel; `mvm kernel pull` takes it");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kernel),
		cmocka_unit_test(what_is_none),
		cmocka_unit_test(configs),
		cmocka_unit_test(an_image_it_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
