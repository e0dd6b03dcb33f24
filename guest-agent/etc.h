/* The files of /etc that are the machine's and not the image's: what a container sees of them, and where. */
#ifndef AGENT_ETC_H
#define AGENT_ETC_H

enum { ETC_FILES = 3 };

/* The path of one, in the agent's own root and in a container's; NULL where the image's own stays. */
const char *etc_file(int i);
/* Mounts them over what is at their paths in the disk at `root`, in this process's name space; those that have no place
 * there are left out. */
void etc_mount_over(int root);

#endif
