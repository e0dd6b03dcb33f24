/*
 * What the double's files share.
 *
 * An object keeps its properties in a dictionary, by name; so that copying and replacing them is the same for all
 * classes. What the real class refuses is refused before.
 */
#ifndef VZ_DOUBLE_DOUBLE_H
#define VZ_DOUBLE_DOUBLE_H

#import <Virtualization/Virtualization.h>
#include <stdbool.h>

#include "trap.h"

@interface VZDoubleObject (Double)
/* Whether the real class has these; where not, they raise. */
+ (BOOL)doubleHasNew;
+ (BOOL)doubleHasInit;
- (instancetype)initDouble;
- (id)valueOf:(NSString *)name;
/* nil takes it away. */
- (void)setValue:(id)value of:(NSString *)name;
@end

/* ---- what goes wrong ---- */

/* Raises NSInvalidArgumentException, as the real framework does on programming errors. */
void vz_double_raise(NSString *format, ...) __attribute__((noreturn)) NS_FORMAT_FUNCTION(1, 2);
void vz_double_require(id argument, const char *what);
NSError *vz_double_error(VZErrorCode code, NSString *reason);
/* Fills *error in, where there is one, and returns NO. */
BOOL vz_double_fail(NSError **error, VZErrorCode code, NSString *reason);
void vz_double_require_file(NSURL *url, bool folder, const char *what);

/* Whether MVM_VZ_DOUBLE_FAULT names this fault. */
bool vz_double_fault(const char *name);

/* ---- weak references ---- */

/* Does not retain; the slot becomes nil when the object goes. */
void vz_double_store_weak(id *slot, id object);
/* Autoreleased, so that it lives through the call that it is loaded for. */
id vz_double_load_weak(id *slot);

/* ---- the machine's objects, made by it ---- */

struct vz_double_link;

@interface VZVirtioSocketDevice (Double)
- (instancetype)initWithQueue:(dispatch_queue_t)queue link:(struct vz_double_link *)theLink;
- (void)begin;
- (void)takeConnection:(int)fd toPort:(uint32_t)port;
- (void)answer:(uint32_t)identifier connection:(int)fd;
/* The machine is no more: what waits for an answer gets an error. */
- (void)end;
@end

@interface VZNetworkDevice (Double)
- (instancetype)initWithAttachment:(VZNetworkDeviceAttachment *)attachment
			     queue:(dispatch_queue_t)queue
			     index:(unsigned)index
			      link:(struct vz_double_link *)theLink;
- (void)detach;
@end

@interface VZVirtioTraditionalMemoryBalloonDevice (Double)
- (instancetype)initWithSize:(uint64_t)size queue:(dispatch_queue_t)queue link:(struct vz_double_link *)theLink;
@end

@interface VZVirtioFileSystemDevice (Double)
- (instancetype)initWithConfiguration:(VZVirtioFileSystemDeviceConfiguration *)configuration
				queue:(dispatch_queue_t)queue;
@end

/* As the process of the machine reads it; machine/spec.h says what it is. The descriptors are the attachments'. */
NSDictionary *vz_double_describe(VZVirtualMachineConfiguration *configuration, NSMutableArray *descriptors);

#endif
