/*
 * Theory of operation
 *
 * A flow is a peer, the address of ours that it sends to, and a port of the container; it has a connection to the
 * guest, on which each datagram is a frame, its length first. A flow begins with its first datagram and ends when
 * nothing has passed for a while, when the guest ends it, or when it is the one that has been silent longest and there
 * are too many.
 *
 * Nothing here waits: what the guest does not take in time is lost, as datagrams are. A guest can make us keep no more
 * than one frame of each flow.
 */
#include "publish.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "guest-agent/proto/datagram.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"

enum {
	MAX_FLOWS = 1024,
	BUCKETS = 256,
	BURST = 32, /* datagrams in one go */
	IDLE_MS = 90000,
	SWEEP_MS = 10000,
	OUT_MAX = 256 * 1024, /* on its way to the guest, of one flow */
	FRAME_MAX = MVM_PUBLISH_HEADER + MVM_PUBLISH_DATAGRAM_MAX,
};

union address {
	struct sockaddr any;
	struct sockaddr_in ip4;
	struct sockaddr_in6 ip6;
};

/* Who sends, and to which of our addresses. */
struct ends {
	union address peer;
	socklen_t peer_length;
	struct in6_addr ours; /* IPv4 in its first four bytes */
	unsigned interface;   /* of a link-local one, else 0 */
};

/* A bound socket. */
struct door {
	struct datagrams *datagrams;
	struct door *next;
	int fd;
	uint16_t port;
	struct mvm_watch *watch;
};

struct flow {
	struct datagrams *datagrams;
	const struct door *door;
	struct ends ends;
	struct flow *next_in_bucket, **bucket_link;
	struct flow *newer, *older;
	uint64_t used_ns;
	bool connecting, dead;
	int fd;
	struct mvm_watch *watch;
	struct mvm_buf out, in;
};

struct datagrams {
	struct mvm_loop *loop;
	datagrams_connect_fn connect;
	void *arg;
	struct door *doors;
	struct flow *buckets[BUCKETS];
	struct flow *newest, *oldest;
	size_t count;
	struct mvm_timer *sweep;
	char datagram[MVM_PUBLISH_DATAGRAM_MAX + 1];
};

/* --- flows: finding, order, end --- */

static bool same_ends(const struct ends *a, const struct ends *b)
{
	return a->peer_length == b->peer_length && !memcmp(&a->peer, &b->peer, a->peer_length) &&
	       !memcmp(&a->ours, &b->ours, sizeof(a->ours)) && a->interface == b->interface;
}

static struct flow **bucket_of(struct datagrams *datagrams, const struct ends *ends)
{
	const unsigned char *bytes = (const unsigned char *)&ends->peer;
	uint32_t hash = 2166136261u;

	for (socklen_t i = 0; i < ends->peer_length; i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return &datagrams->buckets[(hash ^ hash >> 16) % BUCKETS];
}

static void take_from_order(struct flow *flow)
{
	struct datagrams *datagrams = flow->datagrams;

	*(flow->newer ? &flow->newer->older : &datagrams->newest) = flow->older;
	*(flow->older ? &flow->older->newer : &datagrams->oldest) = flow->newer;
}

static void put_first(struct flow *flow)
{
	struct datagrams *datagrams = flow->datagrams;

	flow->newer = NULL;
	flow->older = datagrams->newest;
	*(flow->older ? &flow->older->newer : &datagrams->oldest) = flow;
	datagrams->newest = flow;
}

static void touch(struct flow *flow)
{
	flow->used_ns = mvm_now_ns();
	take_from_order(flow);
	put_first(flow);
}

/* One whose connection is on its way is freed when that has come. */
static void end_flow(struct flow *flow)
{
	*flow->bucket_link = flow->next_in_bucket;
	if (flow->next_in_bucket)
		flow->next_in_bucket->bucket_link = flow->bucket_link;
	take_from_order(flow);
	flow->datagrams->count--;
	mvm_watch_remove(flow->watch);
	mvm_close(&flow->fd);
	mvm_buf_finish(&flow->out);
	mvm_buf_finish(&flow->in);
	if (flow->connecting)
		flow->dead = true;
	else
		free(flow);
}

static void end_idle(void *arg)
{
	struct datagrams *datagrams = arg;
	uint64_t now = mvm_now_ns();

	while (datagrams->oldest && now - datagrams->oldest->used_ns >= IDLE_MS * 1000000ull)
		end_flow(datagrams->oldest);
	if (datagrams->oldest)
		mvm_timer_start(datagrams->sweep, SWEEP_MS);
}

/* --- from the guest --- */

/* Our address is set as the one that it is sent from; where that does not work any more the datagram is lost. */
static void reply(const struct flow *flow, const char *data, size_t length)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control = {.space = {0}};
	struct iovec piece = {.iov_base = (char *)data, .iov_len = length};
	struct ends ends = flow->ends;
	struct msghdr message = {.msg_name = &ends.peer,
				 .msg_namelen = ends.peer_length,
				 .msg_iov = &piece,
				 .msg_iovlen = 1,
				 .msg_control = &control};

	if (ends.peer.any.sa_family == AF_INET6) {
		struct in6_pktinfo info = {.ipi6_addr = ends.ours, .ipi6_ifindex = ends.interface};

		control.header.cmsg_level = IPPROTO_IPV6;
		control.header.cmsg_type = IPV6_PKTINFO;
		control.header.cmsg_len = CMSG_LEN(sizeof(info));
		message.msg_controllen = CMSG_SPACE(sizeof(info));
		memcpy(CMSG_DATA(&control.header), &info, sizeof(info));
	} else {
		struct in_pktinfo info = {.ipi_ifindex = 0};

		memcpy(&info.ipi_spec_dst, &ends.ours, sizeof(info.ipi_spec_dst));
		control.header.cmsg_level = IPPROTO_IP;
		control.header.cmsg_type = IP_PKTINFO;
		control.header.cmsg_len = CMSG_LEN(sizeof(info));
		message.msg_controllen = CMSG_SPACE(sizeof(info));
		memcpy(CMSG_DATA(&control.header), &info, sizeof(info));
	}
	sendmsg(flow->door->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* False where the guest talks nonsense. */
static bool send_replies(struct flow *flow)
{
	size_t at = 0, size;
	int whole;

	while ((whole = mvm_publish_frame(flow->in.data + at, flow->in.length - at, &size)) > 0) {
		reply(flow, flow->in.data + at + MVM_PUBLISH_HEADER, size);
		at += MVM_PUBLISH_HEADER + size;
	}
	if (whole < 0)
		return false;
	mvm_buf_consume(&flow->in, at);
	if (!flow->in.length)
		mvm_buf_finish(&flow->in);
	return true;
}

static bool receive(struct flow *flow)
{
	ssize_t n = recv(flow->fd, mvm_buf_reserve(&flow->in, FRAME_MAX), FRAME_MAX, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return false;
	flow->in.length += (size_t)n;
	touch(flow);
	return send_replies(flow);
}

/* --- to the guest --- */

static bool flush(struct flow *flow)
{
	while (flow->out.length) {
		ssize_t n = send(flow->fd, flow->out.data, flow->out.length, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
			return false;
		if (n < 0)
			break;
		mvm_buf_consume(&flow->out, (size_t)n);
	}
	mvm_watch_set(flow->watch, flow->out.length ? POLLIN | POLLOUT : POLLIN);
	if (!flow->out.length)
		mvm_buf_finish(&flow->out);
	return true;
}

static void flow_ready(void *arg, int fd, short revents)
{
	struct flow *flow = arg;

	if ((revents & POLLOUT && !flush(flow)) || (revents & (POLLIN | POLLHUP | POLLERR) && !receive(flow)))
		end_flow(flow);
}

static void connected(void *arg, int fd, int errnum)
{
	struct flow *flow = arg;

	flow->connecting = false;
	if (flow->dead) {
		mvm_close(&fd);
		free(flow);
		return;
	}
	if (fd < 0) {
		mvm_log(MVM_LOG_INFO, "a UDP flow is lost: %s", strerror(errnum));
		end_flow(flow);
		return;
	}
	flow->fd = fd;
	mvm_set_nonblock(fd, true);
	flow->watch = mvm_loop_watch(flow->datagrams->loop, fd, POLLIN, flow_ready, flow);
	if (!flush(flow))
		end_flow(flow);
}

/* NULL where the guest cannot be asked. */
static struct flow *begin_flow(const struct door *door, const struct ends *ends)
{
	struct datagrams *datagrams = door->datagrams;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct flow **bucket = bucket_of(datagrams, ends), *flow;

	if (datagrams->count == MAX_FLOWS)
		end_flow(datagrams->oldest);
	flow = mvm_alloc(sizeof(*flow));
	*flow = (struct flow){.datagrams = datagrams, .door = door, .ends = *ends, .fd = -1, .connecting = true};
	if (datagrams->connect(datagrams->arg, door->port, connected, flow, &err) < 0) {
		mvm_log(MVM_LOG_INFO, "%s", mvm_error_message(err));
		free(flow);
		return NULL;
	}
	flow->next_in_bucket = *bucket;
	flow->bucket_link = bucket;
	if (*bucket)
		(*bucket)->bucket_link = &flow->next_in_bucket;
	*bucket = flow;
	if (!datagrams->count++)
		mvm_timer_start(datagrams->sweep, SWEEP_MS);
	put_first(flow);
	return flow;
}

static struct flow *find_flow(const struct door *door, const struct ends *ends)
{
	struct flow *flow = *bucket_of(door->datagrams, ends);

	while (flow && (flow->door != door || !same_ends(&flow->ends, ends)))
		flow = flow->next_in_bucket;
	return flow;
}

static void deliver(const struct door *door, const struct ends *ends, const char *data, size_t length)
{
	struct flow *flow = find_flow(door, ends);
	const unsigned char header[MVM_PUBLISH_HEADER] = {(unsigned char)length, (unsigned char)(length >> 8)};

	if (!flow)
		flow = begin_flow(door, ends);
	if (!flow)
		return;
	touch(flow);
	if (flow->out.length + FRAME_MAX > OUT_MAX)
		return;
	mvm_buf_add(&flow->out, header, sizeof(header));
	mvm_buf_add(&flow->out, data, length);
	if (!flow->connecting && !flush(flow))
		end_flow(flow);
}

static void read_our_address(struct msghdr *message, struct ends *ends)
{
	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
		if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(header), sizeof(info));
			memcpy(&ends->ours, &info.ipi_addr, sizeof(info.ipi_addr));
		} else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(header), sizeof(info));
			ends->ours = info.ipi6_addr;
			if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
				ends->interface = (unsigned)info.ipi6_ifindex;
		}
	}
}

/* False where there is none. */
static bool take_datagram(struct door *door)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(struct in_pktinfo))];
	} control;
	char *data = door->datagrams->datagram;
	struct iovec piece = {.iov_base = data, .iov_len = sizeof(door->datagrams->datagram)};
	struct ends ends;
	struct msghdr message = {.msg_name = &ends.peer,
				 .msg_namelen = sizeof(ends.peer),
				 .msg_iov = &piece,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	ssize_t n;

	memset(&ends, 0, sizeof(ends));
	n = recvmsg(door->fd, &message, MSG_DONTWAIT);
	if (n < 0)
		return errno == EINTR;
	ends.peer_length = message.msg_namelen;
	read_our_address(&message, &ends);
	if (n <= MVM_PUBLISH_DATAGRAM_MAX)
		deliver(door, &ends, data, (size_t)n);
	return true;
}

static void door_ready(void *arg, int fd, short revents)
{
	for (int i = 0; i < BURST && take_datagram(arg); i++)
		;
}

/* --- all of it --- */

struct datagrams *datagrams_create(struct mvm_loop *loop, datagrams_connect_fn connect, void *arg)
{
	struct datagrams *datagrams = mvm_alloc(sizeof(*datagrams));

	datagrams->loop = loop;
	datagrams->connect = connect;
	datagrams->arg = arg;
	datagrams->sweep = mvm_loop_timer(loop, end_idle, datagrams);
	return datagrams;
}

void datagrams_add(struct datagrams *datagrams, int fd, uint16_t port)
{
	struct door *door = mvm_alloc(sizeof(*door));

	*door = (struct door){.datagrams = datagrams, .next = datagrams->doors, .fd = fd, .port = port};
	door->watch = mvm_loop_watch(datagrams->loop, fd, POLLIN, door_ready, door);
	datagrams->doors = door;
}

void datagrams_destroy(struct datagrams *datagrams)
{
	if (!datagrams)
		return;
	while (datagrams->oldest)
		end_flow(datagrams->oldest);
	while (datagrams->doors) {
		struct door *door = datagrams->doors;

		datagrams->doors = door->next;
		mvm_watch_remove(door->watch);
		free(door);
	}
	mvm_timer_remove(datagrams->sweep);
	free(datagrams);
}
