#include "kernel_manifest.h"

#include <stdlib.h>
#include <string.h>

#include "manifest.h"
#include "runtime/base/error.h"
#include "runtime/base/json.h"
#include "runtime/base/kernel.h"

#define TITLE "org.opencontainers.image.title"

/* What it is instead, for whoever took the wrong name. */
static int no_kernel(const char *artifact, const char *config, struct mvm_error **err)
{
	if (!*artifact && (strstr(config, ".oci.image.config.") || strstr(config, ".docker.container.image.")))
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "not a kernel but a container image; `mvm pull` takes it");
	return mvm_fail(err, MVM_ERR_UNSUPPORTED, "not a kernel but an artifact of type \"%.100s\"",
			*artifact ? artifact : config);
}

static int check_kind(const json_t *root, struct mvm_error **err)
{
	const char *type, *artifact, *config;
	int64_t version;

	if (mvm_json_get_int(root, "schemaVersion", 0, &version, err) < 0 ||
	    mvm_json_get_string(root, "mediaType", MVM_MEDIA_OCI_MANIFEST, &type, err) < 0 ||
	    mvm_json_get_string(root, "artifactType", "", &artifact, err) < 0 ||
	    mvm_json_get_string(json_object_get(root, "config"), "mediaType", "", &config, err) < 0)
		return -1;
	if (version != 2 || !json_is_object(json_object_get(root, "config")) ||
	    !json_is_array(json_object_get(root, "layers")) || json_object_get(root, "manifests"))
		return mvm_fail(err, MVM_ERR_INVALID, "not a manifest of a kernel");
	if (strcmp(artifact, MVM_MEDIA_KERNEL) != 0 || strcmp(config, MVM_MEDIA_KERNEL_CONFIG) != 0 ||
	    strcmp(type, MVM_MEDIA_OCI_MANIFEST) != 0)
		return no_kernel(artifact, config, err);
	return 0;
}

static int take_part(const json_t *object, struct mvm_descriptor *part, uint64_t max, const char *name,
		     struct mvm_error **err)
{
	struct mvm_descriptor descriptor;

	if (mvm_descriptor_parse(object, &descriptor, err) < 0)
		return mvm_error_wrap(err, "%s", name);
	*part = (struct mvm_descriptor){.digest = descriptor.digest, .size = descriptor.size};
	mvm_descriptor_finish(&descriptor);
	if (!part->size || part->size > max)
		return mvm_fail(err, MVM_ERR_INVALID, "%s: %llu bytes, which is not between 1 and %llu", name,
				(unsigned long long)part->size, (unsigned long long)max);
	return 0;
}

/* One of each, in any order. What is of a type that we do not know may be what makes it work. */
static int take_layer(const json_t *object, struct mvm_kernel_parts *parts, struct mvm_error **err)
{
	const char *type;
	bool image;
	struct mvm_descriptor *part;

	if (mvm_json_get_string(object, "mediaType", "", &type, err) < 0)
		return -1;
	image = !strcmp(type, MVM_MEDIA_KERNEL_IMAGE);
	if (!image && strcmp(type, MVM_MEDIA_KERNEL_INITRAMFS) != 0)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED,
				"a layer is of the unknown type \"%.100s\"; a newer mvm may know it", type);
	part = image ? &parts->image : &parts->initramfs;
	if (mvm_digest_is_set(&part->digest))
		return mvm_fail(err, MVM_ERR_INVALID, "two layers of type \"%s\"", type);
	return take_part(object, part, MVM_KERNEL_FILE_MAX, image ? "the kernel" : "the initramfs", err);
}

int mvm_kernel_manifest_parse(const char *data, size_t length, struct mvm_kernel_parts *out, struct mvm_error **err)
{
	struct mvm_kernel_parts parts = {0};
	json_t *root MVM_CLEAN_JSON = NULL;
	const json_t *layers;

	if (length > MVM_MANIFEST_MAX)
		return mvm_fail(err, MVM_ERR_INVALID, "a manifest larger than %d bytes", MVM_MANIFEST_MAX);
	if (mvm_json_parse(data, length, "not a manifest of a kernel", &root, err) < 0 || check_kind(root, err) < 0 ||
	    take_part(json_object_get(root, "config"), &parts.config, MVM_KERNEL_CONFIG_MAX, "config", err) < 0)
		return -1;
	layers = json_object_get(root, "layers");
	for (size_t i = 0; i < json_array_size(layers); i++)
		if (take_layer(json_array_get(layers, i), &parts, err) < 0)
			return -1;
	if (!mvm_digest_is_set(&parts.image.digest) || !mvm_digest_is_set(&parts.initramfs.digest))
		return mvm_fail(err, MVM_ERR_INVALID, "a kernel without %s",
				mvm_digest_is_set(&parts.image.digest) ? "initramfs" : "its image");
	*out = parts;
	return 0;
}

static json_t *descriptor_json(const struct mvm_descriptor *descriptor, const char *type, const char *title)
{
	json_t *value = json_pack("{s:s, s:s, s:I}", "mediaType", type, "digest", descriptor->digest.text, "size",
				  (json_int_t)descriptor->size);

	if (title)
		json_object_set_new(value, "annotations", json_pack("{s:s}", TITLE, title));
	return value;
}

char *mvm_kernel_manifest_format(const struct mvm_kernel_parts *parts)
{
	json_t *root MVM_CLEAN_JSON =
		json_pack("{s:i, s:s, s:s, s:o, s:[o, o]}", "schemaVersion", 2, "mediaType", MVM_MEDIA_OCI_MANIFEST,
			  "artifactType", MVM_MEDIA_KERNEL, "config",
			  descriptor_json(&parts->config, MVM_MEDIA_KERNEL_CONFIG, NULL), "layers",
			  descriptor_json(&parts->image, MVM_MEDIA_KERNEL_IMAGE, "kernel"),
			  descriptor_json(&parts->initramfs, MVM_MEDIA_KERNEL_INITRAMFS, "initramfs.cpio"));

	return json_dumps(root, JSON_COMPACT);
}

int mvm_kernel_config_parse(const char *data, size_t length, struct mvm_kernel_config *config, struct mvm_error **err)
{
	const char *os, *architecture, *version;
	json_t *root MVM_CLEAN_JSON = NULL;
	enum mvm_arch arch;

	if (mvm_json_parse(data, length, "not a kernel's config", &root, err) < 0 ||
	    mvm_json_get_string(root, "os", "", &os, err) < 0 ||
	    mvm_json_get_string(root, "architecture", "", &architecture, err) < 0 ||
	    mvm_json_get_string(root, "version", "", &version, err) < 0)
		return -1;
	if (strcmp(os, "linux") != 0 || !mvm_arch_parse(architecture, &arch))
		return mvm_fail(err, MVM_ERR_UNSUPPORTED,
				"a kernel for %.50s/%.50s; machines are linux/amd64 or linux/arm64", os, architecture);
	if (*version && !mvm_kernel_version_valid(version))
		return mvm_fail(err, MVM_ERR_INVALID, "a kernel whose config has no proper \"version\"");
	*config = (struct mvm_kernel_config){.arch = arch, .version = mvm_strdup(version)};
	return 0;
}

void mvm_kernel_config_finish(struct mvm_kernel_config *config)
{
	free(config->version);
	config->version = NULL;
}

char *mvm_kernel_config_format(enum mvm_arch arch, const char *version)
{
	json_t *root MVM_CLEAN_JSON =
		json_pack("{s:s, s:s, s:s}", "architecture", mvm_arch_name(arch), "os", "linux", "version", version);

	return json_dumps(root, JSON_COMPACT);
}
