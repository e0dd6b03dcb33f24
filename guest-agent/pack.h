/*
 * Writes a tree into an archive (walk.h), or what of it differs from a base.
 *
 * Content that has become less than its header says is filled up with zeros, and what has become more is cut. Sockets
 * are left out. Memory grows with the number of files with several names beside what the walk needs, not with the tree.
 * The archive is not ended.
 */
#ifndef AGENT_PACK_H
#define AGENT_PACK_H

struct failure;
struct tar;

/* `top`: O_PATH will do. Its entry is called `name`, and what is below follows; with the name "" a folder's content
 * alone is written, with names relative to it. */
int pack_tree(int top, const char *name, struct tar *tar, struct failure *failure);

/* What a layer over the base has to hold, with whiteouts for what is gone. The base comes from a descriptor (base.h).
 */
int pack_layer(int top, int base, struct tar *tar, struct failure *failure);

#endif
