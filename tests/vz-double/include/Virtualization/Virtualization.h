/*
 * Virtualization.framework as far as mvm uses it: classes, selectors and constants by the names that Apple's headers
 * give them, written anew. Each member is marked with the macOS that brought it.
 *
 * Two compilers read this: the one that builds the double on Linux, over GNUstep, and clang for macOS, which only
 * checks runtime/backend/vz against it (tests/lint). A Mac's own build reads Apple's header.
 *
 * Only methods, no properties: so it serves without automatic reference counting too.
 */
#ifndef VZ_DOUBLE_VIRTUALIZATION_H
#define VZ_DOUBLE_VIRTUALIZATION_H

#import <Foundation/Foundation.h>
#include <dispatch/dispatch.h>
#include <stdint.h>

#define VZ_SINCE(version) __attribute__((availability(macos, introduced = version)))
#ifndef NS_UNAVAILABLE
#define NS_UNAVAILABLE __attribute__((unavailable))
#endif

/* On a Mac Rosetta's classes are there on Apple silicon only. The double has them everywhere. */
#if defined(__arm64__) || !defined(__APPLE__)
#define VZ_DOUBLE_ROSETTA 1
#endif

/* gcc's runtime wants a class's variables in its declaration, where Apple's classes show none: the double's have one
 * root that holds them. */
#ifdef __APPLE__
#define VZ_DOUBLE_ROOT NSObject
#else
#define VZ_DOUBLE_ROOT VZDoubleObject
@interface VZDoubleObject : NSObject {
      @protected
	NSMutableDictionary *values;
	id weak;		     /* the delegate */
	struct vz_double_link *link; /* a machine's, to its process */
}
- (id)copyWithZone:(NSZone *)zone; /* for those that conform to NSCopying */
@end
#endif

extern NSString *const VZErrorDomain;

typedef enum : NSInteger {
	VZDiskImageCachingModeAutomatic = 0,
	VZDiskImageCachingModeUncached = 1,
	VZDiskImageCachingModeCached = 2,
} VZDiskImageCachingMode;

typedef enum : NSInteger {
	VZDiskImageSynchronizationModeFull = 1,
	VZDiskImageSynchronizationModeFsync = 2,
	VZDiskImageSynchronizationModeNone = 3,
} VZDiskImageSynchronizationMode;

typedef enum : NSInteger {
	VZLinuxRosettaAvailabilityNotSupported = 0,
	VZLinuxRosettaAvailabilityNotInstalled = 1,
	VZLinuxRosettaAvailabilityInstalled = 2,
} VZLinuxRosettaAvailability;

typedef enum : NSInteger {
	VZVirtualMachineStateStopped = 0,
	VZVirtualMachineStateRunning = 1,
	VZVirtualMachineStatePaused = 2,
	VZVirtualMachineStateError = 3,
	VZVirtualMachineStateStarting = 4,
	VZVirtualMachineStatePausing = 5,
	VZVirtualMachineStateResuming = 6,
	VZVirtualMachineStateStopping = 7,
	VZVirtualMachineStateSaving = 8,
	VZVirtualMachineStateRestoring = 9,
} VZVirtualMachineState;

typedef enum : NSInteger {
	VZErrorInternal = 1,
	VZErrorInvalidVirtualMachineConfiguration = 2,
	VZErrorInvalidVirtualMachineState = 3,
	VZErrorInvalidVirtualMachineStateTransition = 4,
	VZErrorInvalidDiskImage = 5,
	VZErrorVirtualMachineLimitExceeded = 6,
	VZErrorNetworkError = 7,
	VZErrorOutOfDiskSpace = 8,
	VZErrorOperationCancelled = 9,
	VZErrorNotSupported = 10,
	VZErrorSave = 11,
	VZErrorRestore = 12,
} VZErrorCode;

@class VZVirtualMachineConfiguration;
@class VZVirtualMachine;
@class VZBootLoader;
@class VZLinuxBootLoader;
@class VZPlatformConfiguration;
@class VZGenericPlatformConfiguration;
@class VZGenericMachineIdentifier;
@class VZStorageDeviceConfiguration;
@class VZStorageDeviceAttachment;
@class VZVirtioBlockDeviceConfiguration;
@class VZDiskImageStorageDeviceAttachment;
@class VZNetworkDeviceConfiguration;
@class VZVirtioNetworkDeviceConfiguration;
@class VZNetworkDevice;
@class VZMACAddress;
@class VZNetworkDeviceAttachment;
@class VZNATNetworkDeviceAttachment;
@class VZFileHandleNetworkDeviceAttachment;
@class VZEntropyDeviceConfiguration;
@class VZVirtioEntropyDeviceConfiguration;
@class VZMemoryBalloonDeviceConfiguration;
@class VZVirtioTraditionalMemoryBalloonDeviceConfiguration;
@class VZMemoryBalloonDevice;
@class VZVirtioTraditionalMemoryBalloonDevice;
@class VZSerialPortConfiguration;
@class VZVirtioConsoleDeviceSerialPortConfiguration;
@class VZSerialPortAttachment;
@class VZFileHandleSerialPortAttachment;
@class VZFileSerialPortAttachment;
@class VZSocketDeviceConfiguration;
@class VZVirtioSocketDeviceConfiguration;
@class VZSocketDevice;
@class VZVirtioSocketDevice;
@class VZVirtioSocketListener;
@class VZVirtioSocketConnection;
@class VZDirectorySharingDeviceConfiguration;
@class VZVirtioFileSystemDeviceConfiguration;
@class VZDirectorySharingDevice;
@class VZVirtioFileSystemDevice;
@class VZDirectoryShare;
@class VZSingleDirectoryShare;
@class VZMultipleDirectoryShare;
@class VZSharedDirectory;
@class VZLinuxRosettaDirectoryShare;
@class VZLinuxRosettaCachingOptions;
@class VZLinuxRosettaUnixSocketCachingOptions;

@protocol VZVirtualMachineDelegate <NSObject>
@optional
- (void)guestDidStopVirtualMachine:(VZVirtualMachine *)virtualMachine VZ_SINCE(11.0);
- (void)virtualMachine:(VZVirtualMachine *)virtualMachine didStopWithError:(NSError *)error VZ_SINCE(11.0);
- (void)virtualMachine:(VZVirtualMachine *)virtualMachine
			     networkDevice:(VZNetworkDevice *)networkDevice
	attachmentWasDisconnectedWithError:(NSError *)error VZ_SINCE(12.0);
@end

@protocol VZVirtioSocketListenerDelegate <NSObject>
@optional
- (BOOL)listener:(VZVirtioSocketListener *)listener
	shouldAcceptNewConnection:(VZVirtioSocketConnection *)connection
		 fromSocketDevice:(VZVirtioSocketDevice *)socketDevice VZ_SINCE(11.0);
@end

VZ_SINCE(11.0)
@interface VZVirtualMachineConfiguration : VZ_DOUBLE_ROOT <NSCopying>
+ (NSUInteger)maximumAllowedCPUCount;
+ (uint64_t)maximumAllowedMemorySize;
+ (NSUInteger)minimumAllowedCPUCount;
+ (uint64_t)minimumAllowedMemorySize;
- (NSUInteger)CPUCount;
- (VZBootLoader *)bootLoader;
- (NSArray<VZDirectorySharingDeviceConfiguration *> *)directorySharingDevices VZ_SINCE(12.0);
- (NSArray<VZEntropyDeviceConfiguration *> *)entropyDevices;
- (NSArray<VZMemoryBalloonDeviceConfiguration *> *)memoryBalloonDevices;
- (uint64_t)memorySize;
- (NSArray<VZNetworkDeviceConfiguration *> *)networkDevices;
- (VZPlatformConfiguration *)platform VZ_SINCE(12.0);
- (NSArray<VZSerialPortConfiguration *> *)serialPorts;
- (void)setBootLoader:(VZBootLoader *)bootLoader;
- (void)setCPUCount:(NSUInteger)CPUCount;
- (void)setDirectorySharingDevices:(NSArray<VZDirectorySharingDeviceConfiguration *> *)directorySharingDevices
	VZ_SINCE(12.0);
- (void)setEntropyDevices:(NSArray<VZEntropyDeviceConfiguration *> *)entropyDevices;
- (void)setMemoryBalloonDevices:(NSArray<VZMemoryBalloonDeviceConfiguration *> *)memoryBalloonDevices;
- (void)setMemorySize:(uint64_t)memorySize;
- (void)setNetworkDevices:(NSArray<VZNetworkDeviceConfiguration *> *)networkDevices;
- (void)setPlatform:(VZPlatformConfiguration *)platform VZ_SINCE(12.0);
- (void)setSerialPorts:(NSArray<VZSerialPortConfiguration *> *)serialPorts;
- (void)setSocketDevices:(NSArray<VZSocketDeviceConfiguration *> *)socketDevices;
- (void)setStorageDevices:(NSArray<VZStorageDeviceConfiguration *> *)storageDevices;
- (NSArray<VZSocketDeviceConfiguration *> *)socketDevices;
- (NSArray<VZStorageDeviceConfiguration *> *)storageDevices;
- (BOOL)validateWithError:(NSError **)error;
@end

VZ_SINCE(11.0)
@interface VZVirtualMachine : VZ_DOUBLE_ROOT
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
+ (BOOL)isSupported;
- (BOOL)canPause;
- (BOOL)canRequestStop;
- (BOOL)canResume;
- (BOOL)canStart;
- (BOOL)canStop VZ_SINCE(12.0);
- (id<VZVirtualMachineDelegate>)delegate;
- (NSArray<VZDirectorySharingDevice *> *)directorySharingDevices VZ_SINCE(12.0);
- (instancetype)initWithConfiguration:(VZVirtualMachineConfiguration *)configuration;
- (instancetype)initWithConfiguration:(VZVirtualMachineConfiguration *)configuration queue:(dispatch_queue_t)queue;
- (NSArray<VZMemoryBalloonDevice *> *)memoryBalloonDevices;
- (NSArray<VZNetworkDevice *> *)networkDevices VZ_SINCE(12.0);
- (void)pauseWithCompletionHandler:(void (^)(NSError *))completionHandler;
- (dispatch_queue_t)queue VZ_SINCE(26.0);
- (BOOL)requestStopWithError:(NSError **)error;
- (void)resumeWithCompletionHandler:(void (^)(NSError *))completionHandler;
- (void)setDelegate:(id<VZVirtualMachineDelegate>)delegate;
- (NSArray<VZSocketDevice *> *)socketDevices;
- (VZVirtualMachineState)state;
- (void)startWithCompletionHandler:(void (^)(NSError *))completionHandler;
- (void)stopWithCompletionHandler:(void (^)(NSError *))completionHandler VZ_SINCE(12.0);
@end

VZ_SINCE(11.0)
@interface VZBootLoader : VZ_DOUBLE_ROOT <NSCopying>
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
@end

VZ_SINCE(11.0)
@interface VZLinuxBootLoader : VZBootLoader
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
- (NSString *)commandLine;
- (instancetype)initWithKernelURL:(NSURL *)kernelURL;
- (NSURL *)initialRamdiskURL;
- (NSURL *)kernelURL;
- (void)setCommandLine:(NSString *)commandLine;
- (void)setInitialRamdiskURL:(NSURL *)initialRamdiskURL;
- (void)setKernelURL:(NSURL *)kernelURL;
@end

VZ_SINCE(12.0)
@interface VZPlatformConfiguration : VZ_DOUBLE_ROOT <NSCopying>
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
@end

VZ_SINCE(12.0)
@interface VZGenericPlatformConfiguration : VZPlatformConfiguration
+ (instancetype)new NS_UNAVAILABLE;
+ (BOOL)isNestedVirtualizationSupported VZ_SINCE(15.0);
- (instancetype)init;
- (BOOL)isNestedVirtualizationEnabled VZ_SINCE(15.0);
- (VZGenericMachineIdentifier *)machineIdentifier VZ_SINCE(13.0);
- (void)setMachineIdentifier:(VZGenericMachineIdentifier *)machineIdentifier VZ_SINCE(13.0);
- (void)setNestedVirtualizationEnabled:(BOOL)nestedVirtualizationEnabled VZ_SINCE(15.0);
@end

VZ_SINCE(13.0)
@interface VZGenericMachineIdentifier : VZ_DOUBLE_ROOT <NSCopying>
- (NSData *)dataRepresentation;
- (instancetype)init;
- (instancetype)initWithDataRepresentation:(NSData *)dataRepresentation;
@end

VZ_SINCE(11.0)
@interface VZStorageDeviceConfiguration : VZ_DOUBLE_ROOT <NSCopying>
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
- (VZStorageDeviceAttachment *)attachment;
@end

VZ_SINCE(11.0)
@interface VZStorageDeviceAttachment : VZ_DOUBLE_ROOT
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
@end

VZ_SINCE(11.0)
@interface VZVirtioBlockDeviceConfiguration : VZStorageDeviceConfiguration
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
+ (BOOL)validateBlockDeviceIdentifier:(NSString *)blockDeviceIdentifier error:(NSError **)error VZ_SINCE(12.3);
- (NSString *)blockDeviceIdentifier VZ_SINCE(12.3);
- (instancetype)initWithAttachment:(VZStorageDeviceAttachment *)attachment;
- (void)setBlockDeviceIdentifier:(NSString *)blockDeviceIdentifier VZ_SINCE(12.3);
@end

VZ_SINCE(11.0)
@interface VZDiskImageStorageDeviceAttachment : VZStorageDeviceAttachment
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
- (NSURL *)URL;
- (VZDiskImageCachingMode)cachingMode VZ_SINCE(12.0);
- (instancetype)initWithURL:(NSURL *)url
		   readOnly:(BOOL)readOnly
		cachingMode:(VZDiskImageCachingMode)cachingMode
	synchronizationMode:(VZDiskImageSynchronizationMode)synchronizationMode
		      error:(NSError **)error VZ_SINCE(12.0);
- (instancetype)initWithURL:(NSURL *)url readOnly:(BOOL)readOnly error:(NSError **)error;
- (BOOL)isReadOnly;
- (VZDiskImageSynchronizationMode)synchronizationMode VZ_SINCE(12.0);
@end

VZ_SINCE(11.0)
@interface VZNetworkDeviceConfiguration : VZ_DOUBLE_ROOT <NSCopying>
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
- (VZMACAddress *)MACAddress;
- (VZNetworkDeviceAttachment *)attachment;
- (void)setAttachment:(VZNetworkDeviceAttachment *)attachment;
- (void)setMACAddress:(VZMACAddress *)MACAddress;
@end

VZ_SINCE(11.0)
@interface VZVirtioNetworkDeviceConfiguration : VZNetworkDeviceConfiguration
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init;
@end

VZ_SINCE(12.0)
@interface VZNetworkDevice : VZ_DOUBLE_ROOT
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
- (VZNetworkDeviceAttachment *)attachment;
- (void)setAttachment:(VZNetworkDeviceAttachment *)attachment;
@end

VZ_SINCE(11.0)
@interface VZMACAddress : VZ_DOUBLE_ROOT <NSCopying>
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
+ (instancetype)randomLocallyAdministeredAddress;
- (instancetype)initWithString:(NSString *)string;
- (BOOL)isBroadcastAddress;
- (BOOL)isLocallyAdministeredAddress;
- (BOOL)isMulticastAddress;
- (BOOL)isUnicastAddress;
- (BOOL)isUniversallyAdministeredAddress;
- (NSString *)string;
@end

VZ_SINCE(11.0)
@interface VZNetworkDeviceAttachment : VZ_DOUBLE_ROOT
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
@end

VZ_SINCE(11.0)
@interface VZNATNetworkDeviceAttachment : VZNetworkDeviceAttachment
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init;
@end

VZ_SINCE(11.0)
@interface VZFileHandleNetworkDeviceAttachment : VZNetworkDeviceAttachment
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
- (NSFileHandle *)fileHandle;
- (instancetype)initWithFileHandle:(NSFileHandle *)fileHandle;
- (NSInteger)maximumTransmissionUnit VZ_SINCE(13.0);
- (void)setMaximumTransmissionUnit:(NSInteger)maximumTransmissionUnit VZ_SINCE(13.0);
@end

VZ_SINCE(11.0)
@interface VZEntropyDeviceConfiguration : VZ_DOUBLE_ROOT <NSCopying>
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
@end

VZ_SINCE(11.0)
@interface VZVirtioEntropyDeviceConfiguration : VZEntropyDeviceConfiguration
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init;
@end

VZ_SINCE(11.0)
@interface VZMemoryBalloonDeviceConfiguration : VZ_DOUBLE_ROOT <NSCopying>
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
@end

VZ_SINCE(11.0)
@interface VZVirtioTraditionalMemoryBalloonDeviceConfiguration : VZMemoryBalloonDeviceConfiguration
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init;
@end

VZ_SINCE(11.0)
@interface VZMemoryBalloonDevice : VZ_DOUBLE_ROOT
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
@end

VZ_SINCE(11.0)
@interface VZVirtioTraditionalMemoryBalloonDevice : VZMemoryBalloonDevice
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
- (void)setTargetVirtualMachineMemorySize:(uint64_t)targetVirtualMachineMemorySize;
- (uint64_t)targetVirtualMachineMemorySize;
@end

VZ_SINCE(11.0)
@interface VZSerialPortConfiguration : VZ_DOUBLE_ROOT <NSCopying>
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
- (VZSerialPortAttachment *)attachment;
- (void)setAttachment:(VZSerialPortAttachment *)attachment;
@end

VZ_SINCE(11.0)
@interface VZVirtioConsoleDeviceSerialPortConfiguration : VZSerialPortConfiguration
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init;
@end

VZ_SINCE(11.0)
@interface VZSerialPortAttachment : VZ_DOUBLE_ROOT
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
@end

VZ_SINCE(11.0)
@interface VZFileHandleSerialPortAttachment : VZSerialPortAttachment
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
- (NSFileHandle *)fileHandleForReading;
- (NSFileHandle *)fileHandleForWriting;
- (instancetype)initWithFileHandleForReading:(NSFileHandle *)fileHandleForReading
			fileHandleForWriting:(NSFileHandle *)fileHandleForWriting;
@end

VZ_SINCE(11.0)
@interface VZFileSerialPortAttachment : VZSerialPortAttachment
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
- (NSURL *)URL;
- (BOOL)append;
- (instancetype)initWithURL:(NSURL *)url append:(BOOL)shouldAppend error:(NSError **)error;
@end

VZ_SINCE(11.0)
@interface VZSocketDeviceConfiguration : VZ_DOUBLE_ROOT <NSCopying>
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
@end

VZ_SINCE(11.0)
@interface VZVirtioSocketDeviceConfiguration : VZSocketDeviceConfiguration
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init;
@end

VZ_SINCE(11.0)
@interface VZSocketDevice : VZ_DOUBLE_ROOT
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
@end

VZ_SINCE(11.0)
@interface VZVirtioSocketDevice : VZSocketDevice
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
- (void)connectToPort:(uint32_t)port
	completionHandler:(void (^)(VZVirtioSocketConnection *, NSError *))completionHandler;
- (void)removeSocketListenerForPort:(uint32_t)port;
- (void)setSocketListener:(VZVirtioSocketListener *)listener forPort:(uint32_t)port;
@end

VZ_SINCE(11.0)
@interface VZVirtioSocketListener : VZ_DOUBLE_ROOT
- (id<VZVirtioSocketListenerDelegate>)delegate;
- (void)setDelegate:(id<VZVirtioSocketListenerDelegate>)delegate;
@end

VZ_SINCE(11.0)
@interface VZVirtioSocketConnection : VZ_DOUBLE_ROOT
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
- (void)close;
- (uint32_t)destinationPort;
- (int)fileDescriptor;
- (uint32_t)sourcePort;
@end

VZ_SINCE(12.0)
@interface VZDirectorySharingDeviceConfiguration : VZ_DOUBLE_ROOT <NSCopying>
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
@end

VZ_SINCE(12.0)
@interface VZVirtioFileSystemDeviceConfiguration : VZDirectorySharingDeviceConfiguration
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
+ (BOOL)validateTag:(NSString *)tag error:(NSError **)error;
- (instancetype)initWithTag:(NSString *)tag;
- (void)setShare:(VZDirectoryShare *)share;
- (void)setTag:(NSString *)tag;
- (VZDirectoryShare *)share;
- (NSString *)tag;
@end

VZ_SINCE(12.0)
@interface VZDirectorySharingDevice : VZ_DOUBLE_ROOT
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
@end

VZ_SINCE(12.0)
@interface VZVirtioFileSystemDevice : VZDirectorySharingDevice
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
- (void)setShare:(VZDirectoryShare *)share;
- (VZDirectoryShare *)share;
- (NSString *)tag;
@end

VZ_SINCE(12.0)
@interface VZDirectoryShare : VZ_DOUBLE_ROOT
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
@end

VZ_SINCE(12.0)
@interface VZSingleDirectoryShare : VZDirectoryShare
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
- (VZSharedDirectory *)directory;
- (instancetype)initWithDirectory:(VZSharedDirectory *)directory;
@end

VZ_SINCE(12.0)
@interface VZMultipleDirectoryShare : VZDirectoryShare
+ (instancetype)new NS_UNAVAILABLE;
+ (NSString *)canonicalizedNameFromName:(NSString *)name;
+ (BOOL)validateName:(NSString *)name error:(NSError **)error;
- (NSDictionary<NSString *, VZSharedDirectory *> *)directories;
- (instancetype)init;
- (instancetype)initWithDirectories:(NSDictionary<NSString *, VZSharedDirectory *> *)directories;
@end

VZ_SINCE(12.0)
@interface VZSharedDirectory : VZ_DOUBLE_ROOT
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
- (NSURL *)URL;
- (instancetype)initWithURL:(NSURL *)url readOnly:(BOOL)readOnly;
- (BOOL)isReadOnly;
@end

#ifdef VZ_DOUBLE_ROSETTA
VZ_SINCE(13.0)
@interface VZLinuxRosettaDirectoryShare : VZDirectoryShare
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
+ (VZLinuxRosettaAvailability)availability;
+ (void)installRosettaWithCompletionHandler:(void (^)(NSError *))completionHandler;
- (instancetype)initWithError:(NSError **)error;
- (VZLinuxRosettaCachingOptions *)options VZ_SINCE(14.0);
- (void)setOptions:(VZLinuxRosettaCachingOptions *)options VZ_SINCE(14.0);
@end

VZ_SINCE(14.0)
@interface VZLinuxRosettaCachingOptions : VZ_DOUBLE_ROOT
+ (instancetype)new NS_UNAVAILABLE;
- (instancetype)init NS_UNAVAILABLE;
@end

VZ_SINCE(14.0)
@interface VZLinuxRosettaUnixSocketCachingOptions : VZLinuxRosettaCachingOptions
+ (instancetype)new NS_UNAVAILABLE;
+ (NSUInteger)maximumPathLength;
- (instancetype)init;
- (instancetype)initWithPath:(NSString *)path error:(NSError **)error;
- (NSString *)path;
@end
#endif

#endif
