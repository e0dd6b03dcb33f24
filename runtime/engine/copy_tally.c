#include <string.h>

#include "copy.h"

enum { BLOCK = 512 };

static uint64_t blocks(uint64_t size)
{
	return (size + BLOCK - 1) / BLOCK * BLOCK;
}

static bool is_plain(const char *text)
{
	for (const char *at = text; *at; at++)
		if ((unsigned char)*at >= 0x80)
			return false;
	return strlen(text) <= 100;
}

/* What ustar cannot say is in an extended header, which has a header of its own. */
static uint64_t headers_of(const struct mvm_tar_entry *entry)
{
	uint64_t records = 0;

	if (!is_plain(entry->name))
		records += strlen(entry->name);
	if (!is_plain(entry->target))
		records += strlen(entry->target);
	for (size_t i = 0; i < entry->xattr_count; i++)
		records += strlen(entry->xattrs[i].name) + entry->xattrs[i].length;
	return BLOCK + (records ? BLOCK + blocks(records) : 0);
}

static void report(struct copy_tally *tally)
{
	if (tally->copy->progress)
		tally->copy->progress(tally->copy->arg, tally->transferred + tally->at);
}

static int take_entry(void *arg, const struct mvm_tar_entry *entry, struct mvm_error **err)
{
	struct copy_tally *tally = arg;

	tally->size = entry->type == MVM_TAR_FILE ? entry->size : 0;
	tally->at = 0;
	tally->content += tally->size;
	tally->transferred += headers_of(entry);
	report(tally);
	return tally->next.ops->entry(tally->next.arg, entry, err);
}

static int take_data(void *arg, uint64_t offset, const void *data, size_t length, struct mvm_error **err)
{
	struct copy_tally *tally = arg;

	tally->at = offset + length;
	report(tally);
	return tally->next.ops->data(tally->next.arg, offset, data, length, err);
}

static int take_end(void *arg, struct mvm_error **err)
{
	struct copy_tally *tally = arg;

	tally->transferred += blocks(tally->size);
	tally->at = 0;
	return tally->next.ops->end(tally->next.arg, err);
}

const struct mvm_tar_ops copy_tally_ops = {.entry = take_entry, .data = take_data, .end = take_end};
