#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "double.h"
#include "link.h"

/* What macOS calls ECONNRESET, whatever number it has here. */
enum { RESET_ON_MACOS = 54, FIRST_PORT_OF_HOST = 49152 };

@implementation VZSocketDeviceConfiguration
@end

@implementation VZVirtioSocketDeviceConfiguration

+ (BOOL)doubleHasInit
{
	return YES;
}

- (instancetype)init
{
	return [super init];
}

@end

/* ---- connections ---- */

@implementation VZVirtioSocketConnection

static unsigned long long inode_of(int fd)
{
	struct stat status;

	return fstat(fd, &status) < 0 ? 0 : status.st_ino;
}

- (instancetype)initWithDescriptor:(int)fd source:(uint32_t)source destination:(uint32_t)destination
{
	self = [self initDouble];
	[self setValue:[NSNumber numberWithInt:fd] of:@"fd"];
	[self setValue:[NSNumber numberWithUnsignedLongLong:inode_of(fd)] of:@"inode"];
	[self setValue:[NSNumber numberWithUnsignedInt:source] of:@"source"];
	[self setValue:[NSNumber numberWithUnsignedInt:destination] of:@"destination"];
	return self;
}

- (int)fileDescriptor
{
	return [[self valueOf:@"fd"] intValue];
}

- (uint32_t)sourcePort
{
	return [[self valueOf:@"source"] unsignedIntValue];
}

- (uint32_t)destinationPort
{
	return [[self valueOf:@"destination"] unsignedIntValue];
}

/* The descriptor is this object's: who closed it meanwhile closes somebody else's now and then. */
- (void)close
{
	int fd = [self fileDescriptor];

	if (fd < 0)
		return;
	if (inode_of(fd) != [[self valueOf:@"inode"] unsignedLongLongValue])
		vz_double_trap("the descriptor %d of a VZVirtioSocketConnection was closed by somebody else", fd);
	close(fd);
	[self setValue:[NSNumber numberWithInt:-1] of:@"fd"];
}

- (void)dealloc
{
	[self close];
	[super dealloc];
}

@end

/* ---- listeners ---- */

@implementation VZVirtioSocketListener

+ (BOOL)doubleHasNew
{
	return YES;
}

+ (BOOL)doubleHasInit
{
	return YES;
}

- (id<VZVirtioSocketListenerDelegate>)delegate
{
	return vz_double_load_weak(&weak);
}

- (void)setDelegate:(id<VZVirtioSocketListenerDelegate>)delegate
{
	vz_double_store_weak(&weak, delegate);
}

- (void)dealloc
{
	vz_double_store_weak(&weak, nil);
	[super dealloc];
}

@end

/* ---- the device ---- */

@implementation VZSocketDevice
@end

@implementation VZVirtioSocketDevice

- (instancetype)initWithQueue:(dispatch_queue_t)queue link:(struct vz_double_link *)theLink
{
	self = [self initDouble];
	link = link_retain(theLink);
	[self setValue:[NSValue valueWithPointer:queue] of:@"queue"];
	[self setValue:[NSMutableDictionary dictionary] of:@"listeners"];
	[self setValue:[NSMutableDictionary dictionary] of:@"waiting"];
	[self setValue:[NSNumber numberWithUnsignedInt:0] of:@"last"];
	return self;
}

- (void)onQueue
{
	dispatch_assert_queue([[self valueOf:@"queue"] pointerValue]);
}

- (void)setSocketListener:(VZVirtioSocketListener *)listener forPort:(uint32_t)port
{
	[self onQueue];
	vz_double_require(listener, "the socket listener");
	[[self valueOf:@"listeners"] setObject:listener forKey:[NSNumber numberWithUnsignedInt:port]];
	link_listen(link, port);
}

- (void)removeSocketListenerForPort:(uint32_t)port
{
	struct wire_message message = {.type = WIRE_UNLISTEN, .port = port};

	[self onQueue];
	[[self valueOf:@"listeners"] removeObjectForKey:[NSNumber numberWithUnsignedInt:port]];
	link_send(link, &message);
}

/* Listeners that were set before there was a process. */
- (void)begin
{
	[self setValue:[NSNumber numberWithBool:YES] of:@"running"];
	for (NSNumber *port in [self valueOf:@"listeners"])
		link_listen(link, [port unsignedIntValue]);
}

- (void)takeConnection:(int)fd toPort:(uint32_t)port
{
	VZVirtioSocketListener *listener =
		[[self valueOf:@"listeners"] objectForKey:[NSNumber numberWithUnsignedInt:port]];
	VZVirtioSocketConnection *connection = [[[VZVirtioSocketConnection alloc] initWithDescriptor:fd
											      source:0
											 destination:port] autorelease];
	id<VZVirtioSocketListenerDelegate> delegate = [listener delegate];

	if (![delegate respondsToSelector:@selector(listener:shouldAcceptNewConnection:fromSocketDevice:)] ||
	    ![delegate listener:listener shouldAcceptNewConnection:connection fromSocketDevice:self])
		[connection close];
}

- (void)connectToPort:(uint32_t)port
	completionHandler:(void (^)(VZVirtioSocketConnection *, NSError *))completionHandler
{
	uint32_t identifier = [[self valueOf:@"last"] unsignedIntValue] + 1;
	struct wire_message message = {.type = WIRE_CONNECT, .id = identifier, .port = port};
	void *handler = Block_copy(completionHandler);
	NSArray *waiting = [NSArray
		arrayWithObjects:[NSValue valueWithPointer:handler], [NSNumber numberWithUnsignedInt:port], nil];

	[self onQueue];
	[self setValue:[NSNumber numberWithUnsignedInt:identifier] of:@"last"];
	[[self valueOf:@"waiting"] setObject:waiting forKey:[NSNumber numberWithUnsignedInt:identifier]];
	if (vz_double_fault("connect-silent"))
		return;
	if ([[self valueOf:@"running"] boolValue]) {
		link_send(link, &message);
		return;
	}
	[self retain];
	dispatch_async([[self valueOf:@"queue"] pointerValue], ^{
	  [self answer:identifier connection:-1];
	  [self release];
	});
}

- (void)answer:(uint32_t)identifier connection:(int)fd
{
	NSNumber *key = [NSNumber numberWithUnsignedInt:identifier];
	NSArray *waiting = [[[[self valueOf:@"waiting"] objectForKey:key] retain] autorelease];
	void (^handler)(VZVirtioSocketConnection *, NSError *) = [[waiting objectAtIndex:0] pointerValue];
	VZVirtioSocketConnection *connection = nil;
	NSError *error = nil;

	if (!waiting)
		return;
	[[self valueOf:@"waiting"] removeObjectForKey:key];
	if (fd >= 0)
		connection = [[[VZVirtioSocketConnection alloc]
			initWithDescriptor:fd
				    source:FIRST_PORT_OF_HOST + identifier
			       destination:[[waiting objectAtIndex:1] unsignedIntValue]] autorelease];
	else
		error = [NSError errorWithDomain:NSPOSIXErrorDomain code:RESET_ON_MACOS userInfo:nil];
	handler(connection, error);
	Block_release(handler);
}

- (void)end
{
	[self setValue:nil of:@"running"];
	if (vz_double_fault("connect-silent"))
		return;
	for (NSNumber *identifier in [[self valueOf:@"waiting"] allKeys])
		[self answer:[identifier unsignedIntValue] connection:-1];
}

- (void)dealloc
{
	for (NSNumber *identifier in [self valueOf:@"waiting"])
		Block_release([[[[self valueOf:@"waiting"] objectForKey:identifier] objectAtIndex:0] pointerValue]);
	[super dealloc];
}

@end
