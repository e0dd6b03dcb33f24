#include "internal.h"

#include "image/kernel.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/paths.h"

struct mvm_engine {
	char *home;
	struct mvm_config *config;
	struct mvm_state *state;
	struct mvm_store *store, *kernels;
};

int mvm_engine_open(struct mvm_engine **out, struct mvm_error **err)
{
	struct mvm_engine *engine = mvm_alloc(sizeof(*engine));

	if (mvm_home(&engine->home, err) < 0 || mvm_config_load(&engine->config, err) < 0 ||
	    mvm_state_open(engine->home, &engine->state, err) < 0) {
		mvm_engine_close(engine);
		return -1;
	}
	*out = engine;
	return 0;
}

void mvm_engine_close(struct mvm_engine *engine)
{
	if (!engine)
		return;
	mvm_store_close(engine->store);
	mvm_store_close(engine->kernels);
	mvm_state_close(engine->state);
	mvm_config_destroy(engine->config);
	free(engine->home);
	free(engine);
}

struct mvm_state *mvm_engine_state(struct mvm_engine *engine)
{
	return engine->state;
}

const struct mvm_config *mvm_engine_config(const struct mvm_engine *engine)
{
	return engine->config;
}

int mvm_engine_store(struct mvm_engine *engine, struct mvm_store **store, struct mvm_error **err)
{
	if (!engine->store && mvm_store_open(engine->home, &engine->store, err) < 0)
		return -1;
	*store = engine->store;
	return 0;
}

int mvm_engine_kernels(struct mvm_engine *engine, struct mvm_store **store, struct mvm_error **err)
{
	if (!engine->kernels && mvm_kernels_open(engine->home, &engine->kernels, err) < 0)
		return -1;
	*store = engine->kernels;
	return 0;
}

int engine_lock_images(struct mvm_engine *engine, unsigned flags, int *fd, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/containers/.images", engine->home);

	return mvm_lock(path, flags, fd, err);
}
