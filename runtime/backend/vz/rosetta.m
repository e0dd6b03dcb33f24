/*
 * Rosetta: macOS's translator of amd64 programs, as a share of its own that the machine is made with. It looks by an
 * ioctl whether it lies on that share, so it is never copied. The names are there on Apple silicon only.
 *
 * From macOS 27 on it is said to be a part of the system, with nothing to install; what availability says there is not
 * known.
 */
#include "guest-agent/proto/proto.h"
#include "internal.h"
#include "runtime/base/error.h"

#if defined(__arm64__) || !defined(__APPLE__)

/* What it has translated is kept by a daemon beside it in the guest, from macOS 14 on; without one it is translated
 * anew each time. A socket with a path, which the agent puts into containers: of an abstract one nothing tells the
 * daemon. */
static int set_caching(VZLinuxRosettaDirectoryShare *share, struct mvm_error **err)
{
	if (@available(macOS 14.0, *)) {
		VZLinuxRosettaUnixSocketCachingOptions *options;
		NSError *error = nil;

		options = [[[VZLinuxRosettaUnixSocketCachingOptions alloc] initWithPath:@MVM_ROSETTA_SOCKET
										  error:&error] autorelease];
		if (!options)
			return vz_fail(err, error, "cannot set Rosetta up");
		[share setOptions:options];
	}
	return 0;
}

VZVirtioFileSystemDeviceConfiguration *vz_rosetta_device(const char *name, struct mvm_error **err)
{
	NSString *tag = [NSString stringWithUTF8String:name];
	VZVirtioFileSystemDeviceConfiguration *device;
	VZLinuxRosettaDirectoryShare *share;
	NSError *error = nil;

	share = [[[VZLinuxRosettaDirectoryShare alloc] initWithError:&error] autorelease];
	if (!share) {
		vz_fail(err, error, "the container's programs need Rosetta, which is not to be had");
		return nil;
	}
	if (set_caching(share, err) < 0)
		return nil;
	device = [[[VZVirtioFileSystemDeviceConfiguration alloc] initWithTag:tag] autorelease];
	[device setShare:share];
	return device;
}

struct outcome {
	bool failed;
	enum mvm_error_code code;
	char text[VZ_TEXT_SIZE];
};

static enum mvm_error_code code_of(NSError *error)
{
	if (![[error domain] isEqualToString:VZErrorDomain])
		return MVM_ERR_MACHINE;
	if ([error code] == VZErrorOperationCancelled)
		return MVM_ERR_INTERRUPTED;
	return [error code] == VZErrorNotSupported ? MVM_ERR_UNSUPPORTED : MVM_ERR_MACHINE;
}

/* The handler runs on a queue of the framework's own. */
static int install(struct mvm_error **err)
{
	dispatch_semaphore_t done = dispatch_semaphore_create(0);
	__block struct outcome outcome = {.failed = false};

	[VZLinuxRosettaDirectoryShare installRosettaWithCompletionHandler:^(NSError *error) {
	  if (error) {
		  outcome.failed = true;
		  outcome.code = code_of(error);
		  vz_describe(error, outcome.text, sizeof(outcome.text));
	  }
	  dispatch_semaphore_signal(done);
	}];
	dispatch_semaphore_wait(done, DISPATCH_TIME_FOREVER);
	dispatch_release(done);
	if (!outcome.failed)
		return 0;
	if (outcome.code == MVM_ERR_INTERRUPTED)
		return mvm_fail(err, outcome.code, "Rosetta is not installed: the installation was cancelled");
	return mvm_fail(err, outcome.code, "Rosetta is not installed: %s", outcome.text);
}

int vz_rosetta(bool wanted, enum mvm_rosetta *state, struct mvm_error **err)
{
	@autoreleasepool {
		VZLinuxRosettaAvailability is = [VZLinuxRosettaDirectoryShare availability];

		if (is == VZLinuxRosettaAvailabilityNotInstalled && wanted) {
			if (install(err) < 0)
				return -1;
			is = [VZLinuxRosettaDirectoryShare availability];
		}
		*state = is == VZLinuxRosettaAvailabilityInstalled	? MVM_ROSETTA_INSTALLED
			 : is == VZLinuxRosettaAvailabilityNotInstalled ? MVM_ROSETTA_NOT_INSTALLED
									: MVM_ROSETTA_UNSUPPORTED;
	}
	return 0;
}

#else

VZVirtioFileSystemDeviceConfiguration *vz_rosetta_device(const char *name, struct mvm_error **err)
{
	mvm_fail(err, MVM_ERR_UNSUPPORTED,
		 "the container's programs need Rosetta, which is there on Apple silicon only; make it anew");
	return nil;
}

int vz_rosetta(bool wanted, enum mvm_rosetta *state, struct mvm_error **err)
{
	*state = MVM_ROSETTA_UNSUPPORTED;
	return 0;
}

#endif
