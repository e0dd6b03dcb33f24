/*
 * The double itself, without a machine: that it is as strict as the real framework is known to be. A backend that
 * passes over a lax double has shown nothing.
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "double.h"

static char folder[] = "/tmp/mvm-test-vz-double-XXXXXX";

static NSURL *url_of(const char *name)
{
	return [NSURL fileURLWithPath:[NSString stringWithFormat:@"%s/%s", folder, name]];
}

static void make_file(const char *name, const char *begin, off_t size)
{
	int fd = open([[url_of(name) path] UTF8String], O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, begin, strlen(begin), 0), (ssize_t)strlen(begin));
	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
}

static bool raises(void (^block)(void))
{
	@try {
		block();
	} @catch (NSException *exception) {
		assert_string_equal([[exception name] UTF8String], "NSInvalidArgumentException");
		return true;
	}
	return false;
}

/* In a process of its own; what it says before it dies is in `said`. */
static bool traps(void (^block)(void), char *said, size_t size)
{
	int ends[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		dup2(ends[1], STDERR_FILENO);
		block();
		_exit(0);
	}
	close(ends[1]);
	n = read(ends[0], said, size - 1);
	close(ends[0]);
	said[n < 0 ? 0 : n] = '\0';
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void assert_traps(void (^block)(void), const char *because)
{
	char said[512];

	assert_true(traps(block, said, sizeof(said)));
	if (!strstr(said, because))
		fail_msg("it says: %s", said);
}

/* ---- dispatch ---- */

static void test_queue_keeps_order(void **state)
{
	dispatch_queue_t queue = dispatch_queue_create("order", DISPATCH_QUEUE_SERIAL);
	NSMutableString *order = [NSMutableString string];

	dispatch_async(queue, ^{
	  dispatch_async(queue, ^{
	    [order appendString:@"b"];
	    dispatch_async(queue, ^{
	      dispatch_after(dispatch_time(DISPATCH_TIME_NOW, NSEC_PER_MSEC), queue, ^{
		[order appendString:@"d"];
	      });
	      [order appendString:@"c"];
	    });
	  });
	  [order appendString:@"a"];
	});
	while (true) {
		__block bool all = false;

		dispatch_sync(queue, ^{
		  all = [order length] == 4;
		});
		if (all)
			break;
		usleep(1000);
	}
	assert_string_equal([order UTF8String], "abcd");
	dispatch_release(queue);
}

static void test_blocks_hold_what_they_mention(void **state)
{
	NSObject *object = [[NSObject alloc] init];
	dispatch_block_t block = Block_copy(^{
	  [object self];
	});

	assert_int_equal([object retainCount], 2);
	Block_release(block);
	assert_int_equal([object retainCount], 1);
	[object release];
}

static void test_semaphore_times_out(void **state)
{
	dispatch_semaphore_t semaphore = dispatch_semaphore_create(0);

	assert_int_not_equal(dispatch_semaphore_wait(semaphore, DISPATCH_TIME_NOW), 0);
	assert_int_not_equal(dispatch_semaphore_wait(semaphore, dispatch_time(DISPATCH_TIME_NOW, NSEC_PER_MSEC)), 0);
	dispatch_semaphore_signal(semaphore);
	assert_int_equal(dispatch_semaphore_wait(semaphore, DISPATCH_TIME_FOREVER), 0);
	dispatch_release(semaphore);
}

static void test_sync_onto_own_queue_traps(void **state)
{
	assert_traps(
		^{
		  dispatch_queue_t queue = dispatch_queue_create("own", DISPATCH_QUEUE_SERIAL);

		  dispatch_sync(queue, ^{
		    dispatch_sync(queue, ^{
				  });
		  });
		},
		"dispatch_sync() onto the queue 'own' from itself");
}

/* ---- configuration ---- */

static VZVirtualMachineConfiguration *make_configuration(void)
{
	VZVirtualMachineConfiguration *configuration = [[VZVirtualMachineConfiguration new] autorelease];

	[configuration setBootLoader:[[[VZLinuxBootLoader alloc] initWithKernelURL:url_of("kernel")] autorelease]];
	[configuration setMemorySize:64 << 20];
	return configuration;
}

static NSInteger why_invalid(VZVirtualMachineConfiguration *configuration)
{
	NSError *error = nil;

	if ([configuration validateWithError:&error])
		return 0;
	assert_string_equal([[error domain] UTF8String], "VZErrorDomain");
	return [error code];
}

static void test_new_and_init_are_refused(void **state)
{
	assert_true(raises(^{
	  [(Class)[VZVirtioEntropyDeviceConfiguration class] performSelector:@selector(new)];
	}));
	assert_true(raises(^{
	  [(Class)[VZMACAddress class] performSelector:@selector(new)];
	}));
	assert_true(raises(^{
	  [[VZLinuxBootLoader alloc] performSelector:@selector(init)];
	}));
	assert_false(raises(^{
	  [[[VZVirtioEntropyDeviceConfiguration alloc] init] release];
	  [[VZVirtioSocketListener new] release];
	}));
}

static void test_limits(void **state)
{
	VZVirtualMachineConfiguration *configuration = make_configuration();

	assert_int_equal(why_invalid(configuration), 0);
	[configuration setMemorySize:(64 << 20) + 1];
	assert_int_equal(why_invalid(configuration), VZErrorInvalidVirtualMachineConfiguration);
	[configuration setMemorySize:[VZVirtualMachineConfiguration maximumAllowedMemorySize] + (1 << 20)];
	assert_int_equal(why_invalid(configuration), VZErrorInvalidVirtualMachineConfiguration);
	configuration = make_configuration();
	[configuration setCPUCount:0];
	assert_int_equal(why_invalid(configuration), VZErrorInvalidVirtualMachineConfiguration);
	[configuration setCPUCount:[VZVirtualMachineConfiguration maximumAllowedCPUCount] + 1];
	assert_int_equal(why_invalid(configuration), VZErrorInvalidVirtualMachineConfiguration);
	configuration = make_configuration();
	[configuration setBootLoader:nil];
	assert_int_equal(why_invalid(configuration), VZErrorInvalidVirtualMachineConfiguration);
}

static void test_one_balloon_and_socket_device(void **state)
{
	VZVirtualMachineConfiguration *configuration = make_configuration();
	id balloon = [[[VZVirtioTraditionalMemoryBalloonDeviceConfiguration alloc] init] autorelease];
	id sockets = [[[VZVirtioSocketDeviceConfiguration alloc] init] autorelease];

	[configuration setMemoryBalloonDevices:@[ balloon, balloon ]];
	assert_int_equal(why_invalid(configuration), VZErrorInvalidVirtualMachineConfiguration);
	configuration = make_configuration();
	[configuration setSocketDevices:@[ sockets, sockets ]];
	assert_int_equal(why_invalid(configuration), VZErrorInvalidVirtualMachineConfiguration);
	assert_true(raises(^{
	  [configuration setSocketDevices:@[ balloon ]];
	}));
}

static void test_missing_files_raise(void **state)
{
	assert_true(raises(^{
	  [[VZLinuxBootLoader alloc] initWithKernelURL:url_of("nothing")];
	}));
	assert_true(raises(^{
	  [[VZSharedDirectory alloc] initWithURL:url_of("nothing") readOnly:NO];
	}));
	assert_true(raises(^{
	  [[VZSharedDirectory alloc] initWithURL:url_of("kernel") readOnly:NO];
	}));
	assert_true(raises(^{
	  [[VZDiskImageStorageDeviceAttachment alloc] initWithURL:url_of("nothing") readOnly:NO error:NULL];
	}));
}

static NSInteger disk_error(const char *name)
{
	NSError *error = nil;
	id attachment = [[VZDiskImageStorageDeviceAttachment alloc] initWithURL:url_of(name)
								       readOnly:YES
								    cachingMode:VZDiskImageCachingModeCached
							    synchronizationMode:VZDiskImageSynchronizationModeFsync
									  error:&error];

	[attachment release];
	return attachment ? 0 : [error code];
}

static void test_disk_images(void **state)
{
	make_file("raw", "", 8192);
	make_file("odd", "", 8193);
	make_file("qcow2", "QFI\xfb", 8192);
	assert_int_equal(disk_error("raw"), 0);
	assert_int_equal(disk_error("odd"), VZErrorInvalidDiskImage);
	assert_int_equal(disk_error("qcow2"), VZErrorInvalidDiskImage);
}

static void test_names(void **state)
{
	NSString *tag = [@"" stringByPaddingToLength:35 withString:@"t" startingAtIndex:0];
	NSError *error = nil;

	assert_true([VZVirtioFileSystemDeviceConfiguration validateTag:tag error:NULL]);
	assert_false([VZVirtioFileSystemDeviceConfiguration validateTag:[tag stringByAppendingString:@"t"]
								  error:&error]);
	assert_non_null(error);
	assert_true(raises(^{
	  [[VZVirtioFileSystemDeviceConfiguration alloc] initWithTag:@""];
	}));
	assert_true([VZVirtioBlockDeviceConfiguration validateBlockDeviceIdentifier:@"01234567890123456789"
									      error:NULL]);
	assert_false([VZVirtioBlockDeviceConfiguration validateBlockDeviceIdentifier:@"012345678901234567890"
									       error:NULL]);
	assert_false([VZMultipleDirectoryShare validateName:@"a/b" error:NULL]);
	assert_true(raises(^{
	  VZSharedDirectory *directory = [[[VZSharedDirectory alloc] initWithURL:url_of("") readOnly:YES] autorelease];

	  [[VZMultipleDirectoryShare alloc] initWithDirectories:@{@".." : directory}];
	}));
}

static void test_mac_addresses(void **state)
{
	VZMACAddress *address = [[[VZMACAddress alloc] initWithString:@"0A:00:00:00:00:1f"] autorelease];

	assert_string_equal([[address string] UTF8String], "0a:00:00:00:00:1f");
	assert_true([address isLocallyAdministeredAddress]);
	assert_null([[VZMACAddress alloc] initWithString:@"0a:00:00:00:00"]);
	assert_null([[VZMACAddress alloc] initWithString:@"0a:00:00:00:00:1g"]);
}

static void test_network_wants_connected_datagrams(void **state)
{
	VZVirtualMachineConfiguration *configuration = make_configuration();
	VZVirtioNetworkDeviceConfiguration *device = [[[VZVirtioNetworkDeviceConfiguration alloc] init] autorelease];
	VZFileHandleNetworkDeviceAttachment *attachment;
	int stream[2], datagram[2], wrong;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, stream), 0);
	wrong = stream[0];
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, datagram), 0);
	assert_true(raises(^{
	  [[VZFileHandleNetworkDeviceAttachment alloc]
		  initWithFileHandle:[[[NSFileHandle alloc] initWithFileDescriptor:wrong
								    closeOnDealloc:YES] autorelease]];
	}));
	[configuration setNetworkDevices:@[ device ]];
	assert_int_equal(why_invalid(configuration), VZErrorInvalidVirtualMachineConfiguration);
	attachment = [[[VZFileHandleNetworkDeviceAttachment alloc]
		initWithFileHandle:[[[NSFileHandle alloc] initWithFileDescriptor:datagram[0]
								  closeOnDealloc:YES] autorelease]] autorelease];
	[device setAttachment:attachment];
	assert_int_equal(why_invalid(configuration), 0);
	[attachment setMaximumTransmissionUnit:1499];
	assert_int_equal(why_invalid(configuration), VZErrorInvalidVirtualMachineConfiguration);
	close(stream[1]);
	close(datagram[1]);
}

/* ---- the machine ---- */

@interface Watcher : NSObject <VZVirtualMachineDelegate, VZVirtioSocketListenerDelegate>
@end

@implementation Watcher
@end

static void test_delegates_are_weak(void **state)
{
	NSAutoreleasePool *pool = [[NSAutoreleasePool alloc] init];
	VZVirtioSocketListener *listener = [VZVirtioSocketListener new];
	Watcher *watcher = [[Watcher alloc] init];

	[listener setDelegate:watcher];
	assert_ptr_equal([listener delegate], watcher);
	assert_true([watcher class] == [Watcher class]);
	[pool drain];
	assert_int_equal([watcher retainCount], 1);
	[watcher release];
	assert_null([listener delegate]);
	[listener release];
}

static void test_off_queue_traps(void **state)
{
	assert_traps(
		^{
		  dispatch_queue_t queue = dispatch_queue_create("machine", DISPATCH_QUEUE_SERIAL);
		  VZVirtualMachine *machine = [[VZVirtualMachine alloc] initWithConfiguration:make_configuration()
											queue:queue];

		  [machine state];
		},
		"not on the queue 'machine'");
}

static void test_invalid_configuration_raises(void **state)
{
	dispatch_queue_t queue = dispatch_queue_create("machine", DISPATCH_QUEUE_SERIAL);

	assert_true(raises(^{
	  VZVirtualMachineConfiguration *configuration = make_configuration();

	  [configuration setMemorySize:1];
	  [[VZVirtualMachine alloc] initWithConfiguration:configuration queue:queue];
	}));
	dispatch_release(queue);
}

/* Calls on the machine's queue and waits for the handler's error code there; 0 for none. */
static NSInteger code_of(dispatch_queue_t queue, void (^call)(void (^)(NSError *)))
{
	dispatch_semaphore_t done = dispatch_semaphore_create(0);
	__block NSInteger code = -1;

	dispatch_async(queue, ^{
	  call(^(NSError *error) {
	    dispatch_assert_queue(queue);
	    code = error ? [error code] : 0;
	    dispatch_semaphore_signal(done);
	  });
	});
	dispatch_semaphore_wait(done, DISPATCH_TIME_FOREVER);
	dispatch_release(done);
	return code;
}

static void test_states(void **state)
{
	dispatch_queue_t queue = dispatch_queue_create("machine", DISPATCH_QUEUE_SERIAL);
	VZVirtualMachine *machine = [[VZVirtualMachine alloc] initWithConfiguration:make_configuration() queue:queue];

	setenv("MVM_VZ_DOUBLE_FAULT", "start-fails", 1);
	assert_int_equal(code_of(queue,
				 ^(void (^handler)(NSError *)) {
				   [machine stopWithCompletionHandler:handler];
				 }),
			 VZErrorInvalidVirtualMachineStateTransition);
	assert_int_equal(code_of(queue,
				 ^(void (^handler)(NSError *)) {
				   [machine startWithCompletionHandler:handler];
				 }),
			 VZErrorInternal);
	unsetenv("MVM_VZ_DOUBLE_FAULT");
	dispatch_sync(queue, ^{
	  NSError *error = nil;

	  assert_int_equal([machine state], VZVirtualMachineStateError);
	  assert_false([machine requestStopWithError:&error]);
	  assert_int_equal([error code], VZErrorInvalidVirtualMachineState);
	  [machine release];
	});
	dispatch_release(queue);
}

static void test_rosetta_faults(void **state)
{
	NSError *error = nil;

	char folder[] = "/tmp/vz-double-XXXXXX";

	unsetenv("MVM_VZ_DOUBLE_ROSETTA");
	assert_int_equal([VZLinuxRosettaDirectoryShare availability], VZLinuxRosettaAvailabilityNotSupported);
	assert_non_null(mkdtemp(folder));
	setenv("MVM_VZ_DOUBLE_ROSETTA", folder, 1);
	setenv("MVM_VZ_DOUBLE_FAULT", "rosetta-missing", 1);
	assert_int_equal([VZLinuxRosettaDirectoryShare availability], VZLinuxRosettaAvailabilityNotSupported);
	setenv("MVM_VZ_DOUBLE_FAULT", "rosetta-refused", 1);
	assert_int_equal([VZLinuxRosettaDirectoryShare availability], VZLinuxRosettaAvailabilityNotInstalled);
	assert_null([[VZLinuxRosettaDirectoryShare alloc] initWithError:&error]);
	assert_non_null(error);
	dispatch_semaphore_t done = dispatch_semaphore_create(0);
	__block NSInteger code = 0;
	[VZLinuxRosettaDirectoryShare installRosettaWithCompletionHandler:^(NSError *refusal) {
	  code = [refusal code];
	  dispatch_semaphore_signal(done);
	}];
	dispatch_semaphore_wait(done, DISPATCH_TIME_FOREVER);
	assert_int_equal(code, VZErrorOperationCancelled);
	setenv("MVM_VZ_DOUBLE_FAULT", "rosetta-not-installed", 1);
	[VZLinuxRosettaDirectoryShare installRosettaWithCompletionHandler:^(NSError *none) {
	  code = none ? [none code] : 0;
	  dispatch_semaphore_signal(done);
	}];
	dispatch_semaphore_wait(done, DISPATCH_TIME_FOREVER);
	dispatch_release(done);
	assert_int_equal(code, 0);
	assert_int_equal([VZLinuxRosettaDirectoryShare availability], VZLinuxRosettaAvailabilityInstalled);
	unsetenv("MVM_VZ_DOUBLE_FAULT");
	unsetenv("MVM_VZ_DOUBLE_ROSETTA");
	[[NSFileManager defaultManager] removeFileAtPath:[NSString stringWithUTF8String:folder] handler:nil];
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queue_keeps_order),
		cmocka_unit_test(test_blocks_hold_what_they_mention),
		cmocka_unit_test(test_semaphore_times_out),
		cmocka_unit_test(test_sync_onto_own_queue_traps),
		cmocka_unit_test(test_new_and_init_are_refused),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_one_balloon_and_socket_device),
		cmocka_unit_test(test_missing_files_raise),
		cmocka_unit_test(test_disk_images),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_mac_addresses),
		cmocka_unit_test(test_network_wants_connected_datagrams),
		cmocka_unit_test(test_delegates_are_weak),
		cmocka_unit_test(test_off_queue_traps),
		cmocka_unit_test(test_invalid_configuration_raises),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_rosetta_faults),
	};
	int failed;

	@autoreleasepool {
		if (!mkdtemp(folder))
			return 1;
		make_file("kernel", "kernel", 4096);
		failed = cmocka_run_group_tests(tests, NULL, NULL);
		[[NSFileManager defaultManager] removeItemAtPath:[NSString stringWithUTF8String:folder] error:NULL];
	}
	return failed;
}
