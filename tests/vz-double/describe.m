/* A configuration as the process of the machine reads it. */
#include "double.h"

/* The number that a descriptor is known by. */
static NSNumber *add_descriptor(NSMutableArray *descriptors, NSFileHandle *handle)
{
	if (!handle)
		return [NSNumber numberWithInt:-1];
	[descriptors addObject:[NSNumber numberWithInt:[handle fileDescriptor]]];
	return [NSNumber numberWithUnsignedInteger:[descriptors count] - 1];
}

static NSDictionary *describe_disk(VZVirtioBlockDeviceConfiguration *disk)
{
	VZDiskImageStorageDeviceAttachment *image = (VZDiskImageStorageDeviceAttachment *)[disk attachment];
	BOOL unsynced = [image synchronizationMode] == VZDiskImageSynchronizationModeNone;

	return [NSDictionary dictionaryWithObjectsAndKeys:[[image URL] path], @"path",
							  [NSNumber numberWithBool:[image isReadOnly]], @"readOnly",
							  [NSNumber numberWithBool:unsynced], @"unsynced",
							  [disk blockDeviceIdentifier], @"serial", nil];
}

static NSDictionary *describe_network(VZNetworkDeviceConfiguration *network, NSMutableArray *descriptors)
{
	id attachment = [network attachment];
	NSFileHandle *handle = nil;

	if ([attachment isKindOfClass:[VZFileHandleNetworkDeviceAttachment class]])
		handle = [attachment fileHandle];
	return [NSDictionary dictionaryWithObjectsAndKeys:[[network MACAddress] string], @"mac",
							  add_descriptor(descriptors, handle), @"fd", nil];
}

static NSDictionary *describe_folder(NSString *name, VZSharedDirectory *directory)
{
	return [NSDictionary dictionaryWithObjectsAndKeys:name, @"name", [[directory URL] path], @"path",
							  [NSNumber numberWithBool:[directory isReadOnly]], @"readOnly",
							  nil];
}

/* Sorted by the length of their names and then by them, so that numbers come in their order. */
static NSComparisonResult by_number(id a, id b, void *context)
{
	NSUInteger left = [a length], right = [b length];

	(void)context;
	if (left != right)
		return left < right ? NSOrderedAscending : NSOrderedDescending;
	return [a compare:b];
}

static NSDictionary *describe_share(VZVirtioFileSystemDeviceConfiguration *device)
{
	NSMutableArray *folders = [NSMutableArray array];
	NSDictionary *directories = nil;

	if ([[device share] isKindOfClass:[VZMultipleDirectoryShare class]])
		directories = [(VZMultipleDirectoryShare *)[device share] directories];
	else if ([[device share] isKindOfClass:[VZSingleDirectoryShare class]])
		[folders addObject:describe_folder(@"", [(VZSingleDirectoryShare *)[device share] directory])];
	for (NSString *name in [[directories allKeys] sortedArrayUsingFunction:by_number context:NULL])
		[folders addObject:describe_folder(name, [directories objectForKey:name])];
	return [NSDictionary dictionaryWithObjectsAndKeys:[device tag], @"tag", folders, @"folders", nil];
}

/* The folder of what stands in for Rosetta, as a device of its own. */
static NSDictionary *describe_rosetta(VZVirtioFileSystemDeviceConfiguration *device)
{
	return [NSDictionary dictionaryWithObjectsAndKeys:[device tag], @"tag", [(id)[device share] valueOf:@"folder"],
							  @"folder", nil];
}

static NSDictionary *describe_console(VZVirtualMachineConfiguration *configuration, NSMutableArray *descriptors)
{
	VZSerialPortConfiguration *port = [[configuration serialPorts] lastObject];
	id attachment = [port attachment];
	NSFileHandle *input = nil;

	if ([attachment isKindOfClass:[VZFileHandleSerialPortAttachment class]])
		input = [attachment fileHandleForReading];
	return [NSDictionary dictionaryWithObjectsAndKeys:add_descriptor(descriptors, input), @"in",
							  add_descriptor(descriptors, [attachment valueOf:@"writing"]),
							  @"out", nil];
}

NSDictionary *vz_double_describe(VZVirtualMachineConfiguration *configuration, NSMutableArray *descriptors)
{
	VZLinuxBootLoader *loader = (VZLinuxBootLoader *)[configuration bootLoader];
	NSMutableArray *disks = [NSMutableArray array], *networks = [NSMutableArray array];
	NSMutableArray *shares = [NSMutableArray array];
	NSMutableDictionary *all = [NSMutableDictionary dictionary];

	for (VZVirtioBlockDeviceConfiguration *disk in [configuration storageDevices])
		[disks addObject:describe_disk(disk)];
	for (VZNetworkDeviceConfiguration *network in [configuration networkDevices])
		[networks addObject:describe_network(network, descriptors)];
	for (VZVirtioFileSystemDeviceConfiguration *device in [configuration directorySharingDevices])
		if ([[device share] isKindOfClass:[VZLinuxRosettaDirectoryShare class]])
			[all setObject:describe_rosetta(device) forKey:@"rosetta"];
		else
			[shares addObject:describe_share(device)];
	[all setObject:[[loader kernelURL] path] forKey:@"kernel"];
	[all setObject:[loader initialRamdiskURL] ? [[loader initialRamdiskURL] path] : @"" forKey:@"initrd"];
	[all setObject:[loader commandLine] forKey:@"commandLine"];
	[all setObject:[NSNumber numberWithUnsignedInteger:[configuration CPUCount]] forKey:@"cpus"];
	[all setObject:[NSNumber numberWithUnsignedLongLong:[configuration memorySize]] forKey:@"memory"];
	[all setObject:describe_console(configuration, descriptors) forKey:@"console"];
	[all setObject:disks forKey:@"disks"];
	[all setObject:networks forKey:@"networks"];
	[all setObject:shares forKey:@"shares"];
	return all;
}
