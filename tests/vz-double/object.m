#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "double.h"
#include "link.h"

NSString *const VZErrorDomain = @"VZErrorDomain";

/* On macOS a copied block holds the objects that it mentions; Debian's blocks' runtime leaves them alone, and is asked
 * for the rest. What clang calls in a block's helpers are these. */
enum { FIELD_IS_OBJECT = 3 };

void _Block_object_assign(void *field, const void *object, const int flags)
{
	void (*next)(void *, const void *, int) = dlsym(RTLD_NEXT, "_Block_object_assign");

	if (flags == FIELD_IS_OBJECT)
		*(id *)field = [(id)object retain];
	else
		next(field, object, flags);
}

void _Block_object_dispose(const void *object, const int flags)
{
	void (*next)(const void *, int) = dlsym(RTLD_NEXT, "_Block_object_dispose");

	if (flags == FIELD_IS_OBJECT)
		[(id)object release];
	else
		next(object, flags);
}

@implementation VZDoubleObject

+ (BOOL)doubleHasNew
{
	return NO;
}

+ (BOOL)doubleHasInit
{
	return NO;
}

+ (instancetype)new
{
	if (![self doubleHasNew])
		vz_double_raise(@"+[%@ new] is unavailable", NSStringFromClass(self));
	return [[self alloc] init];
}

- (instancetype)initDouble
{
	self = [super init];
	values = [[NSMutableDictionary alloc] init];
	return self;
}

- (instancetype)init
{
	if (![[self class] doubleHasInit])
		vz_double_raise(@"-[%@ init] is unavailable", NSStringFromClass([self class]));
	return [self initDouble];
}

- (void)dealloc
{
	[values release];
	link_release(link);
	[super dealloc];
}

- (id)copyWithZone:(NSZone *)zone
{
	VZDoubleObject *copy = [[[self class] allocWithZone:zone] initDouble];

	[copy->values setDictionary:values];
	return copy;
}

- (id)valueOf:(NSString *)name
{
	return [[[values objectForKey:name] retain] autorelease];
}

- (void)setValue:(id)value of:(NSString *)name
{
	if (value)
		[values setObject:value forKey:name];
	else
		[values removeObjectForKey:name];
}

@end

void vz_double_raise(NSString *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	[NSException raise:NSInvalidArgumentException format:format arguments:arguments];
	va_end(arguments);
	abort();
}

void vz_double_require(id argument, const char *what)
{
	if (!argument)
		vz_double_raise(@"%s must not be nil", what);
}

void vz_double_require_file(NSURL *url, bool folder, const char *what)
{
	struct stat status;

	vz_double_require(url, what);
	if (![url isFileURL])
		vz_double_raise(@"%s: %@ is no file URL", what, url);
	if (stat([[url path] fileSystemRepresentation], &status) < 0 || (S_ISDIR(status.st_mode) != 0) != folder)
		vz_double_raise(@"%s: %@ does not exist", what, [url path]);
}

NSError *vz_double_error(VZErrorCode code, NSString *reason)
{
	NSDictionary *info = [NSDictionary dictionaryWithObjectsAndKeys:reason, NSLocalizedDescriptionKey, reason,
									NSLocalizedFailureReasonErrorKey, nil];

	return [NSError errorWithDomain:VZErrorDomain code:code userInfo:info];
}

BOOL vz_double_fail(NSError **error, VZErrorCode code, NSString *reason)
{
	if (error)
		*error = vz_double_error(code, reason);
	return NO;
}

bool vz_double_fault(const char *name)
{
	const char *given = getenv("MVM_VZ_DOUBLE_FAULT");

	return given && strcmp(given, name) == 0;
}
