/*
 * What `--tmpfs` asks for: "/path" or "/path:option,option", options as mount(8) and docker have them. Pure.
 */
#ifndef AGENT_TMPFS_H
#define AGENT_TMPFS_H

struct failure;

struct tmpfs {
	char path[4096];
	unsigned long flags; /* MS_* */
	char data[256];	     /* size=, mode=, ...: the file system's own */
};

/* Without options to the contrary: nosuid, nodev, noexec. */
int tmpfs_parse(const char *text, struct tmpfs *tmpfs, struct failure *failure);

#endif
