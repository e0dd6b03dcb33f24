#include "awake.h"

#include <CoreFoundation/CoreFoundation.h>
#include <IOKit/pwr_mgt/IOPMLib.h>

static IOPMAssertionID assertion = kIOPMNullAssertionID;

/* `pmset -g assertions` shows it. Refused, it is no reason not to run. */
void cli_stay_awake(void)
{
	if (IOPMAssertionCreateWithName(kIOPMAssertPreventUserIdleSystemSleep, kIOPMAssertionLevelOn,
					CFSTR("mvm is attached to a container"), &assertion) != kIOReturnSuccess)
		assertion = kIOPMNullAssertionID;
}

void cli_may_sleep(void)
{
	if (assertion != kIOPMNullAssertionID)
		IOPMAssertionRelease(assertion);
	assertion = kIOPMNullAssertionID;
}
