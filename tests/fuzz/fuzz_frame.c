/*
 * Frames of a guest: a file is frames, the length of each in two bytes before it. Those that pass the guard say nothing
 * that is not the guest's; the DNS server's place in the network keeps them well-formed; whatever they are, of no more
 * than one flow each; and a whole internal network, libslirp included, takes them all, counts them, and gives the
 * neighbour what is for it. Taken: the guard admits every frame.
 */
#include "fuzz.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/flows.h"
#include "net/fragments.h"
#include "net/gate.h"
#include "net/lan.h"
#include "net/packet.h"
#include "net/switch.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"

enum {
	FRAMES = 48, /* a turn of the switch takes all */
	SUBNET = 0x0a090800,
	GATEWAY,
	OWN,
	NEIGHBOUR
};

/* libslirp 4.7 leaves something behind when it is cleaned up, once for each network and process. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libglib\n";
}

static const uint8_t macs[2][MVM_MAC_SIZE] = {{2, 0x42, 1, 2, 3, 4}, {2, 0x42, 1, 2, 3, 5}};
static const struct mvm_gate gate = {.gateway = GATEWAY, .stand_in = SUBNET};

static struct mvm_identity identity_of(int guest)
{
	struct mvm_identity identity = {.ip = OWN + (unsigned)guest};

	memcpy(identity.mac, macs[guest], MVM_MAC_SIZE);
	identity.ip6.s6_addr[0] = 0xfd;
	identity.ip6.s6_addr[15] = (uint8_t)(2 + guest);
	return identity;
}

/* --- what may pass --- */

static bool is_own6(const struct mvm_identity *identity, const uint8_t *address)
{
	static const uint8_t link_local[16] = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x42, 1, 0xff, 0xfe, 2, 3, 4};

	return !memcmp(address, &identity->ip6, 16) || !memcmp(address, link_local, 16);
}

static void check_admitted(const struct mvm_identity *identity, const uint8_t *frame, size_t length)
{
	static const uint8_t nobody[16];
	const uint8_t *packet = frame + MVM_FRAME_HEADER;

	fuzz_check(length >= MVM_FRAME_HEADER && !memcmp(frame + MVM_MAC_SIZE, identity->mac, MVM_MAC_SIZE));
	length -= MVM_FRAME_HEADER;
	switch (get16(frame + 12)) {
	case TYPE_ARP:
		fuzz_check(length >= ARP_SIZE && !memcmp(packet + 8, identity->mac, MVM_MAC_SIZE) &&
			   (get32(packet + 14) == identity->ip || !get32(packet + 14)));
		break;
	case TYPE_IPV4:
		fuzz_check(length >= IPV4_HEADER && get32(packet + 12) == identity->ip && get16(packet + 2) <= length);
		break;
	case TYPE_IPV6:
		fuzz_check(length >= IPV6_HEADER && (is_own6(identity, packet + 8) || !memcmp(packet + 8, nobody, 16)));
		if (packet[6] == PROTOCOL_ICMP6 && packet[IPV6_HEADER] == ICMP6_NEIGHBOR_ADVERTISEMENT)
			fuzz_check(is_own6(identity, packet + IPV6_HEADER + 8));
		break;
	default:
		fuzz_check(false);
	}
}

/* --- the gate --- */

/* As a remainder of 0xffff, in which a sum is right or wrong. */
static uint16_t sum_of(const uint8_t *packet, size_t header, size_t total)
{
	uint16_t sum = sum_fold(sum_add(sum_add(0, packet + 12, 8), packet + header, total - header));

	return sum == 0xffff ? 0 : sum;
}

static void check_answer(const struct mvm_gate_query *query)
{
	static const struct mvm_identity server = {.mac = {0x52, 0x55, 10, 9, 8, 1}, .ip = GATEWAY};
	static const uint8_t message[1200];
	uint8_t out[1600];
	size_t length = query->length < sizeof(message) ? query->length : sizeof(message);
	size_t size = mvm_gate_answer(&gate, query, server.mac, message, length, out, sizeof(out));

	fuzz_check(size == MVM_FRAME_HEADER + IPV4_HEADER + UDP_HEADER + length);
	fuzz_check(mvm_guard(&server, out, size) == MVM_FRAME_ADMITTED && !memcmp(out, query->mac, MVM_MAC_SIZE));
	fuzz_check(get32(out + MVM_FRAME_HEADER + 16) == query->ip);
	fuzz_check(mvm_gate_answer(&gate, query, server.mac, message, length, out, size - 1) == 0);
}

/* Redirected and led back a frame is as it was; on the way its sums are as right or wrong as before. */
static void check_diverted(const uint8_t *frame, size_t length)
{
	uint8_t *there MVM_CLEAN_FREE = mvm_alloc(length), *back MVM_CLEAN_FREE = mvm_alloc(length);
	const uint8_t *packet = there + MVM_FRAME_HEADER;
	size_t header = (frame[MVM_FRAME_HEADER] & 15) * 4u, total;

	memcpy(there, frame, length);
	mvm_gate_divert(&gate, there, length, 1024);
	if (!memcmp(there, frame, length))
		return;
	total = get16(packet + 2);
	fuzz_check(get32(packet + 16) == SUBNET && get16(packet + header + 2) == 1024);
	fuzz_check(sum_of(packet, header, total) == sum_of(frame + MVM_FRAME_HEADER, header, total));
	/* The way back is from there. */
	memcpy(back, there, length);
	memcpy(back + MVM_FRAME_HEADER + 12, packet + 16, 4);
	memcpy(back + MVM_FRAME_HEADER + 16, packet + 12, 4);
	memcpy(back + MVM_FRAME_HEADER + header, packet + header + 2, 2);
	memcpy(back + MVM_FRAME_HEADER + header + 2, packet + header, 2);
	fuzz_check(mvm_gate_is_diverted(&gate, back, length));
	mvm_gate_restore(&gate, back, length);
	fuzz_check(!mvm_gate_is_diverted(&gate, back, length));
	fuzz_check(get32(back + MVM_FRAME_HEADER + 12) == GATEWAY);
	fuzz_check(sum_of(back + MVM_FRAME_HEADER, header, total) == sum_of(packet, header, total));
}

/* --- fragments --- */

/* What comes out is a frame of the guest's that is no fragment. */
static void check_whole(struct mvm_fragments *fragments, const uint8_t *frame, size_t length)
{
	const struct mvm_identity own = identity_of(0);
	uint8_t *copy MVM_CLEAN_FREE = mvm_alloc(length), *whole;

	memcpy(copy, frame, length);
	whole = mvm_fragments_take(fragments, copy, &length);
	if (!whole)
		return;
	fuzz_check(mvm_guard(&own, whole, length) == MVM_FRAME_ADMITTED);
	fuzz_check(get16(whole + 12) != TYPE_IPV4 || !(get16(whole + MVM_FRAME_HEADER + 6) & 0x3fff));
}

/* --- flows --- */

static void check_flows(struct mvm_flows *flows, size_t frames)
{
	size_t count;
	json_t *list MVM_CLEAN_JSON = mvm_flows_status(flows, frames, &count);

	fuzz_check(list && count <= frames && json_array_size(list) == count);
	for (int i = 0; i < 2; i++)
		mvm_flows_forget(flows, macs[i]);
}

/* --- a network --- */

struct world {
	struct mvm_loop *loop;
	struct mvm_lan *lan;
	struct mvm_guest *guests[2];
	int machines[2];
	struct mvm_watch *always;
};

static void stop(void *arg, int fd, short revents)
{
	mvm_loop_stop(arg);
}

static void begin(struct world *world)
{
	static const struct mvm_strv none;
	struct mvm_nat_config config = {.gateway = GATEWAY, .ipv6 = true, .mtu = 32000, .internal = true};
	char *sockets MVM_CLEAN_FREE = mvm_format("/tmp/mvm-fuzz-%d", (int)getpid());

	config.subnet.address = SUBNET;
	config.subnet.prefix = 24;
	config.subnet6.address.s6_addr[0] = config.gateway6.s6_addr[0] = 0xfd;
	config.subnet6.prefix = 64;
	config.gateway6.s6_addr[15] = 1;
	signal(SIGPIPE, SIG_IGN); /* as the process does */
	world->loop = mvm_loop_create();
	fuzz_check(mvm_lan_create(world->loop, &config, "net1", sockets, &world->lan, NULL) == 0);
	for (int i = 0; i < 2; i++) {
		struct mvm_guest_config guest = {
			.container = i ? "b" : "a", .identity = identity_of(i), .names = &none, .dns = &none};
		int ends[2];

		fuzz_check(mvm_socketpair(SOCK_DGRAM, ends) == 0);
		fuzz_check(mvm_lan_add(world->lan, &guest, ends[1], &world->guests[i], NULL) == 0);
		world->machines[i] = ends[0];
	}
	world->always = mvm_loop_watch(world->loop, world->machines[0], POLLOUT, stop, world->loop);
}

static void end(struct world *world)
{
	mvm_watch_remove(world->always);
	for (int i = 0; i < 2; i++) {
		mvm_lan_remove(world->guests[i]);
		close(world->machines[i]);
	}
	mvm_lan_destroy(world->lan);
	mvm_loop_destroy(world->loop);
}

/* Once round the loop; what came to a machine is looked at by nobody but for its length. */
static void turn(struct world *world)
{
	static uint8_t frame[MVM_FRAME_MAX];

	fuzz_check(mvm_loop_run(world->loop, NULL) == 0);
	for (int i = 0; i < 2; i++) {
		ssize_t n;

		while ((n = recv(world->machines[i], frame, sizeof(frame), MSG_DONTWAIT)) >= 0)
			fuzz_check(n >= MVM_FRAME_HEADER);
	}
}

static json_int_t counter(const json_t *status, const char *name)
{
	return json_integer_value(json_object_get(status, name));
}

static void check_counters(const struct world *world, json_int_t admitted, json_int_t refused)
{
	json_t *status MVM_CLEAN_JSON = mvm_guest_status(world->guests[0]);

	/* Fragments that nothing becomes of are counted when their packet is given up. */
	fuzz_check(counter(status, "frames_in") == admitted && counter(status, "refused") >= refused &&
		   counter(status, "refused") <= refused + admitted);
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	const struct mvm_identity own = identity_of(0);
	json_int_t admitted = 0, refused = 0;
	struct mvm_fragments fragments = {0};
	struct mvm_flows *flows = mvm_flows_create();
	struct mvm_gate_query query;
	struct world world;
	size_t at = 0;

	begin(&world);
	while (size - at > 2 && admitted + refused < FRAMES) {
		size_t stated = get16(data + at), left = size - at - 2, length = stated < left ? stated : left;
		uint8_t *frame MVM_CLEAN_FREE = mvm_alloc(length ? length : 1);

		memcpy(frame, data + at + 2, length);
		at += 2 + length;
		if (send(world.machines[0], frame, length, MSG_DONTWAIT) < 0)
			break; /* so large are its frames */
		mvm_flows_note(flows, frame, length, (uint64_t)(admitted + refused));
		if (mvm_guard(&own, frame, length) != MVM_FRAME_ADMITTED) {
			refused++;
			continue;
		}
		admitted++;
		check_admitted(&own, frame, length);
		check_whole(&fragments, frame, length);
		if (mvm_gate_query(&gate, frame, length, &query))
			check_answer(&query);
		if (length >= MVM_FRAME_HEADER + IPV4_HEADER)
			check_diverted(frame, length);
	}
	for (int i = 0; i < 3; i++)
		turn(&world);
	check_counters(&world, admitted, refused);
	check_flows(flows, (size_t)(admitted + refused));
	end(&world);
	mvm_flows_destroy(flows);
	mvm_fragments_finish(&fragments);
	return admitted && !refused;
}
