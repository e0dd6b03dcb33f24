/* Where links of a container's disk lead. */
#ifndef AGENT_FOLLOW_H
#define AGENT_FOLLOW_H

#include <limits.h>

/* Where a link at `path` leads in the end, as an absolute path below `root` without links; what is not there (yet) is
 * kept as the links say it. -1 with errno set. */
int follow_link(int root, const char *path, char target[PATH_MAX]);

#endif
