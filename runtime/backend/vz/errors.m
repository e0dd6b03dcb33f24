#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "runtime/base/error.h"

static const char *text_of(NSString *string)
{
	const char *text = [string UTF8String];

	return text ? text : "";
}

/* What the framework says alone leads nowhere. */
static const char *advice_for(NSError *error)
{
	if (![[error domain] isEqualToString:VZErrorDomain])
		return "";
	switch ([error code]) {
	case VZErrorInternal:
		return "; Console.app shows more, under 'Virtualization' and among its crash reports";
	case VZErrorInvalidVirtualMachineConfiguration:
		if (strstr(text_of([error localizedDescription]), "entitlement") ||
		    strstr(text_of([error localizedFailureReason]), "entitlement"))
			return "; mvm-supervisor has to be signed with com.apple.security.virtualization: install mvm "
			       "again, or sign it as './dev build' does";
		return "";
	case VZErrorVirtualMachineLimitExceeded:
		return "; stop another machine";
	case VZErrorOutOfDiskSpace:
		return "; make room on the disk";
	default:
		return "";
	}
}

void vz_describe(NSError *error, char *text, size_t size)
{
	const char *reason = text_of([error localizedFailureReason]);
	const char *what = text_of([error localizedDescription]);

	/* The domain may be POSIX's as well as its own. */
	if ([[error domain] isEqualToString:VZErrorDomain])
		snprintf(text, size, "Virtualization.framework: %s%s%s%s", what, *reason ? " " : "", reason,
			 advice_for(error));
	else
		snprintf(text, size, "Virtualization.framework: %s (%s %ld)", what, text_of([error domain]),
			 (long)[error code]);
	text[strcspn(text, "\n")] = '\0';
}

int vz_fail(struct mvm_error **err, NSError *error, const char *what)
{
	char text[VZ_TEXT_SIZE];

	vz_describe(error, text, sizeof(text));
	return mvm_fail(err, MVM_ERR_MACHINE, "%s: %s", what, text);
}

int vz_fail_exception(struct mvm_error **err, NSException *exception, const char *what)
{
	return mvm_fail(err, MVM_ERR_MACHINE, "%s: Virtualization.framework refuses it: %s", what,
			text_of([exception reason]));
}
