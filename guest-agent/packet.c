#include "packet.h"

#include <string.h>
#include <sys/socket.h>

union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(PACKET_FDS * sizeof(int))];
};

ssize_t packet_send(int socket, const void *data, size_t length, const int *fds, size_t count)
{
	union control control = {0};
	struct iovec piece = {.iov_base = (void *)(unsigned long)data, .iov_len = length};
	struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};

	if (count > 0 && count <= PACKET_FDS) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = (socklen_t)CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
		message.msg_control = &control;
		message.msg_controllen = (socklen_t)CMSG_SPACE(count * sizeof(int));
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL);
}

ssize_t packet_receive(int socket, void *data, size_t length, int fds[PACKET_FDS], int flags)
{
	union control control;
	struct iovec piece = {.iov_base = data, .iov_len = length};
	struct msghdr message = {
		.msg_iov = &piece,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | flags);
	struct cmsghdr *header = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;

	memset(fds, 0xff, PACKET_FDS * sizeof(int));
	if (header && header->cmsg_type == SCM_RIGHTS)
		memcpy(fds, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
	return n;
}
