#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "image/config.h"
#include "image/manifest.h"
#include "runtime/base/error.h"

#define A		      "\"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""
#define B		      "\"sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\""
#define CONFIG		      "{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":" A ",\"size\":7}"
#define LAYER(t)	      "{\"mediaType\":\"" t "\",\"digest\":" B ",\"size\":9}"
#define GZIP		      LAYER("application/vnd.oci.image.layer.v1.tar+gzip")
#define IMAGE(config, layers) "{\"schemaVersion\":2,\"config\":" config ",\"layers\":[" layers "]}"

static int parse(const char *text, const char *type, struct mvm_manifest *manifest, struct mvm_error **err)
{
	return mvm_manifest_parse(text, strlen(text), type, manifest, err);
}

static void image(void **state)
{
	struct mvm_manifest manifest MVM_CLEAN_MANIFEST = {0};

	assert_int_equal(parse(IMAGE(CONFIG, GZIP "," GZIP), NULL, &manifest, NULL), 0);
	assert_false(manifest.is_index);
	assert_string_equal(manifest.media_type, MVM_MEDIA_OCI_MANIFEST);
	assert_int_equal(manifest.config.size, 7);
	assert_int_equal(manifest.layer_count, 2);
	assert_string_equal(manifest.layers[1].media_type, "application/vnd.oci.image.layer.v1.tar+gzip");
	assert_int_equal(manifest.layers[1].size, 9);
}

static void layer_types(void **state)
{
	static const char *const types[] = {
		IMAGE(CONFIG, LAYER("application/vnd.oci.image.layer.v1.tar")),
		IMAGE(CONFIG, LAYER("application/vnd.oci.image.layer.v1.tar+zstd")),
		IMAGE(CONFIG, LAYER("application/vnd.docker.image.rootfs.diff.tar")),
		IMAGE(CONFIG, LAYER("application/vnd.docker.image.rootfs.diff.tar.gzip")),
		IMAGE(CONFIG, LAYER("application/vnd.docker.image.rootfs.diff.tar.zstd")),
		IMAGE(CONFIG, ""),
	};

	for (size_t i = 0; i < MVM_COUNT(types); i++) {
		struct mvm_manifest manifest MVM_CLEAN_MANIFEST = {0};

		assert_int_equal(parse(types[i], NULL, &manifest, NULL), 0);
	}
}

static const struct {
	const char *text, *type;
	enum mvm_error_code code;
	const char *word;
} refused[] = {
	{"", NULL, MVM_ERR_INVALID, "not an image manifest"},
	{"<html>", "text/html", MVM_ERR_INVALID, "not an image manifest"},
	{"[]", NULL, MVM_ERR_INVALID, "not an image manifest"},
	{"{}", NULL, MVM_ERR_INVALID, "schemaVersion"},
	{"{\"schemaVersion\":2}", NULL, MVM_ERR_INVALID, "not an image manifest"},
	{"{\"schemaVersion\":\"2\"}", NULL, MVM_ERR_INVALID, "schemaVersion"},
	{"{\"schemaVersion\":1,\"fsLayers\":[]}", NULL, MVM_ERR_UNSUPPORTED, "schema 1"},
	{"{\"schemaVersion\":2}", "application/vnd.docker.distribution.manifest.v1+json", MVM_ERR_UNSUPPORTED,
	 "schema 1"},
	/* Reads as either. */
	{"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[],\"manifests\":[]}", NULL, MVM_ERR_INVALID, ""},
	/* Says it is the other. */
	{IMAGE(CONFIG, GZIP), MVM_MEDIA_OCI_INDEX, MVM_ERR_INVALID, "image manifest or index"},
	{"{\"schemaVersion\":2,\"manifests\":[]}", MVM_MEDIA_DOCKER_MANIFEST, MVM_ERR_INVALID, ""},
	{"{\"schemaVersion\":2,\"mediaType\":\"application/json\",\"manifests\":[]}", NULL, MVM_ERR_INVALID, ""},
	{"{\"schemaVersion\":2,\"manifests\":{}}", NULL, MVM_ERR_INVALID, "list"},
	{"{\"schemaVersion\":2,\"manifests\":[1]}", NULL, MVM_ERR_INVALID, "descriptor"},
	{"{\"schemaVersion\":2,\"manifests\":[{\"digest\":" A ",\"size\":1,\"platform\":{\"os\":3}}]}", NULL,
	 MVM_ERR_INVALID, "os"},
	{IMAGE("null", GZIP), NULL, MVM_ERR_INVALID, "config"},
	{IMAGE("[]", GZIP), NULL, MVM_ERR_INVALID, "config"},
	{"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":3}", NULL, MVM_ERR_INVALID, "layers"},
	{IMAGE("{\"mediaType\":\"application/vnd.cncf.helm.config.v1+json\",\"digest\":" A ",\"size\":1}", GZIP), NULL,
	 MVM_ERR_UNSUPPORTED, "helm"},
	{IMAGE("{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":" A ",\"size\":99999999}", GZIP),
	 NULL, MVM_ERR_INVALID, "99999999"},
	{IMAGE(CONFIG, "{\"digest\":\"sha256:../../x\",\"size\":1}"), NULL, MVM_ERR_INVALID, "digest"},
	{IMAGE(CONFIG, "{\"digest\":" A ",\"size\":-1}"), NULL, MVM_ERR_INVALID, "size"},
	{IMAGE(CONFIG, "{\"digest\":" A "}"), NULL, MVM_ERR_INVALID, "size"},
	{IMAGE(CONFIG, "{\"digest\":" A ",\"size\":9223372036854775807}"), NULL, MVM_ERR_INVALID, "impossible size"},
	{IMAGE(CONFIG, "{\"digest\":" A ",\"size\":1e3}"), NULL, MVM_ERR_INVALID, "whole number"},
	{IMAGE(CONFIG, LAYER("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")), NULL, MVM_ERR_UNSUPPORTED,
	 "may not be distributed"},
	{IMAGE(CONFIG, LAYER("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip")), NULL,
	 MVM_ERR_UNSUPPORTED, "may not be distributed"},
	{IMAGE(CONFIG, LAYER("application/vnd.oci.image.layer.v1.tar+gzip+encrypted")), NULL, MVM_ERR_UNSUPPORTED,
	 "encrypted"},
	{IMAGE(CONFIG, LAYER("application/vnd.wasm")), NULL, MVM_ERR_UNSUPPORTED, "unknown type"},
};

static void refuses(void **state)
{
	for (size_t i = 0; i < MVM_COUNT(refused); i++) {
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;
		struct mvm_manifest manifest = {0};

		if (parse(refused[i].text, refused[i].type, &manifest, &err) == 0)
			fail_msg("%s was taken", refused[i].text);
		assert_null(manifest.media_type);
		assert_int_equal(mvm_error_code(err), refused[i].code);
		if (!strstr(mvm_error_message(err), refused[i].word))
			fail_msg("\"%s\" does not say \"%s\"", mvm_error_message(err), refused[i].word);
	}
}

/* Every beginning of a good one is refused, and read no further than it goes (under the sanitizers). */
static void cut_anywhere(void **state)
{
	static const char text[] = IMAGE(CONFIG, GZIP);

	for (size_t length = 0; length < sizeof(text) - 1; length++) {
		char *copy = malloc(length ? length : 1);
		struct mvm_manifest manifest;

		assert_non_null(copy);
		memcpy(copy, text, length);
		assert_int_equal(mvm_manifest_parse(copy, length, NULL, &manifest, NULL), -1);
		free(copy);
	}
}

static void too_much(void **state)
{
	struct mvm_manifest manifest;
	struct mvm_buf text MVM_CLEAN_BUF = {0};
	struct mvm_buf deep MVM_CLEAN_BUF = {0};

	mvm_buf_addf(&text, "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" GZIP);
	for (int i = 0; i < 2000; i++)
		mvm_buf_addf(&text, "," GZIP);
	mvm_buf_addf(&text, "]}");
	assert_int_equal(mvm_manifest_parse(text.data, text.length, NULL, &manifest, NULL), -1);
	for (int i = 0; i < 100000; i++)
		mvm_buf_addf(&deep, "[");
	assert_int_equal(mvm_manifest_parse(deep.data, deep.length, NULL, &manifest, NULL), -1);
	mvm_buf_reserve(&text, MVM_MANIFEST_MAX + 1);
	assert_int_equal(mvm_manifest_parse(text.data, MVM_MANIFEST_MAX + 1, NULL, &manifest, NULL), -1);
}

#define ENTRY(d, os, arch, more)                                                                                       \
	"{\"mediaType\":\"" MVM_MEDIA_OCI_MANIFEST "\",\"digest\":" d ",\"size\":3,\"platform\":{\"os\":\"" os         \
	"\",\"architecture\":\"" arch "\"" more "}}"

static void chooses(void **state)
{
	static const char text[] =
		"{\"schemaVersion\":2,\"manifests\":[" ENTRY(A, "unknown", "unknown", "") "," ENTRY(A, "linux", "arm", ",\"variant\":\"v6\"") "," ENTRY(
			B, "linux", "arm",
			",\"variant\":\"v7\"") "," ENTRY(A, "windows", "amd64",
							 ",\"os.version\":\"10\"") "," ENTRY(B, "linux", "amd64",
											     "") "," ENTRY(A, "linux",
													   "amd64",
													   "") "," ENTRY(A,
															 "an operating system with a name too long",
															 "x",
															 "") "]}";
	static const struct {
		const char *wanted;
		size_t index;
	} cases[] = {{"linux/amd64", 4}, {"linux/arm/v7", 2}, {"linux/arm/v6", 1}, {"linux/amd64/v2", 4}};
	struct mvm_manifest manifest MVM_CLEAN_MANIFEST = {0};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	const struct mvm_index_entry *entry;
	struct mvm_platform platform;

	assert_int_equal(parse(text, NULL, &manifest, NULL), 0);
	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		assert_int_equal(mvm_platform_parse(cases[i].wanted, &platform, NULL), 0);
		assert_int_equal(mvm_manifest_choose(&manifest, &platform, &entry, NULL), 0);
		assert_ptr_equal(entry, &manifest.entries[cases[i].index]);
	}
	assert_int_equal(mvm_platform_parse("linux/s390x", &platform, NULL), 0);
	assert_int_equal(mvm_manifest_choose(&manifest, &platform, &entry, &err), -1);
	assert_string_equal(mvm_error_message(err), "no matching manifest for linux/s390x in the manifest list "
						    "entries: there is linux/arm/v6, linux/arm/v7, "
						    "windows/amd64, linux/amd64; choose one with --platform");
}

static void config(void **state)
{
	static const char text[] =
		"{\"architecture\":\"arm64\",\"os\":\"linux\",\"created\":\"2024-01-02T03:04:05.678Z\",\"config\":{"
		"\"Env\":[\"A=b\"],\"Entrypoint\":null,\"Cmd\":[\"sh\",\"-c\"],\"User\":\"1000\",\"WorkingDir\":\"/w\","
		"\"StopSignal\":\"SIGQUIT\",\"Labels\":{\"k\":\"v\"},\"ExposedPorts\":{\"80/tcp\":{}},"
		"\"Volumes\":{\"/data\":{}},\"Healthcheck\":{\"Test\":[\"CMD\",\"true\"]}},"
		"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[" A "," B "]}}";
	struct mvm_config_blob blob MVM_CLEAN_CONFIG_BLOB = {0};

	assert_int_equal(mvm_config_blob_parse(text, strlen(text), &blob, NULL), 0);
	assert_string_equal(blob.platform.architecture, "arm64");
	assert_int_equal(blob.created, 1704164645);
	assert_string_equal(blob.config.env.items[0], "A=b");
	assert_int_equal(blob.config.entrypoint.count, 0);
	assert_int_equal(blob.config.cmd.count, 2);
	assert_string_equal(blob.config.user, "1000");
	assert_string_equal(blob.config.working_dir, "/w");
	assert_string_equal(blob.config.stop_signal, "SIGQUIT");
	assert_string_equal(json_string_value(json_object_get(blob.config.labels, "k")), "v");
	assert_string_equal(blob.config.exposed_ports.items[0], "80/tcp");
	assert_string_equal(blob.config.volumes.items[0], "/data");
	assert_non_null(blob.config.healthcheck);
	assert_int_equal(blob.diff_id_count, 2);
}

static void sparse_config(void **state)
{
	struct mvm_config_blob blob MVM_CLEAN_CONFIG_BLOB = {0};

	assert_int_equal(mvm_config_blob_parse("{\"config\":null}", 15, &blob, NULL), 0);
	assert_null(blob.config.user);
	assert_null(blob.config.labels);
	assert_int_equal(blob.created, 0);
	assert_int_equal(blob.diff_id_count, 0);
}

static void refuses_config(void **state)
{
	static const char *const wrong[] = {
		"",
		"[]",
		"{\"config\":[]}",
		"{\"config\":{\"Env\":\"A=b\"}}",
		"{\"config\":{\"Env\":[1]}}",
		"{\"config\":{\"Cmd\":[\"a\\u0000b\"]}}",
		"{\"config\":{\"User\":1000}}",
		"{\"config\":{\"Labels\":{\"k\":1}}}",
		"{\"config\":{\"Volumes\":[\"/data\"]}}",
		"{\"architecture\":\"an architecture with a name too long\"}",
		"{\"architecture\":1}",
		"{\"rootfs\":[]}",
		"{\"rootfs\":{\"diff_ids\":[\"sha256:short\"]}}",
		"{\"rootfs\":{\"diff_ids\":{}}}",
	};

	for (size_t i = 0; i < MVM_COUNT(wrong); i++) {
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;
		struct mvm_config_blob blob;

		if (mvm_config_blob_parse(wrong[i], strlen(wrong[i]), &blob, &err) == 0)
			fail_msg("%s was taken", wrong[i]);
		assert_int_equal(mvm_error_code(err), MVM_ERR_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(image),	cmocka_unit_test(layer_types),	 cmocka_unit_test(refuses),
		cmocka_unit_test(cut_anywhere), cmocka_unit_test(too_much),	 cmocka_unit_test(chooses),
		cmocka_unit_test(config),	cmocka_unit_test(sparse_config), cmocka_unit_test(refuses_config),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
