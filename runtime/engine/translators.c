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

static int add(struct mvm_engine *engine, const char *architecture, struct mvm_container_config *config,
	       struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = NULL;

	if (has(config, architecture))
		return 0;
	if (mvm_translator_find(mvm_engine_config(engine), mvm_kernel_arch(config->kernel), architecture, &path, err) <
	    0)
		return -1;
	mvm_strv_addf(&config->translators, "%s=%s", architecture, path);
	return 0;
}

static int add_asked(struct mvm_engine *engine, const char *text, struct mvm_container_config *config,
		     struct mvm_error **err)
{
	struct mvm_platform platform = {0};

	if (!*text)
		return add(engine, mvm_translator_usual(mvm_kernel_arch(config->kernel)), config, err);
	if (mvm_platform_parse(text, &platform, err) < 0)
		return mvm_error_wrap(err, "invalid argument for --translate");
	mvm_platform_normalise(&platform);
	if (mvm_translator_native(mvm_kernel_arch(config->kernel), platform.architecture))
		return mvm_fail(err, MVM_ERR_USAGE, "the machine runs %s programs itself", platform.architecture);
	return add(engine, platform.architecture, config, err);
}

int engine_set_translators(struct mvm_engine *engine, const struct mvm_create_request *request,
			   const struct mvm_image *image, struct mvm_container_config *config, struct mvm_error **err)
{
	struct mvm_platform its = *mvm_image_platform(image);

	mvm_platform_normalise(&its);
	if (!mvm_translator_native(mvm_kernel_arch(config->kernel), its.architecture) &&
	    add(engine, its.architecture, config, err) < 0)
		return mvm_error_wrap(err, "image %s is for %s/%s", request->image.reference, its.os, its.architecture);
	for (size_t i = 0; request->translate && i < request->translate->count; i++)
		if (add_asked(engine, request->translate->items[i], config, err) < 0)
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
