/*
 * The double's machine: mvm's kernel and agent boot in it. The agent calls the host over vsock as soon as it runs,
 * which is all that is needed of it here. Skipped where there is no QEMU or no kernel.
 *
 *   test-vz-double-machine KERNEL INITRAMFS
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "double.h"
#include "runtime/base/arch.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"
#include "runtime/base/spawn.h"

enum { AGENT_PORT = 1024, NOBODYS_PORT = 9, RESET_ON_MACOS = 54, SKIPPED = 77, PATIENCE_S = 60, HALF_GIB = 512 << 20 };

static const char *kernel, *initramfs;
static char folder[] = "/tmp/mvm-test-vz-double-XXXXXX"; /* shared, and the disk is in it */

@interface Watcher : NSObject <VZVirtualMachineDelegate, VZVirtioSocketListenerDelegate> {
      @public
	dispatch_semaphore_t connected, stopped, detached;
	VZVirtioSocketConnection *connection;
	NSInteger code; /* of the error that it stopped with; 0: the guest's own will */
}
@end

@implementation Watcher

- (instancetype)init
{
	self = [super init];
	connected = dispatch_semaphore_create(0);
	stopped = dispatch_semaphore_create(0);
	detached = dispatch_semaphore_create(0);
	return self;
}

- (void)dealloc
{
	dispatch_release(connected);
	dispatch_release(stopped);
	dispatch_release(detached);
	[connection release];
	[super dealloc];
}

- (BOOL)listener:(VZVirtioSocketListener *)listener
	shouldAcceptNewConnection:(VZVirtioSocketConnection *)given
		 fromSocketDevice:(VZVirtioSocketDevice *)device
{
	connection = [given retain];
	dispatch_semaphore_signal(connected);
	return YES;
}

- (void)guestDidStopVirtualMachine:(VZVirtualMachine *)machine
{
	dispatch_semaphore_signal(stopped);
}

- (void)virtualMachine:(VZVirtualMachine *)machine didStopWithError:(NSError *)error
{
	code = [error code];
	dispatch_semaphore_signal(stopped);
}

- (void)virtualMachine:(VZVirtualMachine *)machine
			     networkDevice:(VZNetworkDevice *)device
	attachmentWasDisconnectedWithError:(NSError *)error
{
	assert_null([device attachment]);
	dispatch_semaphore_signal(detached);
}

@end

/* ---- one machine a test ---- */

struct fixture {
	dispatch_queue_t queue;
	VZVirtualMachine *machine;
	VZVirtioSocketListener *listener;
	Watcher *watcher;
	int console, net;
};

static bool wait_for(dispatch_semaphore_t semaphore)
{
	return dispatch_semaphore_wait(semaphore, dispatch_time(DISPATCH_TIME_NOW, PATIENCE_S * NSEC_PER_SEC)) == 0;
}

static NSFileHandle *handle_of(int fd)
{
	return [[[NSFileHandle alloc] initWithFileDescriptor:fd closeOnDealloc:YES] autorelease];
}

static NSURL *url_of(const char *path)
{
	return [NSURL fileURLWithPath:[NSString stringWithUTF8String:path]];
}

static id make_disk(void)
{
	NSString *path = [NSString stringWithFormat:@"%s/disk", folder];
	id image;
	int fd = open([path UTF8String], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0 && ftruncate(fd, 1 << 20) == 0);
	close(fd);
	image = [[[VZDiskImageStorageDeviceAttachment alloc] initWithURL:[NSURL fileURLWithPath:path]
								readOnly:NO
							     cachingMode:VZDiskImageCachingModeCached
						     synchronizationMode:VZDiskImageSynchronizationModeFsync
								   error:NULL] autorelease];
	return [[[VZVirtioBlockDeviceConfiguration alloc] initWithAttachment:image] autorelease];
}

static id make_share(void)
{
	id device = [[[VZVirtioFileSystemDeviceConfiguration alloc] initWithTag:@"test"] autorelease];
	id directory = [[[VZSharedDirectory alloc] initWithURL:url_of(folder) readOnly:YES] autorelease];

	[device setShare:[[[VZMultipleDirectoryShare alloc] initWithDirectories:@{@"0" : directory}] autorelease]];
	return device;
}

static VZVirtualMachineConfiguration *make_configuration(struct fixture *fixture)
{
	VZVirtualMachineConfiguration *configuration = [[VZVirtualMachineConfiguration new] autorelease];
	VZLinuxBootLoader *loader = [[[VZLinuxBootLoader alloc] initWithKernelURL:url_of(kernel)] autorelease];
	id port = [[[VZVirtioConsoleDeviceSerialPortConfiguration alloc] init] autorelease];
	id network = [[[VZVirtioNetworkDeviceConfiguration alloc] init] autorelease];
	int console[2], net[2];

	assert_int_equal(pipe2(console, O_CLOEXEC), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, net), 0);
	fixture->console = console[0];
	fixture->net = net[0];
	[loader setInitialRamdiskURL:url_of(initramfs)];
	[loader setCommandLine:@"loglevel=7"];
	[port setAttachment:[[[VZFileHandleSerialPortAttachment alloc]
				    initWithFileHandleForReading:nil
					    fileHandleForWriting:handle_of(console[1])] autorelease]];
	[network setAttachment:[[[VZFileHandleNetworkDeviceAttachment alloc] initWithFileHandle:handle_of(net[1])]
				       autorelease]];
	[configuration setBootLoader:loader];
	[configuration setMemorySize:HALF_GIB];
	[configuration setSerialPorts:@[ port ]];
	[configuration setNetworkDevices:@[ network ]];
	[configuration setStorageDevices:@[ make_disk() ]];
	[configuration setDirectorySharingDevices:@[ make_share() ]];
	[configuration setSocketDevices:@[ [[[VZVirtioSocketDeviceConfiguration alloc] init] autorelease] ]];
	return configuration;
}

static VZVirtioSocketDevice *sockets_of(struct fixture *fixture)
{
	return (VZVirtioSocketDevice *)[[fixture->machine socketDevices] lastObject];
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	NSAutoreleasePool *pool = [[NSAutoreleasePool alloc] init];

	fixture->queue = dispatch_queue_create("machine", DISPATCH_QUEUE_SERIAL);
	fixture->watcher = [[Watcher alloc] init];
	fixture->listener = [VZVirtioSocketListener new];
	fixture->machine = [[VZVirtualMachine alloc] initWithConfiguration:make_configuration(fixture)
								     queue:fixture->queue];
	[fixture->listener setDelegate:fixture->watcher];
	dispatch_sync(fixture->queue, ^{
	  [fixture->machine setDelegate:fixture->watcher];
	  [sockets_of(fixture) setSocketListener:fixture->listener forPort:AGENT_PORT];
	});
	[pool drain];
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	dispatch_sync(fixture->queue, ^{
	  [fixture->machine release];
	});
	[fixture->listener release];
	[fixture->watcher release];
	dispatch_release(fixture->queue);
	close(fixture->console);
	close(fixture->net);
	free(fixture);
	unsetenv("MVM_VZ_DOUBLE_FAULT");
	return 0;
}

static NSInteger code_of(struct fixture *fixture, void (^call)(void (^)(NSError *)))
{
	dispatch_semaphore_t done = dispatch_semaphore_create(0);
	__block NSInteger code = -1;

	dispatch_async(fixture->queue, ^{
	  call(^(NSError *error) {
	    code = error ? [error code] : 0;
	    dispatch_semaphore_signal(done);
	  });
	});
	assert_true(wait_for(done));
	dispatch_release(done);
	return code;
}

static NSInteger start(struct fixture *fixture)
{
	return code_of(fixture, ^(void (^handler)(NSError *)) {
	  [fixture->machine startWithCompletionHandler:handler];
	});
}

static NSInteger stop(struct fixture *fixture)
{
	return code_of(fixture, ^(void (^handler)(NSError *)) {
	  [fixture->machine stopWithCompletionHandler:handler];
	});
}

static void assert_state(struct fixture *fixture, VZVirtualMachineState wanted)
{
	__block VZVirtualMachineState is;

	dispatch_sync(fixture->queue, ^{
	  is = [fixture->machine state];
	});
	assert_int_equal(is, wanted);
}

static NSInteger connect_to(struct fixture *fixture, uint32_t port, uint64_t patience)
{
	dispatch_semaphore_t done = dispatch_semaphore_create(0);
	__block NSInteger code = -1;

	dispatch_async(fixture->queue, ^{
	  [sockets_of(fixture) connectToPort:port
			   completionHandler:^(VZVirtioSocketConnection *connection, NSError *error) {
			     code = error ? [error code] : 0;
			     dispatch_semaphore_signal(done);
			   }];
	});
	dispatch_semaphore_wait(done, dispatch_time(DISPATCH_TIME_NOW, (int64_t)patience));
	/* A handler that is never called has no use for it either. */
	dispatch_release(done);
	return code;
}

/* ---- tests ---- */

static void test_life(void **state)
{
	struct fixture *fixture = *state;
	char text[65536];
	ssize_t n, length = 0;

	assert_int_equal(start(fixture), 0);
	assert_state(fixture, VZVirtualMachineStateRunning);
	assert_int_equal(start(fixture), VZErrorInvalidVirtualMachineStateTransition);
	/* Long before the guest has a driver. */
	assert_int_equal(connect_to(fixture, NOBODYS_PORT, PATIENCE_S * NSEC_PER_SEC), RESET_ON_MACOS);
	assert_true(wait_for(fixture->watcher->connected));
	assert_int_equal(connect_to(fixture, NOBODYS_PORT, PATIENCE_S * NSEC_PER_SEC), RESET_ON_MACOS);

	assert_int_equal(code_of(fixture,
				 ^(void (^handler)(NSError *)) {
				   [fixture->machine pauseWithCompletionHandler:handler];
				 }),
			 0);
	assert_state(fixture, VZVirtualMachineStatePaused);
	assert_int_equal(code_of(fixture,
				 ^(void (^handler)(NSError *)) {
				   [fixture->machine resumeWithCompletionHandler:handler];
				 }),
			 0);
	assert_state(fixture, VZVirtualMachineStateRunning);
	assert_int_equal(stop(fixture), 0);
	assert_state(fixture, VZVirtualMachineStateStopped);
	/* To its end: the machine keeps its own end open. */
	assert_int_equal(fcntl(fixture->console, F_SETFL, O_NONBLOCK), 0);
	while ((n = read(fixture->console, text + length, sizeof(text) - 1 - (size_t)length)) > 0)
		length += n;
	text[length] = '\0';
	assert_non_null(strstr(text, "[vda] 2048 512-byte logical blocks"));
	/* What was asked for is not told as if it had happened. */
	assert_int_not_equal(dispatch_semaphore_wait(fixture->watcher->stopped, DISPATCH_TIME_NOW), 0);
}

/* The descriptor is the connection's: it reads the guest's first bytes, and its end when the machine is gone. */
static void test_connection(void **state)
{
	struct fixture *fixture = *state;
	char byte;
	int fd;

	assert_int_equal(start(fixture), 0);
	assert_true(wait_for(fixture->watcher->connected));
	fd = [fixture->watcher->connection fileDescriptor];
	assert_int_equal(read(fd, &byte, 1), 1);
	assert_int_equal(stop(fixture), 0);
	while (read(fd, &byte, 1) == 1)
		continue;
	[fixture->watcher->connection release];
	fixture->watcher->connection = nil;
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(errno, EBADF);
}

static void test_stops_with_error(void **state)
{
	struct fixture *fixture = *state;

	setenv("MVM_VZ_DOUBLE_FAULT", "guest-stops-with-error", 1);
	assert_int_equal(start(fixture), 0);
	assert_true(wait_for(fixture->watcher->stopped));
	assert_int_equal(fixture->watcher->code, VZErrorInternal);
	assert_state(fixture, VZVirtualMachineStateError);
}

static void test_network_and_silence(void **state)
{
	struct fixture *fixture = *state;

	setenv("MVM_VZ_DOUBLE_FAULT", "network-detached", 1);
	assert_int_equal(start(fixture), 0);
	assert_true(wait_for(fixture->watcher->detached));
	setenv("MVM_VZ_DOUBLE_FAULT", "connect-silent", 1);
	assert_int_equal(connect_to(fixture, NOBODYS_PORT, 200 * NSEC_PER_MSEC), -1);
	assert_int_equal(stop(fixture), 0);
}

/* A machine that is let go of takes its process along. */
static void test_release_ends_it(void **state)
{
	struct fixture *fixture = *state;
	unsigned left = PATIENCE_S * 1000;

	assert_int_equal(start(fixture), 0);
	dispatch_sync(fixture->queue, ^{
	  [fixture->machine release];
	  fixture->machine = nil;
	});
	/* A frame is refused when all who had the other end, QEMU the last of them, are gone. */
	while (send(fixture->net, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 || errno == EAGAIN) {
		assert_true(left-- > 0);
		poll(NULL, 0, 1);
	}
	assert_int_equal(errno, ECONNREFUSED);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_life, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_connection, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stops_with_error, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_network_and_silence, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_release_ends_it, set_up, tear_down),
	};
	const char *program = MVM_ARCH_OWN == MVM_ARCH_ARM64 ? "qemu-system-aarch64" : "qemu-system-x86_64";
	char *qemu MVM_CLEAN_FREE = NULL;
	int failed;

	if (argc != 3)
		return 1;
	kernel = argv[1];
	initramfs = argv[2];
	if (access(kernel, R_OK) < 0 || mvm_find_program(program, &qemu, NULL) < 0) {
		printf("skipped: no kernel or no %s\n", program);
		return SKIPPED;
	}
	if (!mkdtemp(folder))
		return 1;
	@autoreleasepool {
		failed = cmocka_run_group_tests(tests, NULL, NULL);
	}
	mvm_remove_tree(folder, NULL);
	return failed;
}
