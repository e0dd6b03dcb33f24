/* What the host says about a disk, as the agent reads it: the root, a folder, and all that is below its first one. */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "guest-agent/base.h"
#include "guest-agent/failure.h"

static struct failure failure;

/* All that is in it is found by its name, and in order. */
static void check(const struct base_folder *folder)
{
	for (uint32_t i = 0; i < folder->count; i++) {
		struct mvm_listing_entry entry;
		uint32_t at;

		base_entry(folder, i, &entry);
		fuzz_check(base_find(folder, entry.name, entry.length, &at) && at == i);
	}
}

static bool read_listing(int fd)
{
	uint8_t bytes[MVM_LISTING_ENTRY_MAX];
	struct mvm_listing_entry root;
	struct base_folder folder = {0};
	bool taken = base_read_root(fd, bytes, &root, &failure) == 0 && base_read(fd, &folder, &failure) == 0;

	if (taken)
		check(&folder);
	for (uint32_t i = 0; taken && i < folder.count; i++) {
		struct mvm_listing_entry entry;

		base_entry(&folder, i, &entry);
		taken = (entry.mode & 0170000) != 0040000 || base_skip(fd, &failure) == 0;
	}
	base_finish(&folder);
	return taken;
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	int fd = memfd_create("listing", MFD_CLOEXEC);
	bool taken;

	fuzz_check(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
	taken = read_listing(fd);
	close(fd);
	return taken;
}
