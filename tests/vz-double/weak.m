/*
 * Theory of operation: gcc's runtime knows no zeroing weak references. An object that is referred to weakly gets a
 * class of its own, derived from its own, whose dealloc takes the references to it away first.
 */
#include <objc/runtime.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "double.h"

#define PREFIX "VZDoubleWeakly_"

struct reference {
	struct reference *next;
	id object, *slot;
};

static struct reference *references;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void forget(bool (*is_meant)(const struct reference *, const void *), const void *what, bool clear)
{
	pthread_mutex_lock(&lock);
	for (struct reference **at = &references; *at;) {
		struct reference *reference = *at;

		if (!is_meant(reference, what)) {
			at = &reference->next;
			continue;
		}
		if (clear)
			*reference->slot = nil;
		*at = reference->next;
		free(reference);
	}
	pthread_mutex_unlock(&lock);
}

static bool is_to(const struct reference *reference, const void *object)
{
	return reference->object == (id)object;
}

static bool is_in(const struct reference *reference, const void *slot)
{
	return reference->slot == slot;
}

static Class original_of(id object)
{
	return class_getSuperclass(object_getClass(object));
}

static void weak_dealloc(id object, SEL command)
{
	Class original = original_of(object);
	void (*dealloc)(id, SEL) = (void (*)(id, SEL))class_getMethodImplementation(original, command);

	forget(is_to, object, true);
	object_setClass(object, original);
	dealloc(object, command);
}

static Class weak_class(id object, SEL command)
{
	(void)command;
	return original_of(object);
}

static Class weak_subclass(Class original)
{
	char name[256];
	Class class;

	snprintf(name, sizeof(name), PREFIX "%s", class_getName(original));
	class = objc_lookUpClass(name);
	if (class)
		return class;
	class = objc_allocateClassPair(original, name, 0);
	class_addMethod(class, @selector(dealloc), (IMP)weak_dealloc, "v@:");
	class_addMethod(class, @selector(class), (IMP)weak_class, "#@:");
	objc_registerClassPair(class);
	return class;
}

void vz_double_store_weak(id *slot, id object)
{
	struct reference *reference;

	forget(is_in, slot, false);
	*slot = object;
	if (!object)
		return;
	reference = malloc(sizeof(*reference));
	if (!reference)
		abort();
	*reference = (struct reference){.object = object, .slot = slot};
	pthread_mutex_lock(&lock);
	if (strncmp(class_getName(object_getClass(object)), PREFIX, strlen(PREFIX)) != 0)
		object_setClass(object, weak_subclass(object_getClass(object)));
	reference->next = references;
	references = reference;
	pthread_mutex_unlock(&lock);
}

id vz_double_load_weak(id *slot)
{
	id object;

	pthread_mutex_lock(&lock);
	object = [*slot retain];
	pthread_mutex_unlock(&lock);
	return [object autorelease];
}
