/*
 * Theory of operation: a VZVirtualMachine and all that comes from it belong to one serial queue; touched from elsewhere
 * they trap. So each order is a block on that queue, and nothing waits there: neither for a handler, which runs on it,
 * too, nor for a socket.
 *
 * What it is told to stop does not call the delegate; what ends by itself does, as the guest's will or with an error.
 * The inbox's reader takes the first word for the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "internal.h"
#include "runtime/base/log.h"

enum { REPAIRS_MAX = 10 };

@implementation MVMGuest

static NSArray *attachments_of(VZVirtualMachineConfiguration *configuration)
{
	NSMutableArray *attachments = [NSMutableArray array];

	for (VZNetworkDeviceConfiguration *device in [configuration networkDevices])
		[attachments addObject:[device attachment]];
	return attachments;
}

- (instancetype)initWithConfiguration:(VZVirtualMachineConfiguration *)configuration inbox:(struct vz_inbox *)theInbox
{
	self = [super init];
	inbox = inbox_retain(theInbox);
	queue = dispatch_queue_create("mvm.machine", DISPATCH_QUEUE_SERIAL);
	listener = [[VZVirtioSocketListener alloc] init];
	networks = [attachments_of(configuration) retain];
	/* It copies the configuration. */
	machine = [[VZVirtualMachine alloc] initWithConfiguration:configuration queue:queue];
	return self;
}

- (void)dealloc
{
	/* What belongs to the queue was let go of there (takeApart). */
	[networks release];
	dispatch_release(queue);
	inbox_release(inbox);
	[super dealloc];
}

/* ---- words ---- */

- (void)post:(enum vz_event)event
{
	inbox_put(inbox, &(struct vz_message){.event = event, .fd = -1});
}

- (void)post:(enum vz_event)event error:(NSError *)error
{
	struct vz_message message = {.event = event, .fd = -1};

	vz_describe(error, message.text, sizeof(message.text));
	inbox_put(inbox, &message);
}

- (void)postException:(NSException *)exception
{
	struct vz_message message = {.event = VZ_BROKEN, .fd = -1};
	const char *reason = [[exception reason] UTF8String];

	snprintf(message.text, sizeof(message.text), "Virtualization.framework refuses an order: %s",
		 reason ? reason : "");
	inbox_put(inbox, &message);
}

/* Runs it on the queue; what it raises ends the machine, not this process. Nothing, once the machine is taken apart. */
- (void)order:(void (^)(void))block
{
	[self retain];
	dispatch_async(queue, ^{
	  @try {
		  if (machine)
			  block();
	  } @catch (NSException *exception) {
		  busy = NO;
		  [self postException:exception];
	  }
	  [self release];
	});
}

/* ---- its states ---- */

/* The order that had to wait for the state to settle. */
- (void)settle
{
	busy = NO;
	if (unplugged && machine)
		[self stopNow];
}

- (void)change:(void (^)(void (^handler)(NSError *)))ask to:(enum vz_event)event orElse:(enum vz_event)failure
{
	[self order:^{
	  busy = YES;
	  [self retain];
	  ask(^(NSError *error) {
	    if (error)
		    [self post:failure error:error];
	    else
		    [self post:event];
	    [self settle];
	    [self release];
	  });
	}];
}

- (void)start
{
	[self order:^{
	  /* Both delegates are weak: the one is this object, which the backend holds, as this object the other. */
	  [machine setDelegate:self];
	  [listener setDelegate:self];
	}];
	[self
		change:^(void (^handler)(NSError *)) {
		  [machine startWithCompletionHandler:handler];
		}
		    to:VZ_RUNNING
		orElse:VZ_BROKEN];
}

- (void)pause
{
	[self
		change:^(void (^handler)(NSError *)) {
		  [machine pauseWithCompletionHandler:handler];
		}
		    to:VZ_PAUSED
		orElse:VZ_NOTICE];
}

- (void)resume
{
	[self
		change:^(void (^handler)(NSError *)) {
		  [machine resumeWithCompletionHandler:handler];
		}
		    to:VZ_RESUMED
		orElse:VZ_NOTICE];
}

/* That it is sent is all that success says. */
- (void)pressPowerButton
{
	[self order:^{
	  NSError *error = nil;

	  if (![machine canRequestStop] || ![machine requestStopWithError:&error])
		  mvm_log(MVM_LOG_WARN, "the machine takes no press of its power button");
	}];
}

/* A machine that will not be stopped is let go of, which takes it along. */
- (void)stopNow
{
	if (![machine canStop]) {
		if (!busy)
			[self letGo];
		return;
	}
	unplugged = NO;
	[self retain];
	[machine stopWithCompletionHandler:^(NSError *error) {
	  if (error)
		  [self letGo];
	  else
		  [self post:VZ_STOPPED];
	  [self release];
	}];
}

- (void)pullPlug
{
	[self order:^{
	  unplugged = YES;
	  [self stopNow];
	}];
}

- (void)letGo
{
	[machine setDelegate:nil];
	[listener setDelegate:nil];
	[machine release];
	[listener release];
	machine = nil;
	listener = nil;
	[self post:VZ_STOPPED];
}

/* On its queue, where else would it be safe. One that runs is stopped before: descriptors of its connections are none
 * any more then. */
- (void)takeApart
{
	[self order:^{
	  VZVirtualMachine *last = [machine retain];

	  [self letGo];
	  if ([last canStop])
		  [last stopWithCompletionHandler:^(NSError *error) {
		    [last release];
		  }];
	  else
		  [last release];
	}];
}

- (void)guestDidStopVirtualMachine:(VZVirtualMachine *)virtualMachine
{
	[self post:VZ_GUEST_OFF];
}

- (void)virtualMachine:(VZVirtualMachine *)virtualMachine didStopWithError:(NSError *)error
{
	[self post:VZ_BROKEN error:error];
}

/* The device has none now. It may happen often, at boot too; the same wire is put back. */
- (void)virtualMachine:(VZVirtualMachine *)virtualMachine
			     networkDevice:(VZNetworkDevice *)networkDevice
	attachmentWasDisconnectedWithError:(NSError *)error
{
	NSUInteger index = [[virtualMachine networkDevices] indexOfObjectIdenticalTo:networkDevice];

	mvm_log(MVM_LOG_WARN, "the machine has lost its network %lu", (unsigned long)index);
	if (index < [networks count] && repairs++ < REPAIRS_MAX)
		[networkDevice setAttachment:[networks objectAtIndex:index]];
	else
		[self post:VZ_NOTICE error:error];
}

/* ---- vsock ---- */

- (VZVirtioSocketDevice *)socketDevice
{
	id device = [[machine socketDevices] lastObject];

	return [device isKindOfClass:[VZVirtioSocketDevice class]] ? device : nil;
}

/*
 * The descriptor is the connection's, which closes it when it goes; closed by somebody else, it would be closed a
 * second time when the number is another file's. So we take a copy, and close the connection as it should be: the copy
 * is then the only one, and closing it is the end that the guest sees.
 */
static int take_descriptor(VZVirtioSocketConnection *connection)
{
	int fd = fcntl([connection fileDescriptor], F_DUPFD_CLOEXEC, 0);

	[connection close];
	return fd;
}

/* The only order that is waited for: what is told to the guest next may make it connect at once. Nothing on the queue
 * waits for the caller's thread, so this is a moment. */
- (void)listenOn:(uint32_t)port
{
	dispatch_sync(queue, ^{
	  @try {
		  [[self socketDevice] setSocketListener:listener forPort:port];
	  } @catch (NSException *exception) {
		  [self postException:exception];
	  }
	});
}

- (void)stopListeningOn:(uint32_t)port
{
	[self order:^{
	  [[self socketDevice] removeSocketListenerForPort:port];
	}];
}

- (BOOL)listener:(VZVirtioSocketListener *)theListener
	shouldAcceptNewConnection:(VZVirtioSocketConnection *)connection
		 fromSocketDevice:(VZVirtioSocketDevice *)socketDevice
{
	uint32_t port = [connection destinationPort];
	int fd = take_descriptor(connection);

	if (fd < 0) {
		mvm_log(MVM_LOG_WARN, "a connection to port %u is lost: too many open files", port);
		return NO;
	}
	inbox_put(inbox, &(struct vz_message){.event = VZ_ACCEPTED, .port = port, .fd = fd});
	return YES;
}

/* Where nobody listens, or no driver is there yet, the error is POSIX's ECONNRESET; and the handler may never be
 * called, for which whoever waits has a limit of time (runtime/vsock/own.c). */
- (void)connectTo:(uint32_t)port as:(uint32_t)identifier
{
	[self order:^{
	  [self retain];
	  [[self socketDevice] connectToPort:port
			   completionHandler:^(VZVirtioSocketConnection *connection, NSError *error) {
			     int fd = connection ? take_descriptor(connection) : -1;

			     inbox_put(inbox, &(struct vz_message){.event = VZ_CONNECTED,
								   .id = identifier,
								   .fd = fd,
								   .errnum = connection ? EMFILE : ECONNREFUSED});
			     [self release];
			   }];
	}];
}

@end
