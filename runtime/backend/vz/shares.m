/*
 * All folders of a container are one virtio-fs device (Rosetta is another: rosetta.m), whose share has them by their
 * numbers, 0, 1, 2, ...: so the agent finds the same tree as that of mvm-share on Linux.
 *
 * The framework opens folders as this user, and shows the guest each file as owned by whoever asks; that cannot be
 * changed. A folder that is missing is an exception or nothing, so it is looked at before.
 */
#include <sys/stat.h>

#include "internal.h"
#include "runtime/base/error.h"

static VZSharedDirectory *make_directory(const struct mvm_machine_share *share, struct mvm_error **err)
{
	NSString *path = [NSString stringWithUTF8String:share->path];
	struct stat status;

	if (!path) {
		mvm_fail(err, MVM_ERR_INVALID, "the path '%s' is not UTF-8, and cannot be shared", share->path);
		return nil;
	}
	if (stat(share->path, &status) < 0 || !S_ISDIR(status.st_mode)) {
		mvm_fail(err, MVM_ERR_NOT_FOUND, "cannot share %s: it is no folder, or not to be seen", share->path);
		return nil;
	}
	return [[[VZSharedDirectory alloc] initWithURL:[NSURL fileURLWithPath:path]
					      readOnly:share->read_only] autorelease];
}

static VZDirectoryShare *make_share(const struct mvm_machine_spec *spec, struct mvm_error **err)
{
	NSMutableDictionary *directories = [NSMutableDictionary dictionary];

	for (size_t i = 0; i < spec->share_count; i++) {
		NSString *name = [NSString stringWithFormat:@"%lu", (unsigned long)i];
		VZSharedDirectory *directory = make_directory(&spec->shares[i], err);
		NSError *error = nil;

		if (!directory)
			return nil;
		/* A name that it does not like is an exception later. */
		if (![VZMultipleDirectoryShare validateName:name error:&error]) {
			vz_fail(err, error, "cannot share folders");
			return nil;
		}
		[directories setObject:directory forKey:name];
	}
	return [[[VZMultipleDirectoryShare alloc] initWithDirectories:directories] autorelease];
}

static VZVirtioFileSystemDeviceConfiguration *make_device(const struct mvm_machine_spec *spec, struct mvm_error **err)
{
	NSString *tag = [NSString stringWithUTF8String:spec->fs_tag];
	VZVirtioFileSystemDeviceConfiguration *device;
	VZDirectoryShare *share;
	NSError *error = nil;

	if (![VZVirtioFileSystemDeviceConfiguration validateTag:tag error:&error]) {
		vz_fail(err, error, "cannot share folders");
		return nil;
	}
	share = make_share(spec, err);
	if (!share)
		return nil;
	device = [[[VZVirtioFileSystemDeviceConfiguration alloc] initWithTag:tag] autorelease];
	[device setShare:share];
	return device;
}

NSArray *vz_share_devices(const struct mvm_machine_spec *spec, struct mvm_error **err)
{
	NSMutableArray *devices = [NSMutableArray array];
	VZVirtioFileSystemDeviceConfiguration *device;

	if (spec->fs_tag && spec->share_count) {
		device = make_device(spec, err);
		if (!device)
			return nil;
		[devices addObject:device];
	}
	if (spec->rosetta_tag) {
		device = vz_rosetta_device(spec->rosetta_tag, err);
		if (!device)
			return nil;
		[devices addObject:device];
	}
	return devices;
}
