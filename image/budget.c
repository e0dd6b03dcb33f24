#include "budget.h"

#include "runtime/base/config.h"
#include "runtime/base/error.h"
#include "runtime/base/json.h"
#include "runtime/base/text.h"

enum { BLOCK = 4096, PIECE_MEMORY = 64 };

static int read_size(struct mvm_budget *budget, const struct mvm_config *config, const json_t *section,
		     struct mvm_error **err)
{
	const json_t *value = json_object_get(section, "maxUnpackedSize");

	if (!value)
		return 0;
	if (!json_is_string(value) || !mvm_parse_size(json_string_value(value), &budget->max_size) || !budget->max_size)
		return mvm_config_fail(config, err, "\"maxUnpackedSize\" of \"images\" is not a size like \"32GiB\"");
	return 0;
}

static int read_entries(struct mvm_budget *budget, const struct mvm_config *config, const json_t *section,
			struct mvm_error **err)
{
	const json_t *value = json_object_get(section, "maxEntries");

	if (!value)
		return 0;
	/* More than any ext4 has inodes for. */
	if (!json_is_integer(value) || json_integer_value(value) < 1 || json_integer_value(value) > UINT32_MAX)
		return mvm_config_fail(config, err, "\"maxEntries\" of \"images\" is not a number from 1 to %u",
				       UINT32_MAX);
	budget->max_entries = (uint64_t)json_integer_value(value);
	return 0;
}

int mvm_budget_init(struct mvm_budget *out, const struct mvm_config *config, struct mvm_error **err)
{
	struct mvm_budget budget = {.max_size = MVM_BUDGET_SIZE, .max_entries = MVM_BUDGET_ENTRIES};
	const json_t *section;

	if (mvm_config_section(config, "images", &section, err) < 0 || read_size(&budget, config, section, err) < 0 ||
	    read_entries(&budget, config, section, err) < 0)
		return -1;
	*out = budget;
	return 0;
}

int mvm_budget_take_size(struct mvm_budget *budget, uint64_t bytes, struct mvm_error **err)
{
	if (bytes > budget->max_size - budget->size)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED,
				"the image unpacks to more than %.4g GiB; if you trust it, set \"maxUnpackedSize\" of "
				"\"images\" in the configuration file",
				(double)budget->max_size / (1 << 30));
	budget->size += bytes;
	return 0;
}

static int take_memory(struct mvm_budget *budget, size_t bytes, struct mvm_error **err)
{
	uint64_t most = budget->max_entries * MVM_BUDGET_ENTRY_MEMORY;

	if (bytes > most - budget->memory)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED,
				"the image's names and attributes take more than %llu KiB of memory; if you trust it, "
				"set \"maxEntries\" of \"images\" in the configuration file",
				(unsigned long long)most >> 10);
	budget->memory += bytes;
	return 0;
}

int mvm_budget_take_entry(struct mvm_budget *budget, size_t extra, struct mvm_error **err)
{
	if (budget->entries == budget->max_entries)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED,
				"the image has more than %llu entries; if you trust it, set \"maxEntries\" of "
				"\"images\" in the configuration file",
				(unsigned long long)budget->max_entries);
	budget->entries++;
	return take_memory(budget, MVM_BUDGET_NODE_MEMORY + extra, err);
}

int mvm_budget_take_piece(struct mvm_budget *budget, struct mvm_error **err)
{
	if (mvm_budget_take_size(budget, BLOCK, err) < 0)
		return -1;
	return take_memory(budget, PIECE_MEMORY, err);
}
