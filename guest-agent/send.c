#include "send.h"

#include <errno.h>
#include <unistd.h>

/* A page is always to be had, or the machine is out of memory. */
enum { PACKET = 64 * 1024, LEAST = 2048 };

ssize_t send_some(int fd, const void *data, size_t length)
{
	ssize_t n = write(fd, data, length);

	if (n >= 0 || errno != ENOMEM)
		return n;
	for (size_t most = PACKET / 2; n < 0 && errno == ENOMEM && most >= LEAST; most /= 2)
		n = write(fd, data, length < most ? length : most);
	return n;
}
