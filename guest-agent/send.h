/* Writing much to a vsock connection. */
#ifndef AGENT_SEND_H
#define AGENT_SEND_H

#include <stddef.h>
#include <sys/types.h>

/* As write(). The kernel wants the memory of each packet, up to 64 KiB, in one piece, and may not have one of that
 * size: then fewer bytes are written at once. */
ssize_t send_some(int fd, const void *data, size_t length);

#endif
