#include "nat.h"

#include <errno.h>
#include <poll.h>
#include <slirp/libslirp.h>
#include <string.h>

#include "packet.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"

struct mvm_nat {
	struct mvm_loop *loop;
	Slirp *slirp;
	const struct mvm_nat_events *events;
	void *arg;
	struct mvm_poller poller;
	bool asleep; /* in this round */
};

struct timer {
	struct mvm_timer *timer;
	struct mvm_nat *nat;
	SlirpTimerId id;
	void *opaque;
};

static ssize_t send_packet(const void *frame, size_t length, void *opaque)
{
	struct mvm_nat *nat = opaque;

	nat->events->deliver(nat->arg, frame, length);
	return (ssize_t)length;
}

static void guest_error(const char *message, void *opaque)
{
	mvm_log(MVM_LOG_INFO, "a guest's packet: %s", message);
}

static int64_t clock_get_ns(void *opaque)
{
	return (int64_t)mvm_now_ns();
}

static void timer_fired(void *arg)
{
	struct timer *timer = arg;

	slirp_handle_timer(timer->nat->slirp, timer->id, timer->opaque);
}

static void *timer_new(SlirpTimerId id, void *opaque, void *arg)
{
	struct mvm_nat *nat = arg;
	struct timer *timer = mvm_alloc(sizeof(*timer));

	*timer = (struct timer){.nat = nat, .id = id, .opaque = opaque};
	timer->timer = mvm_loop_timer(nat->loop, timer_fired, timer);
	return timer;
}

static void timer_free(void *arg, void *opaque)
{
	struct timer *timer = arg;

	mvm_timer_remove(timer->timer);
	free(timer);
}

/* Milliseconds, on a clock that is asked in nanoseconds. */
static void timer_mod(void *arg, int64_t due, void *opaque)
{
	struct timer *timer = arg;
	int64_t now = (int64_t)(mvm_now_ns() / 1000000);

	mvm_timer_start(timer->timer, due > now ? (uint64_t)(due - now) : 0);
}

/* What it polls is gathered anew each round. */
static void ignore_fd(int fd, void *opaque)
{
}

static void ignore_notice(void *opaque)
{
}

static int add_poll(int fd, int events, void *opaque)
{
	struct mvm_nat *nat = opaque;
	short wanted = 0;

	wanted |= events & SLIRP_POLL_IN ? POLLIN : 0;
	wanted |= events & SLIRP_POLL_OUT ? POLLOUT : 0;
	wanted |= events & SLIRP_POLL_PRI ? POLLPRI : 0;
	return mvm_loop_poll_fd(nat->loop, fd, wanted);
}

static int get_revents(int index, void *opaque)
{
	struct mvm_nat *nat = opaque;
	short got = mvm_loop_polled(nat->loop, index);
	int events = 0;

	events |= got & POLLIN ? SLIRP_POLL_IN : 0;
	events |= got & POLLOUT ? SLIRP_POLL_OUT : 0;
	events |= got & POLLPRI ? SLIRP_POLL_PRI : 0;
	events |= got & POLLERR ? SLIRP_POLL_ERR : 0;
	events |= got & POLLHUP ? SLIRP_POLL_HUP : 0;
	return events;
}

/* While a guest is behind, sockets are left alone, and TCP slows their senders down. */
static void prepare(void *arg, struct mvm_loop *loop, uint32_t *timeout_ms)
{
	struct mvm_nat *nat = arg;
	uint64_t until = nat->events->congested_until(nat->arg), now = mvm_now_ns();
	uint32_t wait_ms = until > now ? (uint32_t)((until - now) / 1000000 + 1) : 0;

	nat->asleep = wait_ms;
	if (!nat->asleep)
		slirp_pollfds_fill(nat->slirp, timeout_ms, add_poll, nat);
	else if (wait_ms < *timeout_ms)
		*timeout_ms = wait_ms;
}

static void check(void *arg, struct mvm_loop *loop, bool failed)
{
	struct mvm_nat *nat = arg;

	if (!nat->asleep)
		slirp_pollfds_poll(nat->slirp, failed, get_revents, nat);
}

static const SlirpCb callbacks = {
	.send_packet = send_packet,
	.guest_error = guest_error,
	.clock_get_ns = clock_get_ns,
	.timer_free = timer_free,
	.timer_mod = timer_mod,
	.register_poll_fd = ignore_fd,
	.unregister_poll_fd = ignore_fd,
	.notify = ignore_notice,
	.timer_new_opaque = timer_new,
};

static struct in_addr in_addr_of(uint32_t address)
{
	return (struct in_addr){.s_addr = htonl(address)};
}

int mvm_nat_create(struct mvm_loop *loop, const struct mvm_nat_config *config, const struct mvm_nat_events *events,
		   void *arg, struct mvm_nat **out, struct mvm_error **err)
{
	SlirpConfig slirp = {
		.version = 4,
		.restricted = config->internal,
		.in_enabled = true,
		.vnetwork = in_addr_of(config->subnet.address),
		.vnetmask = in_addr_of(UINT32_MAX << (32 - config->subnet.prefix)),
		.vhost = in_addr_of(config->gateway),
		.in6_enabled = config->ipv6,
		.vprefix_addr6 = config->subnet6.address,
		.vprefix_len = 64,
		.vhost6 = config->gateway6,
		.vnameserver = in_addr_of(config->gateway),
		.vnameserver6 = config->gateway6,
		.if_mtu = config->mtu,
		.if_mru = config->mtu,
		.disable_dns = true,
		.disable_dhcp = true,
	};
	struct mvm_nat *nat = mvm_alloc(sizeof(*nat));

	*nat = (struct mvm_nat){.loop = loop, .events = events, .arg = arg};
	nat->poller = (struct mvm_poller){.prepare = prepare, .check = check, .arg = nat};
	nat->slirp = slirp_new(&slirp, &callbacks, nat);
	if (!nat->slirp) {
		free(nat);
		return mvm_fail(err, MVM_ERR_INTERNAL, "libslirp %s does not start", slirp_version_string());
	}
	mvm_loop_set_poller(loop, &nat->poller);
	*out = nat;
	return 0;
}

void mvm_nat_destroy(struct mvm_nat *nat)
{
	if (!nat)
		return;
	mvm_loop_set_poller(nat->loop, NULL);
	slirp_cleanup(nat->slirp);
	free(nat);
}

void mvm_nat_input(struct mvm_nat *nat, const uint8_t *frame, size_t length)
{
	slirp_input(nat->slirp, frame, (int)length);
}

int mvm_nat_forward(struct mvm_nat *nat, uint32_t address, uint16_t port, const char *path, struct mvm_error **err)
{
	struct in_addr where = in_addr_of(address);

	if (slirp_add_unix(nat->slirp, path, &where, port) < 0)
		return mvm_fail(err, MVM_ERR_INTERNAL, "libslirp does not forward port %u", port);
	return 0;
}

void mvm_nat_unforward(struct mvm_nat *nat, uint32_t address, uint16_t port)
{
	slirp_remove_guestfwd(nat->slirp, in_addr_of(address), port);
}

void mvm_nat_mac(uint32_t gateway, uint8_t mac[MVM_MAC_SIZE])
{
	mac[0] = 0x52;
	mac[1] = 0x55;
	put32(mac + 2, gateway);
}

void mvm_nat_mac6(const struct in6_addr *gateway, uint8_t mac[MVM_MAC_SIZE])
{
	mac[0] = 0x52;
	mac[1] = 0x56;
	memcpy(mac + 2, gateway->s6_addr + 12, 4);
}
