/*
 * Theory of operation: the machine's process (link.h) says what happens; here it moves the state and calls whom it
 * concerns, on the machine's queue. Everything else is refused off that queue.
 */
#include <string.h>

#include "double.h"
#include "link.h"

@interface VZVirtualMachine (Double) <VZDoubleLinkOwner>
@end

@implementation VZVirtualMachine

+ (BOOL)isSupported
{
	return YES;
}

- (instancetype)initWithConfiguration:(VZVirtualMachineConfiguration *)configuration
{
	vz_double_trap("there is no main queue here: initWithConfiguration:queue: is what mvm uses");
	return [self initWithConfiguration:configuration queue:NULL];
}

static NSMutableArray *make_networks(VZVirtualMachineConfiguration *configuration, dispatch_queue_t queue,
				     struct vz_double_link *link)
{
	NSMutableArray *devices = [NSMutableArray array];
	unsigned index = 0;

	for (VZNetworkDeviceConfiguration *device in [configuration networkDevices])
		[devices addObject:[[[VZNetworkDevice alloc] initWithAttachment:[device attachment]
									  queue:queue
									  index:index++
									   link:link] autorelease]];
	return devices;
}

- (void)makeDevicesOf:(VZVirtualMachineConfiguration *)configuration
{
	NSMutableArray *sockets = [NSMutableArray array], *balloons = [NSMutableArray array];
	NSMutableArray *shares = [NSMutableArray array];
	dispatch_queue_t queue = [self queue];

	if ([[configuration socketDevices] count])
		[sockets addObject:[[[VZVirtioSocketDevice alloc] initWithQueue:queue link:link] autorelease]];
	if ([[configuration memoryBalloonDevices] count])
		[balloons addObject:[[[VZVirtioTraditionalMemoryBalloonDevice alloc]
					    initWithSize:[configuration memorySize]
						   queue:queue
						    link:link] autorelease]];
	for (VZVirtioFileSystemDeviceConfiguration *device in [configuration directorySharingDevices])
		[shares addObject:[[[VZVirtioFileSystemDevice alloc] initWithConfiguration:device
										     queue:queue] autorelease]];
	[self setValue:sockets of:@"socketDevices"];
	[self setValue:balloons of:@"memoryBalloonDevices"];
	[self setValue:shares of:@"directorySharingDevices"];
	[self setValue:make_networks(configuration, queue, link) of:@"networkDevices"];
}

- (instancetype)initWithConfiguration:(VZVirtualMachineConfiguration *)configuration queue:(dispatch_queue_t)queue
{
	NSError *error = nil;

	vz_double_require(configuration, "the configuration");
	if (!queue)
		vz_double_raise(@"the queue must not be nil");
	if (![configuration validateWithError:&error])
		vz_double_raise(@"the configuration is not valid: %@", [error localizedDescription]);
	self = [self initDouble];
	configuration = [[configuration copy] autorelease];
	link = link_create(queue, self);
	[self setValue:configuration of:@"configuration"];
	[self setValue:[NSValue valueWithPointer:queue] of:@"queue"];
	[self makeDevicesOf:configuration];
	return self;
}

- (void)dealloc
{
	/* What was started is taken apart on its queue, or it is taken apart under the hands of its queue. */
	if ([[self valueOf:@"started"] boolValue])
		[self onQueue];
	vz_double_store_weak(&weak, nil);
	link_forget(link);
	[super dealloc];
}

- (dispatch_queue_t)queue
{
	return [[self valueOf:@"queue"] pointerValue];
}

- (void)onQueue
{
	dispatch_assert_queue([self queue]);
}

/* ---- what it is made of ---- */

- (NSArray *)list:(NSString *)name
{
	[self onQueue];
	return [[[self valueOf:name] copy] autorelease];
}

- (NSArray *)socketDevices
{
	return [self list:@"socketDevices"];
}

- (NSArray *)memoryBalloonDevices
{
	return [self list:@"memoryBalloonDevices"];
}

- (NSArray *)networkDevices
{
	return [self list:@"networkDevices"];
}

- (NSArray *)directorySharingDevices
{
	return [self list:@"directorySharingDevices"];
}

- (VZVirtioSocketDevice *)sockets
{
	return [[self valueOf:@"socketDevices"] lastObject];
}

- (id<VZVirtualMachineDelegate>)delegate
{
	[self onQueue];
	return vz_double_load_weak(&weak);
}

- (void)setDelegate:(id<VZVirtualMachineDelegate>)delegate
{
	[self onQueue];
	vz_double_store_weak(&weak, delegate);
}

/* ---- state ---- */

- (VZVirtualMachineState)state
{
	[self onQueue];
	return [[self valueOf:@"state"] integerValue];
}

- (void)move:(VZVirtualMachineState)state
{
	[self setValue:[NSNumber numberWithInteger:state] of:@"state"];
}

- (BOOL)canStart
{
	return [self state] == VZVirtualMachineStateStopped || [self state] == VZVirtualMachineStateError;
}

- (BOOL)canStop
{
	return [self state] == VZVirtualMachineStateRunning || [self state] == VZVirtualMachineStatePaused;
}

- (BOOL)canPause
{
	return [self state] == VZVirtualMachineStateRunning;
}

- (BOOL)canResume
{
	return [self state] == VZVirtualMachineStatePaused;
}

- (BOOL)canRequestStop
{
	return [self state] == VZVirtualMachineStateRunning;
}

/* ---- what is asked ---- */

- (void)complete:(void (^)(NSError *))handler with:(NSError *)error
{
	void (^copy)(NSError *) = Block_copy(handler);

	[error retain];
	dispatch_async([self queue], ^{
	  copy(error);
	  [error release];
	  Block_release(copy);
	});
}

/* Keeps the handler of what is under way; only one thing is at a time. */
- (void)keep:(void (^)(NSError *))handler
{
	[self setValue:[NSValue valueWithPointer:Block_copy(handler)] of:@"handler"];
}

- (void)finishWith:(NSError *)error
{
	void (^handler)(NSError *) = [[self valueOf:@"handler"] pointerValue];

	[self setValue:nil of:@"handler"];
	if (!handler)
		return;
	handler(error);
	Block_release(handler);
}

- (void)ask:(enum wire_type)type when:(BOOL)can moving:(VZVirtualMachineState)state then:(void (^)(NSError *))handler
{
	struct wire_message message = {.type = type};

	if (!can || [self valueOf:@"handler"]) {
		[self complete:handler
			  with:vz_double_error(VZErrorInvalidVirtualMachineStateTransition,
					       @"Transition from the current state is not possible.")];
		return;
	}
	[self move:state];
	[self keep:handler];
	link_send(link, &message);
}

- (void)startWithCompletionHandler:(void (^)(NSError *))completionHandler
{
	NSMutableArray *descriptors = [NSMutableArray array];
	NSDictionary *description = vz_double_describe([self valueOf:@"configuration"], descriptors);
	NSString *reason = @"Internal Virtualization error. The virtual machine failed to start.";

	if (![self canStart]) {
		[self complete:completionHandler
			  with:vz_double_error(VZErrorInvalidVirtualMachineStateTransition,
					       @"The virtual machine is not stopped.")];
		return;
	}
	[self setValue:[NSNumber numberWithBool:YES] of:@"started"];
	if (vz_double_fault("start-fails") || !link_start(link, description, descriptors, &reason)) {
		[self move:VZVirtualMachineStateError];
		[self complete:completionHandler with:vz_double_error(VZErrorInternal, reason)];
		return;
	}
	[self move:VZVirtualMachineStateStarting];
	[self keep:completionHandler];
	[[self sockets] begin];
}

- (void)stopWithCompletionHandler:(void (^)(NSError *))completionHandler
{
	[self ask:WIRE_STOP when:[self canStop] moving:VZVirtualMachineStateStopping then:completionHandler];
}

- (void)pauseWithCompletionHandler:(void (^)(NSError *))completionHandler
{
	[self ask:WIRE_PAUSE when:[self canPause] moving:VZVirtualMachineStatePausing then:completionHandler];
}

- (void)resumeWithCompletionHandler:(void (^)(NSError *))completionHandler
{
	[self ask:WIRE_RESUME when:[self canResume] moving:VZVirtualMachineStateResuming then:completionHandler];
}

- (BOOL)requestStopWithError:(NSError **)error
{
	struct wire_message message = {.type = WIRE_POWER};

	if (![self canRequestStop])
		return vz_double_fail(error, VZErrorInvalidVirtualMachineState, @"The virtual machine is not running.");
	link_send(link, &message);
	return YES;
}

/* ---- what happens ---- */

- (void)stopWithError:(NSString *)reason
{
	id<VZVirtualMachineDelegate> delegate = [self delegate];
	NSError *error = vz_double_error(VZErrorInternal, reason);
	BOOL starting = [self state] == VZVirtualMachineStateStarting;

	[self move:VZVirtualMachineStateError];
	[[self sockets] end];
	[self finishWith:error];
	if (!starting && [delegate respondsToSelector:@selector(virtualMachine:didStopWithError:)])
		[delegate virtualMachine:self didStopWithError:error];
}

- (void)stopByGuest
{
	id<VZVirtualMachineDelegate> delegate = [self delegate];

	[self move:VZVirtualMachineStateStopped];
	[[self sockets] end];
	[self finishWith:nil];
	if ([delegate respondsToSelector:@selector(guestDidStopVirtualMachine:)])
		[delegate guestDidStopVirtualMachine:self];
}

/* The process has ended. Why, it has said before, unless it was told to or crashed. */
- (void)ended
{
	NSString *reason = [self valueOf:@"reason"];

	if ([[self valueOf:@"guestOff"] boolValue]) {
		[self stopByGuest];
	} else if ([self state] == VZVirtualMachineStateStopping) {
		[self move:VZVirtualMachineStateStopped];
		[[self sockets] end];
		[self finishWith:nil];
	} else {
		[self stopWithError:reason ? reason : @"The virtual machine stopped unexpectedly."];
	}
	[self setValue:nil of:@"guestOff"];
	[self setValue:nil of:@"reason"];
}

- (void)disconnectNetworks
{
	id<VZVirtualMachineDelegate> delegate = [self delegate];
	SEL told = @selector(virtualMachine:networkDevice:attachmentWasDisconnectedWithError:);

	for (VZNetworkDevice *device in [self networkDevices]) {
		[device detach];
		if ([delegate respondsToSelector:told])
			[delegate virtualMachine:self
						     networkDevice:device
				attachmentWasDisconnectedWithError:
					vz_double_error(VZErrorNetworkError,
							@"The network attachment was disconnected.")];
	}
}

/* Faults that need a guest strike when it has shown itself. */
- (void)guestIsThere
{
	struct wire_message message = {.type = WIRE_STOP};

	if ([[self valueOf:@"guestSeen"] boolValue])
		return;
	[self setValue:[NSNumber numberWithBool:YES] of:@"guestSeen"];
	if (vz_double_fault("guest-stops-with-error"))
		link_send(link, &message);
	if (vz_double_fault("network-detached"))
		[self disconnectNetworks];
}

- (void)arrive:(VZVirtualMachineState)state
{
	[self move:state];
	[self finishWith:nil];
}

- (void)take:(const struct wire_message *)message fd:(int)fd
{
	switch ((enum wire_type)message->type) {
	case WIRE_RUNNING:
	case WIRE_RESUMED:
		[self arrive:VZVirtualMachineStateRunning];
		break;
	case WIRE_PAUSED:
		[self arrive:VZVirtualMachineStatePaused];
		break;
	case WIRE_GUEST_OFF:
		[self setValue:[NSNumber numberWithBool:YES] of:@"guestOff"];
		break;
	case WIRE_BROKEN:
		[self setValue:[NSString stringWithUTF8String:message->text] of:@"reason"];
		break;
	case WIRE_ACCEPTED:
		[[self sockets] takeConnection:fd toPort:message->port];
		[self guestIsThere];
		break;
	case WIRE_CONNECTED:
	case WIRE_NOBODY:
		[[self sockets] answer:message->id connection:fd];
		break;
	case WIRE_GONE:
		[self ended];
		break;
	default:
		vz_double_trap("the machine's process says %u", message->type);
	}
}

@end
