/*
 * From a spec to a configuration. Nothing here is bound to a queue.
 *
 * Of most classes +new is unavailable, -init is right; properties that are arrays are copied when they are set, so each
 * array is complete before. What the framework raises on, missing files above all, has been looked at by the caller
 * (machine.m); what it raises all the same becomes an error.
 */
#include <stdio.h>
#include <unistd.h>

#include "internal.h"
#include "runtime/backend/kernel_args.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"

enum { MIB = 1024 * 1024, MTU_MIN = 1500, MTU_MAX = 65535, IDENTITY_MAX = 64 * 1024 };

char *vz_copy_path(const struct mvm_machine_disk *disk)
{
	return mvm_format("%s.throw-away", disk->path);
}

/* nil where it is no UTF-8, which a file's name may be. */
static NSURL *url_of(const char *path, struct mvm_error **err)
{
	NSString *text = [NSString stringWithUTF8String:path];

	if (text)
		return [NSURL fileURLWithPath:text];
	mvm_fail(err, MVM_ERR_INVALID, "the path '%s' is not UTF-8", path);
	return nil;
}

static int set_boot_loader(VZVirtualMachineConfiguration *configuration, const struct mvm_machine_spec *spec,
			   struct mvm_error **err)
{
	NSURL *kernel = url_of(spec->kernel, err), *initrd = kernel ? url_of(spec->initrd, err) : nil;
	struct mvm_buf line = {0};
	char *text MVM_CLEAN_FREE = NULL;
	VZLinuxBootLoader *loader;

	if (!initrd)
		return -1;
	machine_kernel_args(spec, MVM_ARCH_OWN, &line);
	if (spec->kernel_args && *spec->kernel_args)
		mvm_buf_addf(&line, " %s", spec->kernel_args);
	text = mvm_buf_steal(&line);
	loader = [[[VZLinuxBootLoader alloc] initWithKernelURL:kernel] autorelease];
	[loader setInitialRamdiskURL:initrd];
	[loader setCommandLine:[NSString stringWithUTF8String:text]];
	[configuration setBootLoader:loader];
	return 0;
}

/* The limits are the host's, read and not known; the guest gets what there is. */
static void set_size(VZVirtualMachineConfiguration *configuration, const struct mvm_machine_spec *spec)
{
	NSUInteger most = [VZVirtualMachineConfiguration maximumAllowedCPUCount];
	uint64_t memory = (spec->memory + MIB - 1) / MIB * MIB;

	if (spec->cpus > most)
		mvm_log(MVM_LOG_INFO, "%u processors are asked for, and a machine here has at most %u", spec->cpus,
			(unsigned)most);
	[configuration setCPUCount:spec->cpus > most ? most : spec->cpus];
	if (memory < [VZVirtualMachineConfiguration minimumAllowedMemorySize])
		memory = [VZVirtualMachineConfiguration minimumAllowedMemorySize];
	if (memory > [VZVirtualMachineConfiguration maximumAllowedMemorySize])
		memory = [VZVirtualMachineConfiguration maximumAllowedMemorySize];
	[configuration setMemorySize:memory];
}

/* What the machine calls itself stays the same from boot to boot. */
static VZGenericMachineIdentifier *find_identity(const char *path)
{
	VZGenericMachineIdentifier *identity = nil;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *data MVM_CLEAN_FREE = NULL;
	size_t length;

	if (path && mvm_read_file(path, IDENTITY_MAX, &data, &length, NULL) == 0)
		identity = [[[VZGenericMachineIdentifier alloc]
			initWithDataRepresentation:[NSData dataWithBytes:data length:length]] autorelease];
	if (identity)
		return identity;
	identity = [[[VZGenericMachineIdentifier alloc] init] autorelease];
	if (path && mvm_replace_file(path, [[identity dataRepresentation] bytes],
				     [[identity dataRepresentation] length], 0600, &err) < 0)
		mvm_log(MVM_LOG_WARN, "%s", mvm_error_message(err));
	return identity;
}

static void set_platform(VZVirtualMachineConfiguration *configuration, const struct mvm_machine_spec *spec)
{
	VZGenericPlatformConfiguration *platform = [[[VZGenericPlatformConfiguration alloc] init] autorelease];

	[platform setMachineIdentifier:find_identity(spec->identity)];
	if (@available(macOS 15.0, *)) {
		if (spec->nested && [VZGenericPlatformConfiguration isNestedVirtualizationSupported])
			[platform setNestedVirtualizationEnabled:YES];
	}
	[configuration setPlatform:platform];
}

/* hvc0. A file attachment would do, but for its size, which the boot log bounds. */
static void set_console(VZVirtualMachineConfiguration *configuration, int console)
{
	VZVirtioConsoleDeviceSerialPortConfiguration *port =
		[[[VZVirtioConsoleDeviceSerialPortConfiguration alloc] init] autorelease];
	NSFileHandle *handle = [[[NSFileHandle alloc] initWithFileDescriptor:console closeOnDealloc:YES] autorelease];

	[port setAttachment:[[[VZFileHandleSerialPortAttachment alloc] initWithFileHandleForReading:nil
									       fileHandleForWriting:handle]
				    autorelease]];
	[configuration setSerialPorts:[NSArray arrayWithObject:port]];
}

/* Always cached: what the framework chooses by itself, and uncached, have corrupted Linux's file systems on virtio-blk.
 * A flush reaches the host's file system (fsync), which is what survives this process and the guest; of a scratch disk
 * nothing has to. */
static VZVirtioBlockDeviceConfiguration *make_disk(const struct mvm_machine_disk *disk, struct mvm_error **err)
{
	char *copy MVM_CLEAN_FREE = disk->throw_away ? vz_copy_path(disk) : NULL;
	NSURL *url = url_of(copy ? copy : disk->path, err);
	VZDiskImageStorageDeviceAttachment *image;
	VZVirtioBlockDeviceConfiguration *device;
	NSString *serial = disk->serial ? [NSString stringWithUTF8String:disk->serial] : nil;
	NSError *error = nil;

	if (!url)
		return nil;
	image = [[[VZDiskImageStorageDeviceAttachment alloc]
			initWithURL:url
			   readOnly:disk->read_only
			cachingMode:VZDiskImageCachingModeCached
		synchronizationMode:disk->scratch || copy ? VZDiskImageSynchronizationModeNone
							  : VZDiskImageSynchronizationModeFsync
			      error:&error] autorelease];
	if (!image) {
		vz_fail(err, error, disk->path);
		return nil;
	}
	device = [[[VZVirtioBlockDeviceConfiguration alloc] initWithAttachment:image] autorelease];
	/* It raises on a bad one. */
	if (serial && [VZVirtioBlockDeviceConfiguration validateBlockDeviceIdentifier:serial error:NULL])
		[device setBlockDeviceIdentifier:serial];
	return device;
}

static int set_disks(VZVirtualMachineConfiguration *configuration, const struct mvm_machine_spec *spec,
		     struct mvm_error **err)
{
	NSMutableArray *disks = [NSMutableArray array];

	for (size_t i = 0; i < spec->disk_count; i++) {
		VZVirtioBlockDeviceConfiguration *disk = make_disk(&spec->disks[i], err);

		if (!disk)
			return -1;
		[disks addObject:disk];
	}
	[configuration setStorageDevices:disks];
	return 0;
}

/* The wire to the network's process, not the system's NAT: of that guests are kept apart, and its addresses are
 * nobody's to choose. The other end stays open as long as the machine lives: closed, it would be the end of the wire.
 */
static VZVirtioNetworkDeviceConfiguration *make_nic(const struct mvm_machine_nic *nic, struct mvm_error **err)
{
	VZVirtioNetworkDeviceConfiguration *device = [[[VZVirtioNetworkDeviceConfiguration alloc] init] autorelease];
	VZFileHandleNetworkDeviceAttachment *wire;
	char mac[18];
	int fd = dup(nic->fd);

	if (fd < 0) {
		mvm_fail(err, MVM_ERR_MACHINE, "no descriptor is left for the machine's network");
		return nil;
	}
	mvm_set_cloexec(fd, true);
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", nic->mac[0], nic->mac[1], nic->mac[2], nic->mac[3],
		 nic->mac[4], nic->mac[5]);
	wire = [[[VZFileHandleNetworkDeviceAttachment alloc]
		initWithFileHandle:[[[NSFileHandle alloc] initWithFileDescriptor:fd
								  closeOnDealloc:YES] autorelease]] autorelease];
	[wire setMaximumTransmissionUnit:nic->mtu < MTU_MIN ? MTU_MIN : nic->mtu > MTU_MAX ? MTU_MAX : nic->mtu];
	[device setMACAddress:[[[VZMACAddress alloc] initWithString:[NSString stringWithUTF8String:mac]] autorelease]];
	[device setAttachment:wire];
	return device;
}

static int set_networks(VZVirtualMachineConfiguration *configuration, const struct mvm_machine_spec *spec,
			struct mvm_error **err)
{
	NSMutableArray *devices = [NSMutableArray array];

	for (size_t i = 0; i < spec->nic_count; i++) {
		VZVirtioNetworkDeviceConfiguration *device = make_nic(&spec->nics[i], err);

		if (!device)
			return -1;
		[devices addObject:device];
	}
	[configuration setNetworkDevices:devices];
	return 0;
}

/* At most one of each. The balloon is of the old kind, without free-page reporting: what an inflated one takes from the
 * guest has been measured not to come back to the host (docs/design.md, "What goes back to the host"), and a
 * container's limit is its cgroup's. So nobody sets its target; but no machine can be given one later. */
static void set_others(VZVirtualMachineConfiguration *configuration)
{
	[configuration setEntropyDevices:[NSArray arrayWithObject:[[[VZVirtioEntropyDeviceConfiguration alloc] init]
									  autorelease]]];
	[configuration
		setMemoryBalloonDevices:[NSArray arrayWithObject:[[[VZVirtioTraditionalMemoryBalloonDeviceConfiguration
									 alloc] init] autorelease]]];
	[configuration setSocketDevices:[NSArray arrayWithObject:[[[VZVirtioSocketDeviceConfiguration alloc] init]
									 autorelease]]];
}

static int build(VZVirtualMachineConfiguration *configuration, const struct mvm_machine_spec *spec,
		 struct mvm_error **err)
{
	NSArray *shares = vz_share_devices(spec, err);

	if (!shares || set_boot_loader(configuration, spec, err) < 0 || set_disks(configuration, spec, err) < 0 ||
	    set_networks(configuration, spec, err) < 0)
		return -1;
	set_size(configuration, spec);
	set_platform(configuration, spec);
	set_others(configuration);
	[configuration setDirectorySharingDevices:shares];
	return 0;
}

VZVirtualMachineConfiguration *vz_configuration(const struct mvm_machine_spec *spec, int console,
						struct mvm_error **err)
{
	static const char what[] = "cannot make a machine";
	VZVirtualMachineConfiguration *configuration = [[[VZVirtualMachineConfiguration alloc] init] autorelease];
	NSError *error = nil;

	@try {
		set_console(configuration, console);
		if (build(configuration, spec, err) < 0)
			return nil;
		/* Its result counts, not whether there is an error. Without the entitlement everything is invalid. */
		if ([configuration validateWithError:&error])
			return configuration;
		vz_fail(err, error, what);
	} @catch (NSException *exception) {
		vz_fail_exception(err, exception, what);
	}
	return nil;
}
