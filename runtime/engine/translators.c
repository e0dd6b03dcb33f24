/*
 * Which translators a container's machine gets: those that its image needs, and those that were asked for.
 */
#include "internal.h"

#include <string.h>

#include "image/platform.h"
#include "runtime/base/arch.h"
#include "runtime/base/error.h"
#include "share/translator.h"

static bool has(const struct mvm_container_config *config, const char *architecture)
{
	size_t length = strlen(architecture);

	for (size_t i = 0; i < config->translators.count; i++)
		if (!strncmp(config->translators.items[i], architecture, length) &&
		    config->translators.items[i][length] == '=')
			return true;
	return false;
}

/* What the configuration names comes first. Rosetta is for the one architecture that a Mac's own programs were for. */
static int find(struct mvm_engine *engine, const struct mvm_create_request *request, enum mvm_arch vm,
		const char *architecture, char **path, struct mvm_error **err)
{
	const struct mvm_config *config = mvm_engine_config(engine);

	if (vm == MVM_ARCH_OWN && !strcmp(architecture, mvm_translator_usual(vm)) &&
	    !mvm_translator_is_named(config, architecture)) {
		int result = engine_find_rosetta(request, architecture, err);

		if (result == 0)
			*path = mvm_strdup(MVM_TRANSLATOR_ROSETTA);
		if (result <= 0)
			return result;
	}
	return mvm_translator_find(config, vm, architecture, path, err);
}

static int add(struct mvm_engine *engine, const struct mvm_create_request *request, const char *architecture,
	       struct mvm_container_config *config, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = NULL;

	if (has(config, architecture))
		return 0;
	if (find(engine, request, mvm_kernel_arch(config->kernel), architecture, &path, err) < 0)
		return -1;
	mvm_strv_addf(&config->translators, "%s=%s", architecture, path);
	return 0;
}

static int add_asked(struct mvm_engine *engine, const struct mvm_create_request *request, const char *text,
		     struct mvm_container_config *config, struct mvm_error **err)
{
	struct mvm_platform platform = {0};

	if (!*text)
		return add(engine, request, mvm_translator_usual(mvm_kernel_arch(config->kernel)), config, err);
	if (mvm_platform_parse(text, &platform, err) < 0)
		return mvm_error_wrap(err, "invalid argument for --translate");
	mvm_platform_normalise(&platform);
	if (mvm_translator_native(mvm_kernel_arch(config->kernel), platform.architecture))
		return mvm_fail(err, MVM_ERR_USAGE, "the machine runs %s programs itself", platform.architecture);
	return add(engine, request, platform.architecture, config, err);
}

int engine_set_translators(struct mvm_engine *engine, const struct mvm_create_request *request,
			   const struct mvm_image *image, struct mvm_container_config *config, struct mvm_error **err)
{
	struct mvm_platform its = *mvm_image_platform(image);

	mvm_platform_normalise(&its);
	if (!mvm_translator_native(mvm_kernel_arch(config->kernel), its.architecture) &&
	    add(engine, request, its.architecture, config, err) < 0)
		return mvm_error_wrap(err, "image %s is for %s/%s", request->image.reference, its.os, its.architecture);
	for (size_t i = 0; request->translate && i < request->translate->count; i++)
		if (add_asked(engine, request, request->translate->items[i], config, err) < 0)
			return -1;
	return 0;
}

int engine_warn_of_platform(struct mvm_engine *engine, const struct mvm_create_request *request,
			    const struct mvm_image *image, struct mvm_error **err)
{
	char *its MVM_CLEAN_FREE = NULL, *ours MVM_CLEAN_FREE = NULL;
	struct mvm_platform host;
	int asked = mvm_engine_platform(engine, request->image.platform, &host, err);

	if (asked <= 0 || !request->warnings)
		return asked < 0 ? -1 : 0;
	mvm_platform_host(&host);
	if (mvm_platform_suits(&host, mvm_image_platform(image)))
		return 0;
	its = mvm_platform_format(mvm_image_platform(image));
	ours = mvm_platform_format(&host);
	mvm_strv_addf(request->warnings,
		      "The requested image's platform (%s) does not match the detected host platform (%s) and no "
		      "specific platform was requested",
		      its, ours);
	return 0;
}

void mvm_engine_translators(const struct mvm_config *config, struct mvm_strv *names)
{
	const char *usual = mvm_translator_usual(MVM_ARCH_OWN);
	enum mvm_rosetta state = MVM_ROSETTA_UNSUPPORTED;
	bool rosetta = mvm_engine_rosetta(&state, NULL) == 0 && state == MVM_ROSETTA_INSTALLED;

	for (const char *const *name = mvm_translator_architectures(MVM_ARCH_OWN); *name; name++) {
		char *path MVM_CLEAN_FREE = NULL;

		if (mvm_translator_find(config, MVM_ARCH_OWN, *name, &path, NULL) == 0 ||
		    (rosetta && !strcmp(*name, usual)))
			mvm_strv_add(names, *name);
	}
}
