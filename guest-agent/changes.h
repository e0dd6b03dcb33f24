/*
 * What has changed in the root disk since it was the image's.
 */
#ifndef AGENT_CHANGES_H
#define AGENT_CHANGES_H

struct failure;
struct mvm_listing_entry;
struct subject;
struct walk;

/*
 * For a layer: 1 where the entry has to be in it. An inode whose number and time of last change are those of the base
 * is that of the base: the kernel sets this time whenever anything about an inode changes, and nobody else can. (A
 * guest that turns its clock back to fool this fools nobody but itself.) Of a folder whose names have changed, or that
 * is another one with the same name, what counts is what can be seen of it.
 */
int changes_differ(struct walk *walk, const struct subject *subject, const struct mvm_listing_entry *entry);

/* Writes the list of MVM_CHANGES_LIST by docker's rules: a change is one of type, permissions, owner, device number and
 * capabilities, and, but for folders, size and time. `stream`: the base comes from it and the list goes to it. */
int changes_list(int top, int stream, struct failure *failure);

#endif
