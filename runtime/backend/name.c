/* By name only, for programs that link no backend. */
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "runtime/base/mem.h"
#include "runtime/base/paths.h"

static bool is_vz(void)
{
	const char *name = getenv("MVM_BACKEND");

#ifdef __APPLE__
	return !name || strcmp(name, "qemu") != 0;
#else
	return name && strcmp(name, "vz") == 0;
#endif
}

int mvm_backend_program(char **path, struct mvm_error **err)
{
	/* On Linux it is a double of Virtualization.framework, in a program of its own, and in builds for tests only:
	 * in others the usual one says that it has no such backend. */
#ifdef MVM_VZ_DOUBLE
	if (is_vz())
		return mvm_own_file("mvm-supervisor-vz", path, err);
#endif
	return mvm_own_file("mvm-supervisor", path, err);
}

bool mvm_backend_wants_raw(void)
{
	return is_vz();
}

enum mvm_boot_file mvm_backend_kernel(void)
{
	return is_vz() ? MVM_BOOT_BZIMAGE : MVM_BOOT_KERNEL;
}

bool mvm_backend_knows_rosetta(void)
{
	return is_vz();
}

static const char *const rosetta_names[] = {[MVM_ROSETTA_UNSUPPORTED] = "unsupported",
					    [MVM_ROSETTA_NOT_INSTALLED] = "not-installed",
					    [MVM_ROSETTA_INSTALLED] = "installed"};

const char *mvm_rosetta_name(enum mvm_rosetta state)
{
	return rosetta_names[state];
}

int mvm_rosetta_parse(const char *name, enum mvm_rosetta *state)
{
	for (size_t i = 0; i < MVM_COUNT(rosetta_names); i++)
		if (!strcmp(name, rosetta_names[i])) {
			*state = (enum mvm_rosetta)i;
			return 0;
		}
	return -1;
}
