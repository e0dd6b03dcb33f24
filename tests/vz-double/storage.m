#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "double.h"

enum { SECTOR = 512, IDENTIFIER_MAX = 20 };

@implementation VZStorageDeviceAttachment
@end

@implementation VZDiskImageStorageDeviceAttachment

/* Raw images only: what begins as another format does is refused, as is what is no whole number of sectors. */
static BOOL check_image(NSURL *url, BOOL readOnly, NSError **error)
{
	int fd = open([[url path] fileSystemRepresentation], (readOnly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	char begin[4] = "";
	struct stat status;
	BOOL fine;

	if (fd < 0)
		return vz_double_fail(error, VZErrorInvalidDiskImage, @"The disk image cannot be opened.");
	fine = fstat(fd, &status) == 0 && status.st_size % SECTOR == 0 && status.st_size > 0 &&
	       pread(fd, begin, sizeof(begin), 0) == (ssize_t)sizeof(begin) && memcmp(begin, "QFI\xfb", 4) != 0;
	close(fd);
	return fine ? YES : vz_double_fail(error, VZErrorInvalidDiskImage, @"The disk image format is not supported.");
}

- (instancetype)initWithURL:(NSURL *)url
		   readOnly:(BOOL)readOnly
		cachingMode:(VZDiskImageCachingMode)cachingMode
	synchronizationMode:(VZDiskImageSynchronizationMode)synchronizationMode
		      error:(NSError **)error
{
	vz_double_require_file(url, false, "the disk image's URL");
	if (cachingMode < VZDiskImageCachingModeAutomatic || cachingMode > VZDiskImageCachingModeCached ||
	    synchronizationMode < VZDiskImageSynchronizationModeFull ||
	    synchronizationMode > VZDiskImageSynchronizationModeNone)
		vz_double_raise(@"no caching mode %d or synchronization mode %d", (int)cachingMode,
				(int)synchronizationMode);
	self = [self initDouble];
	if (!check_image(url, readOnly, error)) {
		[self release];
		return nil;
	}
	[self setValue:[[url copy] autorelease] of:@"URL"];
	[self setValue:[NSNumber numberWithBool:readOnly] of:@"readOnly"];
	[self setValue:[NSNumber numberWithInteger:cachingMode] of:@"cachingMode"];
	[self setValue:[NSNumber numberWithInteger:synchronizationMode] of:@"synchronizationMode"];
	return self;
}

- (instancetype)initWithURL:(NSURL *)url readOnly:(BOOL)readOnly error:(NSError **)error
{
	return [self initWithURL:url
			   readOnly:readOnly
			cachingMode:VZDiskImageCachingModeAutomatic
		synchronizationMode:VZDiskImageSynchronizationModeFull
			      error:error];
}

- (NSURL *)URL
{
	return [self valueOf:@"URL"];
}

- (BOOL)isReadOnly
{
	return [[self valueOf:@"readOnly"] boolValue];
}

- (VZDiskImageCachingMode)cachingMode
{
	return [[self valueOf:@"cachingMode"] integerValue];
}

- (VZDiskImageSynchronizationMode)synchronizationMode
{
	return [[self valueOf:@"synchronizationMode"] integerValue];
}

@end

@implementation VZStorageDeviceConfiguration

- (VZStorageDeviceAttachment *)attachment
{
	return [self valueOf:@"attachment"];
}

@end

@implementation VZVirtioBlockDeviceConfiguration

- (instancetype)initWithAttachment:(VZStorageDeviceAttachment *)attachment
{
	vz_double_require(attachment, "the disk's attachment");
	self = [self initDouble];
	[self setValue:attachment of:@"attachment"];
	[self setValue:@"" of:@"blockDeviceIdentifier"];
	return self;
}

+ (BOOL)validateBlockDeviceIdentifier:(NSString *)blockDeviceIdentifier error:(NSError **)error
{
	vz_double_require(blockDeviceIdentifier, "the block device's identifier");
	if ([blockDeviceIdentifier canBeConvertedToEncoding:NSASCIIStringEncoding] &&
	    [blockDeviceIdentifier length] <= IDENTIFIER_MAX)
		return YES;
	return vz_double_fail(error, VZErrorInvalidVirtualMachineConfiguration,
			      @"The block device identifier must be at most 20 bytes of ASCII.");
}

- (NSString *)blockDeviceIdentifier
{
	return [self valueOf:@"blockDeviceIdentifier"];
}

- (void)setBlockDeviceIdentifier:(NSString *)blockDeviceIdentifier
{
	if (![VZVirtioBlockDeviceConfiguration validateBlockDeviceIdentifier:blockDeviceIdentifier error:NULL])
		vz_double_raise(@"'%@' is no block device identifier", blockDeviceIdentifier);
	[self setValue:[[blockDeviceIdentifier copy] autorelease] of:@"blockDeviceIdentifier"];
}

@end
