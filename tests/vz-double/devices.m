/* Boot loader, platform, entropy, balloon and serial ports. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "double.h"
#include "link.h"

enum { IDENTIFIER_SIZE = 16, MIB = 1 << 20 };

/* ---- boot loader ---- */

@implementation VZBootLoader
@end

@implementation VZLinuxBootLoader

- (instancetype)initWithKernelURL:(NSURL *)kernelURL
{
	self = [self initDouble];
	[self setKernelURL:kernelURL];
	[self setCommandLine:@""];
	return self;
}

- (NSURL *)kernelURL
{
	return [self valueOf:@"kernelURL"];
}

- (void)setKernelURL:(NSURL *)kernelURL
{
	vz_double_require_file(kernelURL, false, "the kernel's URL");
	[self setValue:[[kernelURL copy] autorelease] of:@"kernelURL"];
}

- (NSURL *)initialRamdiskURL
{
	return [self valueOf:@"initialRamdiskURL"];
}

- (void)setInitialRamdiskURL:(NSURL *)initialRamdiskURL
{
	if (initialRamdiskURL)
		vz_double_require_file(initialRamdiskURL, false, "the initial ramdisk's URL");
	[self setValue:[[initialRamdiskURL copy] autorelease] of:@"initialRamdiskURL"];
}

- (NSString *)commandLine
{
	return [self valueOf:@"commandLine"];
}

- (void)setCommandLine:(NSString *)commandLine
{
	vz_double_require(commandLine, "the kernel's command line");
	[self setValue:[[commandLine copy] autorelease] of:@"commandLine"];
}

@end

/* ---- platform ---- */

@implementation VZPlatformConfiguration
@end

@implementation VZGenericMachineIdentifier

+ (BOOL)doubleHasNew
{
	return YES;
}

- (instancetype)init
{
	unsigned char bytes[IDENTIFIER_SIZE];

	for (int i = 0; i < IDENTIFIER_SIZE; i++)
		bytes[i] = (unsigned char)random();
	return [self initWithDataRepresentation:[NSData dataWithBytes:bytes length:sizeof(bytes)]];
}

- (instancetype)initWithDataRepresentation:(NSData *)dataRepresentation
{
	vz_double_require(dataRepresentation, "a machine identifier's data");
	self = [self initDouble];
	if ([dataRepresentation length] != IDENTIFIER_SIZE) {
		[self release];
		return nil;
	}
	[self setValue:[[dataRepresentation copy] autorelease] of:@"dataRepresentation"];
	return self;
}

- (NSData *)dataRepresentation
{
	return [self valueOf:@"dataRepresentation"];
}

@end

@implementation VZGenericPlatformConfiguration

+ (BOOL)doubleHasInit
{
	return YES;
}

+ (BOOL)isNestedVirtualizationSupported
{
	return NO;
}

- (instancetype)init
{
	self = [super init];
	[self setMachineIdentifier:[[[VZGenericMachineIdentifier alloc] init] autorelease]];
	return self;
}

- (VZGenericMachineIdentifier *)machineIdentifier
{
	return [self valueOf:@"machineIdentifier"];
}

- (void)setMachineIdentifier:(VZGenericMachineIdentifier *)machineIdentifier
{
	vz_double_require(machineIdentifier, "the machine identifier");
	[self setValue:[[machineIdentifier copy] autorelease] of:@"machineIdentifier"];
}

- (BOOL)isNestedVirtualizationEnabled
{
	return [[self valueOf:@"nestedVirtualizationEnabled"] boolValue];
}

- (void)setNestedVirtualizationEnabled:(BOOL)nestedVirtualizationEnabled
{
	[self setValue:[NSNumber numberWithBool:nestedVirtualizationEnabled] of:@"nestedVirtualizationEnabled"];
}

@end

/* ---- entropy and balloon ---- */

@implementation VZEntropyDeviceConfiguration
@end

@implementation VZVirtioEntropyDeviceConfiguration

+ (BOOL)doubleHasInit
{
	return YES;
}

- (instancetype)init
{
	return [super init];
}

@end

@implementation VZMemoryBalloonDeviceConfiguration
@end

@implementation VZVirtioTraditionalMemoryBalloonDeviceConfiguration

+ (BOOL)doubleHasInit
{
	return YES;
}

- (instancetype)init
{
	return [super init];
}

@end

@implementation VZMemoryBalloonDevice
@end

@implementation VZVirtioTraditionalMemoryBalloonDevice

- (instancetype)initWithSize:(uint64_t)size queue:(dispatch_queue_t)queue link:(struct vz_double_link *)theLink
{
	self = [self initDouble];
	link = link_retain(theLink);
	[self setValue:[NSValue valueWithPointer:queue] of:@"queue"];
	[self setValue:[NSNumber numberWithUnsignedLongLong:size] of:@"size"];
	[self setValue:[NSNumber numberWithUnsignedLongLong:size] of:@"target"];
	return self;
}

- (uint64_t)targetVirtualMachineMemorySize
{
	dispatch_assert_queue([[self valueOf:@"queue"] pointerValue]);
	return [[self valueOf:@"target"] unsignedLongLongValue];
}

- (void)setTargetVirtualMachineMemorySize:(uint64_t)target
{
	uint64_t least = [VZVirtualMachineConfiguration minimumAllowedMemorySize];
	uint64_t most = [[self valueOf:@"size"] unsignedLongLongValue];
	struct wire_message message = {.type = WIRE_BALLOON};

	dispatch_assert_queue([[self valueOf:@"queue"] pointerValue]);
	target = target / MIB * MIB;
	target = target < least ? least : target > most ? most : target;
	[self setValue:[NSNumber numberWithUnsignedLongLong:target] of:@"target"];
	message.id = (uint32_t)(target / MIB);
	link_send(link, &message);
}

@end

/* ---- serial ports ---- */

@implementation VZSerialPortAttachment
@end

@implementation VZFileHandleSerialPortAttachment

- (instancetype)initWithFileHandleForReading:(NSFileHandle *)fileHandleForReading
			fileHandleForWriting:(NSFileHandle *)fileHandleForWriting
{
	if (fileHandleForReading && fcntl([fileHandleForReading fileDescriptor], F_GETFD) < 0)
		vz_double_raise(@"the serial port's handle for reading has no valid descriptor");
	if (fileHandleForWriting && fcntl([fileHandleForWriting fileDescriptor], F_GETFD) < 0)
		vz_double_raise(@"the serial port's handle for writing has no valid descriptor");
	self = [self initDouble];
	[self setValue:fileHandleForReading of:@"reading"];
	[self setValue:fileHandleForWriting of:@"writing"];
	return self;
}

- (NSFileHandle *)fileHandleForReading
{
	return [self valueOf:@"reading"];
}

- (NSFileHandle *)fileHandleForWriting
{
	return [self valueOf:@"writing"];
}

@end

@implementation VZFileSerialPortAttachment

- (instancetype)initWithURL:(NSURL *)url append:(BOOL)shouldAppend error:(NSError **)error
{
	int fd;

	vz_double_require(url, "the serial port's URL");
	self = [self initDouble];
	fd = open([[url path] fileSystemRepresentation],
		  O_WRONLY | O_CREAT | O_CLOEXEC | (shouldAppend ? O_APPEND : O_TRUNC), 0644);
	if (fd < 0) {
		vz_double_fail(error, VZErrorInternal, @"The serial port's file cannot be opened.");
		[self release];
		return nil;
	}
	[self setValue:[[[NSFileHandle alloc] initWithFileDescriptor:fd closeOnDealloc:YES] autorelease] of:@"writing"];
	[self setValue:[[url copy] autorelease] of:@"URL"];
	[self setValue:[NSNumber numberWithBool:shouldAppend] of:@"append"];
	return self;
}

- (NSURL *)URL
{
	return [self valueOf:@"URL"];
}

- (BOOL)append
{
	return [[self valueOf:@"append"] boolValue];
}

@end

@implementation VZSerialPortConfiguration

- (VZSerialPortAttachment *)attachment
{
	return [self valueOf:@"attachment"];
}

- (void)setAttachment:(VZSerialPortAttachment *)attachment
{
	[self setValue:attachment of:@"attachment"];
}

@end

@implementation VZVirtioConsoleDeviceSerialPortConfiguration

+ (BOOL)doubleHasInit
{
	return YES;
}

- (instancetype)init
{
	return [super init];
}

@end
