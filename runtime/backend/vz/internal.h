/*
 * What the files of the Virtualization.framework backend share. They are the only Objective-C of mvm's.
 *
 * Memory is counted by hand, because the double that tests run this with on Linux (tests/vz-double) knows no ARC, and
 * its blocks retain nothing that they capture: what a handler needs is retained before and released in it.
 */
#ifndef MVM_BACKEND_VZ_INTERNAL_H
#define MVM_BACKEND_VZ_INTERNAL_H

#import <Virtualization/Virtualization.h>

#include "inbox.h"
#include "runtime/backend/backend.h"

/* ---- errors.m ---- */

/* One line on an error of the framework's, and what to do where that is known. */
void vz_describe(NSError *error, char *text, size_t size);
int vz_fail(struct mvm_error **err, NSError *error, const char *what);
int vz_fail_exception(struct mvm_error **err, NSException *exception, const char *what);

/* ---- configuration.m ---- */

/* What the guest prints goes to `console`, which is taken over. Autoreleased; nil where it fails. */
VZVirtualMachineConfiguration *vz_configuration(const struct mvm_machine_spec *spec, int console,
						struct mvm_error **err);
/* A throw-away disk is this copy of it, which is the caller's to remove; the name is the caller's, too. */
char *vz_copy_path(const struct mvm_machine_disk *disk);

/* ---- rosetta.m ---- */

/* The device that shows it; autoreleased, nil where it fails. */
VZVirtioFileSystemDeviceConfiguration *vz_rosetta_device(const char *tag, struct mvm_error **err);
/* mvm_backend_ops.rosetta */
int vz_rosetta(bool install, enum mvm_rosetta *state, struct mvm_error **err);

/* ---- shares.m ---- */

/* An array of the device of all folders and of Rosetta's, as far as they are wanted. nil where it fails. */
NSArray *vz_share_devices(const struct mvm_machine_spec *spec, struct mvm_error **err);

/* ---- guest.m ---- */

/* A virtual machine on the serial queue that it is bound to for life. May be called from anywhere: what is asked is put
 * on that queue, and what happens into the inbox. */
@interface MVMGuest : NSObject <VZVirtualMachineDelegate, VZVirtioSocketListenerDelegate> {
	struct vz_inbox *inbox;
	dispatch_queue_t queue;
	VZVirtualMachine *machine; /* nil once it is taken apart */
	VZVirtioSocketListener *listener;
	NSArray *networks; /* attachments, in the order of the devices */
	unsigned repairs;  /* of networks */
	BOOL busy;	   /* a change of state is under way, and its handler will come */
	BOOL unplugged;	   /* it is to be stopped */
}
/* Raises where the framework does. */
- (instancetype)initWithConfiguration:(VZVirtualMachineConfiguration *)configuration inbox:(struct vz_inbox *)theInbox;
- (void)start;
- (void)pause;
- (void)resume;
- (void)pressPowerButton;
- (void)pullPlug;
/* The guest can connect when it returns. */
- (void)listenOn:(uint32_t)port;
- (void)stopListeningOn:(uint32_t)port;
- (void)connectTo:(uint32_t)port as:(uint32_t)identifier;
/* Ends the machine without a word. */
- (void)takeApart;
@end

#endif
