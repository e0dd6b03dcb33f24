/*
 * Writes a tree into an archive: what is on one file system from a folder or file on, without following any link.
 *
 * The tree may change meanwhile, and whoever changes it may mean harm: every entry is looked at and read through one
 * descriptor, never twice by its name. What is gone when its turn comes is left out; content that has become less
 * than its header says is filled up with zeros, and what has become more is cut. Sockets are left out.
 *
 * Memory grows with the depth of the tree and the number of files with several names, not with the tree.
 */
#ifndef AGENT_PACK_H
#define AGENT_PACK_H

struct failure;
struct tar;

/* `top`: O_PATH will do. Its entry is called `name`, and what is below follows; with the name "" a folder's content
 * alone is written, with names relative to it. The archive is not ended. */
int pack_tree(int top, const char *name, struct tar *tar, struct failure *failure);

#endif
