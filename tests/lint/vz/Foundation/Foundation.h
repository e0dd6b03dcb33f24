/*
 * As much of Foundation, by Apple's names, as the backend for macOS sends messages to: for the type check on Linux
 * (tests/lint/check-vz), where nothing else is. A Mac's own build reads Apple's header.
 */
#ifndef VZ_CHECK_FOUNDATION_H
#define VZ_CHECK_FOUNDATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef bool BOOL;
typedef long NSInteger;
typedef unsigned long NSUInteger;
typedef struct _NSZone NSZone;
#define YES ((BOOL)1)
#define NO  ((BOOL)0)
#define nil ((id)0)

@class NSArray, NSDictionary, NSString, NSMethodSignature;

@protocol NSObject
- (BOOL)isKindOfClass:(Class)aClass;
- (BOOL)respondsToSelector:(SEL)aSelector;
- (instancetype)retain;
- (oneway void)release;
- (instancetype)autorelease;
@end

@protocol NSCopying
@end

__attribute__((objc_root_class))
@interface NSObject<NSObject>
+ (instancetype)alloc;
+ (instancetype)new;
+ (Class)class;
- (instancetype)init;
- (void)dealloc;
- (id)copy;
@end

@interface NSString : NSObject <NSCopying>
+ (instancetype)stringWithUTF8String:(const char *)text;
+ (instancetype)stringWithFormat:(NSString *)format, ...;
- (const char *)UTF8String;
- (BOOL)isEqualToString:(NSString *)other;
@end

@interface NSConstantString : NSString {
	char *text;
	unsigned length;
}
@end

@interface NSURL : NSObject
+ (instancetype)fileURLWithPath:(NSString *)path;
@end

@interface NSData : NSObject
+ (instancetype)dataWithBytes:(const void *)bytes length:(NSUInteger)length;
- (const void *)bytes;
- (NSUInteger)length;
@end

@interface NSError : NSObject
- (NSInteger)code;
- (NSString *)domain;
- (NSString *)localizedDescription;
- (NSString *)localizedFailureReason;
@end

@interface NSException : NSObject
- (NSString *)reason;
@end

@interface NSFileHandle : NSObject
- (instancetype)initWithFileDescriptor:(int)fd closeOnDealloc:(BOOL)close;
@end

typedef struct {
	unsigned long state;
	id __unsafe_unretained *itemsPtr;
	unsigned long *mutationsPtr;
	unsigned long extra[5];
} NSFastEnumerationState;

@interface NSArray<__covariant T> : NSObject
+ (instancetype)array;
+ (instancetype)arrayWithObject:(T)object;
- (NSUInteger)count;
- (T)lastObject;
- (T)objectAtIndex:(NSUInteger)index;
- (NSUInteger)indexOfObjectIdenticalTo:(T)object;
- (NSUInteger)countByEnumeratingWithState:(NSFastEnumerationState *)state
				  objects:(id __unsafe_unretained[])buffer
				    count:(NSUInteger)count;
@end

@interface NSMutableArray<T> : NSArray <T>
- (void)addObject:(T)object;
@end

@interface NSDictionary<__covariant K, __covariant V> : NSObject
+ (instancetype)dictionary;
@end

@interface NSMutableDictionary<K, V> : NSDictionary <K, V>
- (void)setObject:(V)object forKey:(K)key;
@end

@interface NSProcessInfo : NSObject
+ (NSProcessInfo *)processInfo;
- (NSString *)operatingSystemVersionString;
@end

#endif
