#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "double.h"
#include "link.h"

enum { MTU_MIN = 1500, MTU_MAX = 65535, MULTICAST = 1, LOCAL = 2 };

@implementation VZMACAddress

static bool parse(NSString *string, unsigned bytes[6])
{
	const char *text = [string UTF8String];
	int end = 0;

	return text && strlen(text) == 17 &&
	       sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &bytes[0], &bytes[1], &bytes[2], &bytes[3], &bytes[4],
		      &bytes[5], &end) == 6 &&
	       end == 17;
}

- (instancetype)initWithString:(NSString *)string
{
	unsigned bytes[6];

	vz_double_require(string, "the MAC address");
	self = [self initDouble];
	if (!parse(string, bytes)) {
		[self release];
		return nil;
	}
	[self setValue:[string lowercaseString] of:@"string"];
	return self;
}

+ (instancetype)randomLocallyAdministeredAddress
{
	NSMutableString *string = [NSMutableString stringWithString:@"0a"];

	for (int i = 0; i < 5; i++)
		[string appendFormat:@":%02x", (unsigned)random() & 0xff];
	return [[[VZMACAddress alloc] initWithString:string] autorelease];
}

- (NSString *)string
{
	return [self valueOf:@"string"];
}

- (unsigned)firstByte
{
	unsigned bytes[6] = {0};

	parse([self string], bytes);
	return bytes[0];
}

- (BOOL)isBroadcastAddress
{
	return [[self string] isEqualToString:@"ff:ff:ff:ff:ff:ff"];
}

- (BOOL)isMulticastAddress
{
	return ([self firstByte] & MULTICAST) != 0;
}

- (BOOL)isUnicastAddress
{
	return ![self isMulticastAddress];
}

- (BOOL)isLocallyAdministeredAddress
{
	return ([self firstByte] & LOCAL) != 0;
}

- (BOOL)isUniversallyAdministeredAddress
{
	return ![self isLocallyAdministeredAddress];
}

@end

@implementation VZNetworkDeviceAttachment
@end

@implementation VZNATNetworkDeviceAttachment

+ (BOOL)doubleHasInit
{
	return YES;
}

- (instancetype)init
{
	return [super init];
}

@end

@implementation VZFileHandleNetworkDeviceAttachment

/* A datagram socket that is connected. */
static bool is_fit(int fd)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	int type = 0;
	socklen_t size = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_DGRAM &&
	       getpeername(fd, (struct sockaddr *)&address, &length) == 0;
}

- (instancetype)initWithFileHandle:(NSFileHandle *)fileHandle
{
	vz_double_require(fileHandle, "the network's file handle");
	if (!is_fit([fileHandle fileDescriptor]))
		vz_double_raise(@"descriptor %d is no connected datagram socket", [fileHandle fileDescriptor]);
	self = [self initDouble];
	[self setValue:fileHandle of:@"fileHandle"];
	[self setMaximumTransmissionUnit:MTU_MIN];
	return self;
}

- (NSFileHandle *)fileHandle
{
	return [self valueOf:@"fileHandle"];
}

- (NSInteger)maximumTransmissionUnit
{
	return [[self valueOf:@"maximumTransmissionUnit"] integerValue];
}

- (void)setMaximumTransmissionUnit:(NSInteger)maximumTransmissionUnit
{
	[self setValue:[NSNumber numberWithInteger:maximumTransmissionUnit] of:@"maximumTransmissionUnit"];
}

@end

@implementation VZNetworkDeviceConfiguration

- (VZMACAddress *)MACAddress
{
	return [self valueOf:@"MACAddress"];
}

- (void)setMACAddress:(VZMACAddress *)MACAddress
{
	vz_double_require(MACAddress, "a network device's MAC address");
	[self setValue:[[MACAddress copy] autorelease] of:@"MACAddress"];
}

- (VZNetworkDeviceAttachment *)attachment
{
	return [self valueOf:@"attachment"];
}

- (void)setAttachment:(VZNetworkDeviceAttachment *)attachment
{
	[self setValue:attachment of:@"attachment"];
}

@end

@implementation VZVirtioNetworkDeviceConfiguration

+ (BOOL)doubleHasInit
{
	return YES;
}

- (instancetype)init
{
	self = [super init];
	[self setMACAddress:[VZMACAddress randomLocallyAdministeredAddress]];
	return self;
}

@end

/* ---- of a machine that has been made ---- */

@implementation VZNetworkDevice

- (instancetype)initWithAttachment:(VZNetworkDeviceAttachment *)attachment
			     queue:(dispatch_queue_t)queue
			     index:(unsigned)index
			      link:(struct vz_double_link *)theLink
{
	self = [self initDouble];
	link = link_retain(theLink);
	[self setValue:[NSValue valueWithPointer:queue] of:@"queue"];
	[self setValue:[NSNumber numberWithUnsignedInt:index] of:@"index"];
	[self setValue:attachment of:@"attachment"];
	return self;
}

- (VZNetworkDeviceAttachment *)attachment
{
	dispatch_assert_queue([[self valueOf:@"queue"] pointerValue]);
	return [self valueOf:@"attachment"];
}

- (void)plug:(BOOL)in
{
	struct wire_message message = {.type = in ? WIRE_PLUG : WIRE_UNPLUG,
				       .id = [[self valueOf:@"index"] unsignedIntValue]};

	link_send(link, &message);
}

- (void)setAttachment:(VZNetworkDeviceAttachment *)attachment
{
	id was = [self valueOf:@"first"];

	dispatch_assert_queue([[self valueOf:@"queue"] pointerValue]);
	/* QEMU underneath keeps the socket that it was started with. */
	if (attachment && was && attachment != was)
		vz_double_trap("the double can plug only the attachment that the machine was started with");
	[self setValue:attachment of:@"attachment"];
	[self plug:attachment != nil];
}

- (void)detach
{
	[self setValue:[self valueOf:@"attachment"] of:@"first"];
	[self setValue:nil of:@"attachment"];
	[self plug:NO];
}

@end

/* ---- for validateWithError: ---- */

@implementation VZNetworkDeviceConfiguration (Validation)

- (BOOL)validateWithError:(NSError **)error
{
	VZNetworkDeviceAttachment *attachment = [self attachment];
	NSInteger mtu = MTU_MIN;

	if (!attachment)
		return vz_double_fail(error, VZErrorInvalidVirtualMachineConfiguration,
				      @"A network device has no attachment.");
	if ([attachment isKindOfClass:[VZFileHandleNetworkDeviceAttachment class]])
		mtu = [(VZFileHandleNetworkDeviceAttachment *)attachment maximumTransmissionUnit];
	if (mtu < MTU_MIN || mtu > MTU_MAX)
		return vz_double_fail(error, VZErrorInvalidVirtualMachineConfiguration,
				      @"The maximum transmission unit is out of range.");
	return YES;
}

@end
