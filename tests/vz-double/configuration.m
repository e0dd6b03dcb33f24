#include <unistd.h>

#include "double.h"

enum { MIB = 1 << 20, MEMORY_MIN = 4 * MIB, SERIAL_PORTS_MAX = 1 };

@interface VZNetworkDeviceConfiguration (Validation)
- (BOOL)validateWithError:(NSError **)error;
@end

@implementation VZVirtualMachineConfiguration

+ (BOOL)doubleHasNew
{
	return YES;
}

+ (BOOL)doubleHasInit
{
	return YES;
}

+ (NSUInteger)minimumAllowedCPUCount
{
	return 1;
}

+ (NSUInteger)maximumAllowedCPUCount
{
	return (NSUInteger)sysconf(_SC_NPROCESSORS_ONLN);
}

+ (uint64_t)minimumAllowedMemorySize
{
	return MEMORY_MIN;
}

+ (uint64_t)maximumAllowedMemorySize
{
	return (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / MIB * MIB;
}

static NSString *const lists[] = {@"directorySharingDevices", @"entropyDevices", @"memoryBalloonDevices",
				  @"networkDevices",	      @"serialPorts",	 @"socketDevices",
				  @"storageDevices"};

- (instancetype)init
{
	self = [super init];
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		[self setValue:[NSArray array] of:lists[i]];
	[self setPlatform:[[[VZGenericPlatformConfiguration alloc] init] autorelease]];
	[self setCPUCount:1];
	return self;
}

/* With all devices, so that what is changed later changes nothing for a machine. */
- (id)copyWithZone:(NSZone *)zone
{
	VZVirtualMachineConfiguration *copy = [super copyWithZone:zone];

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		[copy setValue:[[[NSArray alloc] initWithArray:[self valueOf:lists[i]] copyItems:YES] autorelease]
			    of:lists[i]];
	[copy setValue:[[[self bootLoader] copy] autorelease] of:@"bootLoader"];
	[copy setValue:[[[self platform] copy] autorelease] of:@"platform"];
	return copy;
}

- (void)set:(NSString *)name to:(NSArray *)list of:(Class)class
{
	vz_double_require(list, [name UTF8String]);
	for (id item in list)
		if (![item isKindOfClass:class])
			vz_double_raise(@"%@ holds a %@", name, NSStringFromClass([item class]));
	[self setValue:[[list copy] autorelease] of:name];
}

- (VZBootLoader *)bootLoader
{
	return [self valueOf:@"bootLoader"];
}

- (void)setBootLoader:(VZBootLoader *)bootLoader
{
	[self setValue:bootLoader of:@"bootLoader"];
}

- (NSUInteger)CPUCount
{
	return [[self valueOf:@"CPUCount"] unsignedIntegerValue];
}

- (void)setCPUCount:(NSUInteger)CPUCount
{
	[self setValue:[NSNumber numberWithUnsignedInteger:CPUCount] of:@"CPUCount"];
}

- (uint64_t)memorySize
{
	return [[self valueOf:@"memorySize"] unsignedLongLongValue];
}

- (void)setMemorySize:(uint64_t)memorySize
{
	[self setValue:[NSNumber numberWithUnsignedLongLong:memorySize] of:@"memorySize"];
}

- (VZPlatformConfiguration *)platform
{
	return [self valueOf:@"platform"];
}

- (void)setPlatform:(VZPlatformConfiguration *)platform
{
	vz_double_require(platform, "the platform");
	[self setValue:platform of:@"platform"];
}

- (NSArray *)directorySharingDevices
{
	return [self valueOf:@"directorySharingDevices"];
}

- (void)setDirectorySharingDevices:(NSArray *)directorySharingDevices
{
	[self set:@"directorySharingDevices"
		to:directorySharingDevices
		of:[VZDirectorySharingDeviceConfiguration class]];
}

- (NSArray *)entropyDevices
{
	return [self valueOf:@"entropyDevices"];
}

- (void)setEntropyDevices:(NSArray *)entropyDevices
{
	[self set:@"entropyDevices" to:entropyDevices of:[VZEntropyDeviceConfiguration class]];
}

- (NSArray *)memoryBalloonDevices
{
	return [self valueOf:@"memoryBalloonDevices"];
}

- (void)setMemoryBalloonDevices:(NSArray *)memoryBalloonDevices
{
	[self set:@"memoryBalloonDevices" to:memoryBalloonDevices of:[VZMemoryBalloonDeviceConfiguration class]];
}

- (NSArray *)networkDevices
{
	return [self valueOf:@"networkDevices"];
}

- (void)setNetworkDevices:(NSArray *)networkDevices
{
	[self set:@"networkDevices" to:networkDevices of:[VZNetworkDeviceConfiguration class]];
}

- (NSArray *)serialPorts
{
	return [self valueOf:@"serialPorts"];
}

- (void)setSerialPorts:(NSArray *)serialPorts
{
	[self set:@"serialPorts" to:serialPorts of:[VZSerialPortConfiguration class]];
}

- (NSArray *)socketDevices
{
	return [self valueOf:@"socketDevices"];
}

- (void)setSocketDevices:(NSArray *)socketDevices
{
	[self set:@"socketDevices" to:socketDevices of:[VZSocketDeviceConfiguration class]];
}

- (NSArray *)storageDevices
{
	return [self valueOf:@"storageDevices"];
}

- (void)setStorageDevices:(NSArray *)storageDevices
{
	[self set:@"storageDevices" to:storageDevices of:[VZStorageDeviceConfiguration class]];
}

/* ---- validation ---- */

static BOOL invalid(NSError **error, NSString *reason)
{
	return vz_double_fail(error, VZErrorInvalidVirtualMachineConfiguration, reason);
}

- (BOOL)validateProcessor:(NSError **)error
{
	uint64_t memory = [self memorySize];
	NSUInteger cpus = [self CPUCount];

	if (cpus < [VZVirtualMachineConfiguration minimumAllowedCPUCount] ||
	    cpus > [VZVirtualMachineConfiguration maximumAllowedCPUCount])
		return invalid(error, @"The number of CPUs is out of range.");
	if (memory % MIB != 0)
		return invalid(error, @"The memory size is not a multiple of 1 MiB.");
	if (memory < [VZVirtualMachineConfiguration minimumAllowedMemorySize] ||
	    memory > [VZVirtualMachineConfiguration maximumAllowedMemorySize])
		return invalid(error, @"The memory size is out of range.");
	return YES;
}

- (BOOL)validateShares:(NSError **)error
{
	NSMutableSet *tags = [NSMutableSet set];

	for (VZVirtioFileSystemDeviceConfiguration *device in [self directorySharingDevices]) {
		if ([tags containsObject:[device tag]])
			return invalid(error, @"Two directory sharing devices have the same tag.");
		[tags addObject:[device tag]];
	}
	return YES;
}

- (BOOL)validateWithError:(NSError **)error
{
	if (![self bootLoader])
		return invalid(error, @"There is no boot loader.");
	if ([[self memoryBalloonDevices] count] > 1)
		return invalid(error, @"There is more than one memory balloon device.");
	if ([[self socketDevices] count] > 1)
		return invalid(error, @"There is more than one socket device.");
	/* The double's own limit: QEMU underneath is given one console. */
	if ([[self serialPorts] count] > SERIAL_PORTS_MAX)
		return invalid(error, @"The double has one serial port.");
	for (VZNetworkDeviceConfiguration *device in [self networkDevices])
		if (![device validateWithError:error])
			return NO;
	return [self validateProcessor:error] && [self validateShares:error];
}

@end
