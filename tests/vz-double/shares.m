/* Folders of the host, and Rosetta. */
#include <stdlib.h>
#include <string.h>

#include "double.h"

enum { TAG_MAX = 35, NAME_MAX_BYTES = 255, SOCKET_PATH_MAX = 107 };

@implementation VZSharedDirectory

- (instancetype)initWithURL:(NSURL *)url readOnly:(BOOL)readOnly
{
	vz_double_require_file(url, true, "the shared directory's URL");
	self = [self initDouble];
	[self setValue:[[url copy] autorelease] of:@"URL"];
	[self setValue:[NSNumber numberWithBool:readOnly] of:@"readOnly"];
	return self;
}

- (NSURL *)URL
{
	return [self valueOf:@"URL"];
}

- (BOOL)isReadOnly
{
	return [[self valueOf:@"readOnly"] boolValue];
}

@end

@implementation VZDirectoryShare
@end

@implementation VZSingleDirectoryShare

- (instancetype)initWithDirectory:(VZSharedDirectory *)directory
{
	vz_double_require(directory, "the share's directory");
	self = [self initDouble];
	[self setValue:directory of:@"directory"];
	return self;
}

- (VZSharedDirectory *)directory
{
	return [self valueOf:@"directory"];
}

@end

@implementation VZMultipleDirectoryShare

+ (BOOL)doubleHasInit
{
	return YES;
}

+ (BOOL)validateName:(NSString *)name error:(NSError **)error
{
	const char *text;

	vz_double_require(name, "a shared directory's name");
	text = [name UTF8String];
	if (text && *text && strlen(text) <= NAME_MAX_BYTES && !strchr(text, '/') && strcmp(text, ".") != 0 &&
	    strcmp(text, "..") != 0)
		return YES;
	return vz_double_fail(error, VZErrorInvalidVirtualMachineConfiguration,
			      @"The name of a shared directory is not valid.");
}

+ (NSString *)canonicalizedNameFromName:(NSString *)name
{
	NSString *canonical = [name stringByReplacingOccurrencesOfString:@"/" withString:@"_"];

	return [self validateName:canonical error:NULL] ? canonical : nil;
}

- (instancetype)init
{
	return [self initWithDirectories:[NSDictionary dictionary]];
}

- (instancetype)initWithDirectories:(NSDictionary *)directories
{
	vz_double_require(directories, "the share's directories");
	for (NSString *name in directories)
		if (![VZMultipleDirectoryShare validateName:name error:NULL])
			vz_double_raise(@"'%@' is no name of a shared directory", name);
	self = [self initDouble];
	[self setValue:[[directories copy] autorelease] of:@"directories"];
	return self;
}

- (NSDictionary *)directories
{
	return [self valueOf:@"directories"];
}

@end

@implementation VZDirectorySharingDeviceConfiguration
@end

@implementation VZVirtioFileSystemDeviceConfiguration

+ (BOOL)validateTag:(NSString *)tag error:(NSError **)error
{
	size_t length;

	vz_double_require(tag, "a file system's tag");
	length = [tag lengthOfBytesUsingEncoding:NSUTF8StringEncoding];
	if (length >= 1 && length <= TAG_MAX)
		return YES;
	return vz_double_fail(error, VZErrorInvalidVirtualMachineConfiguration,
			      @"The tag must have 1 to 35 bytes of UTF-8.");
}

- (instancetype)initWithTag:(NSString *)tag
{
	self = [self initDouble];
	[self setTag:tag];
	return self;
}

- (NSString *)tag
{
	return [self valueOf:@"tag"];
}

- (void)setTag:(NSString *)tag
{
	if (![VZVirtioFileSystemDeviceConfiguration validateTag:tag error:NULL])
		vz_double_raise(@"'%@' is no tag of a file system", tag);
	[self setValue:[[tag copy] autorelease] of:@"tag"];
}

- (VZDirectoryShare *)share
{
	return [self valueOf:@"share"];
}

- (void)setShare:(VZDirectoryShare *)share
{
	[self setValue:share of:@"share"];
}

@end

/* ---- of a machine that has been made ---- */

@implementation VZDirectorySharingDevice
@end

@implementation VZVirtioFileSystemDevice

- (instancetype)initWithConfiguration:(VZVirtioFileSystemDeviceConfiguration *)configuration
				queue:(dispatch_queue_t)queue
{
	self = [self initDouble];
	[self setValue:[NSValue valueWithPointer:queue] of:@"queue"];
	[self setValue:[configuration tag] of:@"tag"];
	[self setValue:[configuration share] of:@"share"];
	return self;
}

- (NSString *)tag
{
	return [self valueOf:@"tag"];
}

- (VZDirectoryShare *)share
{
	dispatch_assert_queue([[self valueOf:@"queue"] pointerValue]);
	return [self valueOf:@"share"];
}

- (void)setShare:(VZDirectoryShare *)share
{
	dispatch_assert_queue([[self valueOf:@"queue"] pointerValue]);
	if ([share isKindOfClass:[VZLinuxRosettaDirectoryShare class]])
		vz_double_raise(@"Rosetta's share cannot be given to a device of a machine that has been made");
	vz_double_trap("the double cannot replace a share; virtiofsd underneath keeps what it was started with");
}

@end

/* ---- Rosetta ---- */

@implementation VZLinuxRosettaCachingOptions
@end

@implementation VZLinuxRosettaUnixSocketCachingOptions

+ (NSUInteger)maximumPathLength
{
	return SOCKET_PATH_MAX;
}

+ (BOOL)doubleHasInit
{
	return YES;
}

- (instancetype)init
{
	return [self initWithPath:@"/run/rosettad/rosetta.sock" error:NULL];
}

- (instancetype)initWithPath:(NSString *)path error:(NSError **)error
{
	vz_double_require(path, "the path of Rosetta's socket");
	self = [self initDouble];
	if (![path isAbsolutePath] || [path lengthOfBytesUsingEncoding:NSUTF8StringEncoding] > SOCKET_PATH_MAX) {
		vz_double_fail(error, VZErrorInvalidVirtualMachineConfiguration, @"The socket's path is not valid.");
		[self release];
		return nil;
	}
	[self setValue:[[path copy] autorelease] of:@"path"];
	return self;
}

- (NSString *)path
{
	return [self valueOf:@"path"];
}

@end

@implementation VZLinuxRosettaDirectoryShare

/* This machine has none unless told so: what stands in for it lies in a folder as `rosetta`. */
static const char *folder(void)
{
	return getenv("MVM_VZ_DOUBLE_ROSETTA");
}

/* Installed is for all processes, so it is a file. */
static NSString *installed(void)
{
	return [NSString stringWithFormat:@"%s/.installed", folder()];
}

+ (VZLinuxRosettaAvailability)availability
{
	bool late = vz_double_fault("rosetta-not-installed") || vz_double_fault("rosetta-refused");

	if (!folder() || vz_double_fault("rosetta-missing"))
		return VZLinuxRosettaAvailabilityNotSupported;
	if (late && ![[NSFileManager defaultManager] fileExistsAtPath:installed()])
		return VZLinuxRosettaAvailabilityNotInstalled;
	return VZLinuxRosettaAvailabilityInstalled;
}

static NSError *install(void)
{
	if ([VZLinuxRosettaDirectoryShare availability] == VZLinuxRosettaAvailabilityNotSupported)
		return vz_double_error(VZErrorNotSupported, @"Rosetta is not supported on this system.");
	if (vz_double_fault("rosetta-refused"))
		return vz_double_error(VZErrorOperationCancelled, @"The installation was cancelled.");
	if (![[NSFileManager defaultManager] createFileAtPath:installed() contents:[NSData data] attributes:nil])
		return vz_double_error(VZErrorOutOfDiskSpace, @"There is no room for Rosetta.");
	return nil;
}

/* The handler runs on any thread: on a queue of its own, which nobody expects. */
+ (void)installRosettaWithCompletionHandler:(void (^)(NSError *))completionHandler
{
	dispatch_queue_t queue = dispatch_queue_create("vz-double.rosetta", DISPATCH_QUEUE_SERIAL);

	dispatch_async(queue, ^{
	  @autoreleasepool {
		  completionHandler(install());
	  }
	});
	dispatch_release(queue);
}

- (instancetype)initWithError:(NSError **)error
{
	self = [self initDouble];
	if ([VZLinuxRosettaDirectoryShare availability] == VZLinuxRosettaAvailabilityInstalled) {
		[self setValue:[NSString stringWithUTF8String:folder()] of:@"folder"];
		return self;
	}
	vz_double_fail(error, VZErrorNotSupported, @"Rosetta is not installed.");
	[self release];
	return nil;
}

- (VZLinuxRosettaCachingOptions *)options
{
	return [self valueOf:@"options"];
}

- (void)setOptions:(VZLinuxRosettaCachingOptions *)options
{
	[self setValue:options of:@"options"];
}

@end
