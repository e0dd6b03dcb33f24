/*
 * The double's end of the channel to the process of a machine, which is QEMU's keeper: as the real framework has its
 * machines in processes of their own.
 *
 * Everything is on the machine's queue, but a thread that reads and puts what has come on that queue.
 */
#ifndef VZ_DOUBLE_LINK_H
#define VZ_DOUBLE_LINK_H

#import <Foundation/Foundation.h>
#include <dispatch/dispatch.h>

#include "wire.h"

struct vz_double_link;

@protocol VZDoubleLinkOwner
/* `fd` is the owner's. */
- (void)take:(const struct wire_message *)message fd:(int)fd;
@end

/* `owner` is not retained, and has to take itself away with link_forget(). */
struct vz_double_link *link_create(dispatch_queue_t queue, id<VZDoubleLinkOwner> owner);
struct vz_double_link *link_retain(struct vz_double_link *link);
/* NULL is fine. */
void link_release(struct vz_double_link *link);
/* Nothing is told from now on; a process that runs ends. */
void link_forget(struct vz_double_link *link);

/* Starts the process; WIRE_GONE comes when it has ended, after all else. What fails is said in *reason. */
BOOL link_start(struct vz_double_link *link, NSDictionary *description, NSArray *descriptors, NSString **reason);
/* Lost where no process runs. */
void link_send(struct vz_double_link *link, const struct wire_message *message);
/* The same of a WIRE_LISTEN, and the guest can connect when it returns: once it runs, it may do so at once. */
void link_listen(struct vz_double_link *link, uint32_t port);

#endif
