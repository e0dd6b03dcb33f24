#include "progress.h"

#include <stdarg.h>
#include <string.h>

#include "digest.h"
#include "runtime/base/mem.h"

static const char *const state_names[] = {
	[MVM_PROGRESS_PENDING] = "Pulling fs layer", [MVM_PROGRESS_WAITING] = "Waiting",
	[MVM_PROGRESS_DOWNLOADING] = "Downloading",  [MVM_PROGRESS_DOWNLOADED] = "Download complete",
	[MVM_PROGRESS_RETRYING] = "Retrying in",     [MVM_PROGRESS_VERIFYING] = "Verifying Checksum",
	[MVM_PROGRESS_EXISTS] = "Already exists",    [MVM_PROGRESS_EXTRACTING] = "Extracting",
	[MVM_PROGRESS_COMPLETE] = "Pull complete",   [MVM_PROGRESS_PREPARING] = "Preparing",
	[MVM_PROGRESS_PUSHING] = "Pushing",	     [MVM_PROGRESS_PUSHED] = "Pushed",
	[MVM_PROGRESS_MOUNTED] = "Mounted from",     [MVM_PROGRESS_PUSHED_EARLIER] = "Layer already exists",
};

const char *mvm_progress_state_name(enum mvm_progress_state state)
{
	return state_names[state];
}

void mvm_progress_message(const struct mvm_progress *progress, const char *format, ...)
{
	char *text MVM_CLEAN_FREE = NULL;
	va_list args;

	if (!progress)
		return;
	va_start(args, format);
	text = mvm_vformat(format, args);
	va_end(args);
	progress->message(progress->arg, text);
}

void mvm_progress_result(const struct mvm_progress *progress, const char *format, ...)
{
	char *text MVM_CLEAN_FREE = NULL;
	va_list args;

	if (!progress)
		return;
	va_start(args, format);
	text = mvm_vformat(format, args);
	va_end(args);
	progress->result(progress->arg, text);
}

static void tell(const struct mvm_progress *progress, const struct mvm_digest *layer, enum mvm_progress_state state,
		 const char *detail, uint64_t done, uint64_t total)
{
	char id[MVM_DIGEST_SHORT + 1] = "";

	if (!progress)
		return;
	memcpy(id, mvm_digest_hex(layer), mvm_digest_is_set(layer) ? MVM_DIGEST_SHORT : 0);
	progress->layer(progress->arg, id, state, detail, done, total);
}

void mvm_progress_layer(const struct mvm_progress *progress, const struct mvm_digest *layer,
			enum mvm_progress_state state, uint64_t done, uint64_t total)
{
	tell(progress, layer, state, NULL, done, total);
}

void mvm_progress_retrying(const struct mvm_progress *progress, const struct mvm_digest *layer, unsigned seconds)
{
	char *detail MVM_CLEAN_FREE = mvm_format("%u second%s", seconds, seconds == 1 ? "" : "s");

	tell(progress, layer, MVM_PROGRESS_RETRYING, detail, 0, 0);
}

void mvm_progress_mounted(const struct mvm_progress *progress, const struct mvm_digest *layer, const char *from)
{
	tell(progress, layer, MVM_PROGRESS_MOUNTED, from, 0, 0);
}
