/*
 * Theory of operation: a hash table finds a flow by its two ends, whichever of them has sent the frame. Each flow is in
 * one of three lists, each in the order of the last frame:
 *
 *   brief   not answered yet, and all that has no end of its own: UDP, echoes. Forgotten after BRIEF_NS of silence
 *   lasting  TCP that was answered: known until it ends
 *   ended   TCP that has. Forgotten after ENDED_NS, for the last frames are yet to come
 *
 * Whatever is to be forgotten is at the front of a list, so that it costs nothing to look. The hash has a seed of its
 * own: guests choose ports, and could make all their flows meet in one place.
 */
#include "flows.h"

#include <arpa/inet.h>
#include <string.h>

#include "guard.h"
#include "packet.h"
#include "runtime/base/list.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"

enum { BUCKETS = 1024 };

#define SECOND	 UINT64_C(1000000000)
#define BRIEF_NS (60 * SECOND)
#define ENDED_NS (5 * SECOND)

enum kind { BRIEF, LASTING, ENDED, KINDS };

struct end {
	struct in6_addr address; /* IPv4: as RFC 4291 section 2.5.5.2 has it */
	uint16_t port;
};

struct flow {
	struct mvm_list node, bucket;
	uint8_t protocol;	       /* IPv4's number, with one for ICMPv6 */
	struct end ends[2];	       /* the first has sent first */
	uint8_t macs[2][MVM_MAC_SIZE]; /* of the same */
	uint64_t frames[2], bytes[2];  /* that they have sent */
	bool fin[2];
	enum kind kind;
	uint64_t since, last;
};

struct mvm_flows {
	struct mvm_list lists[KINDS], buckets[BUCKETS];
	size_t count;
	uint64_t seed;
};

/* What a frame says. */
struct sight {
	uint8_t protocol;
	struct end ends[2]; /* from, to */
	uint8_t tcp_flags;
};

struct mvm_flows *mvm_flows_create(void)
{
	struct mvm_flows *flows = mvm_alloc(sizeof(*flows));

	for (size_t i = 0; i < KINDS; i++)
		mvm_list_init(&flows->lists[i]);
	for (size_t i = 0; i < BUCKETS; i++)
		mvm_list_init(&flows->buckets[i]);
	mvm_random(&flows->seed, sizeof(flows->seed));
	return flows;
}

static struct flow *oldest(const struct mvm_flows *flows, enum kind kind)
{
	const struct mvm_list *list = &flows->lists[kind];

	return mvm_list_empty(list) ? NULL : mvm_list_entry(list->next, struct flow, node);
}

static void forget(struct mvm_flows *flows, struct flow *flow)
{
	mvm_list_remove(&flow->node);
	mvm_list_remove(&flow->bucket);
	free(flow);
	flows->count--;
}

void mvm_flows_destroy(struct mvm_flows *flows)
{
	if (!flows)
		return;
	for (enum kind kind = 0; kind < KINDS; kind++)
		for (struct flow *flow; (flow = oldest(flows, kind));)
			forget(flows, flow);
	free(flows);
}

/* --- frames --- */

static bool is_echo(uint8_t protocol, uint8_t type)
{
	return protocol == PROTOCOL_ICMP ? type == ICMP_ECHO || type == ICMP_ECHO_REPLY
					 : type == ICMP6_ECHO || type == ICMP6_ECHO_REPLY;
}

static bool see_payload(const uint8_t *payload, size_t length, struct sight *sight)
{
	switch (sight->protocol) {
	case PROTOCOL_TCP:
	case PROTOCOL_UDP:
		if (length < (sight->protocol == PROTOCOL_TCP ? TCP_HEADER : UDP_HEADER))
			return false;
		sight->ends[0].port = get16(payload);
		sight->ends[1].port = get16(payload + 2);
		sight->tcp_flags = sight->protocol == PROTOCOL_TCP ? payload[13] : 0;
		return true;
	case PROTOCOL_ICMP:
	case PROTOCOL_ICMP6:
		if (length < 8 || !is_echo(sight->protocol, payload[0]))
			return false;
		sight->ends[0].port = sight->ends[1].port = get16(payload + 4);
		return true;
	default:
		return false;
	}
}

static bool see_ipv4(const uint8_t *packet, size_t length, struct sight *sight)
{
	size_t header = length < IPV4_HEADER ? 0 : (packet[0] & 15) * 4u;

	/* 0x1fff: where in its packet a fragment is. */
	if (header < IPV4_HEADER || header > length || get16(packet + 6) & 0x1fff)
		return false;
	for (size_t i = 0; i < 2; i++) {
		uint8_t *address = sight->ends[i].address.s6_addr;

		memset(address + 10, 0xff, 2);
		memcpy(address + 12, packet + 12 + 4 * i, 4);
	}
	sight->protocol = packet[9];
	return see_payload(packet + header, length - header, sight);
}

static bool see_ipv6(const uint8_t *packet, size_t length, struct sight *sight)
{
	if (length < IPV6_HEADER)
		return false;
	for (size_t i = 0; i < 2; i++)
		memcpy(&sight->ends[i].address, packet + 8 + 16 * i, 16);
	sight->protocol = packet[6];
	return see_payload(packet + IPV6_HEADER, length - IPV6_HEADER, sight);
}

static bool see(const uint8_t *frame, size_t length, struct sight *sight)
{
	const uint8_t *packet = frame + MVM_FRAME_HEADER;

	/* To a group nobody answers. */
	if (length < MVM_FRAME_HEADER || frame[0] & 1)
		return false;
	length -= MVM_FRAME_HEADER;
	switch (get16(frame + 12)) {
	case TYPE_IPV4:
		return see_ipv4(packet, length, sight);
	case TYPE_IPV6:
		return see_ipv6(packet, length, sight);
	default:
		return false;
	}
}

/* --- the table --- */

static uint64_t hash_end(uint64_t hash, const struct end *end)
{
	uint64_t words[3] = {0, 0, end->port};

	memcpy(words, &end->address, sizeof(end->address));
	for (size_t i = 0; i < 3; i++) {
		hash = (hash ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29;
	}
	return hash;
}

/* The same for both directions. */
static struct mvm_list *bucket_of(struct mvm_flows *flows, const struct sight *sight)
{
	uint64_t hash = hash_end(flows->seed, &sight->ends[0]) + hash_end(flows->seed, &sight->ends[1]);

	return &flows->buckets[(hash + sight->protocol) % BUCKETS];
}

static bool same_end(const struct end *a, const struct end *b)
{
	return a->port == b->port && memcmp(&a->address, &b->address, sizeof(a->address)) == 0;
}

/* `from` is which of its ends has sent the frame. */
static struct flow *find(struct mvm_list *bucket, const struct sight *sight, int *from)
{
	for (struct mvm_list *at = bucket->next; at != bucket; at = at->next) {
		struct flow *flow = mvm_list_entry(at, struct flow, bucket);

		for (*from = 0; flow->protocol == sight->protocol && *from < 2; ++*from)
			if (same_end(&flow->ends[*from], &sight->ends[0]) &&
			    same_end(&flow->ends[!*from], &sight->ends[1]))
				return flow;
	}
	*from = 0;
	return NULL;
}

static void expire(struct mvm_flows *flows, uint64_t now)
{
	static const struct {
		enum kind kind;
		uint64_t silence;
	} limits[] = {{ENDED, ENDED_NS}, {BRIEF, BRIEF_NS}};

	for (size_t i = 0; i < MVM_COUNT(limits); i++)
		for (struct flow *flow;
		     (flow = oldest(flows, limits[i].kind)) && now - flow->last >= limits[i].silence;)
			forget(flows, flow);
}

static void make_room(struct mvm_flows *flows)
{
	static const enum kind order[] = {ENDED, BRIEF, LASTING};

	for (size_t i = 0; i < MVM_COUNT(order) && flows->count == MVM_FLOWS_MAX; i++)
		if (!mvm_list_empty(&flows->lists[order[i]]))
			forget(flows, oldest(flows, order[i]));
}

static struct flow *add(struct mvm_flows *flows, struct mvm_list *bucket, const uint8_t *frame,
			const struct sight *sight, uint64_t now)
{
	struct flow *flow;

	expire(flows, now);
	make_room(flows);
	flow = mvm_alloc(sizeof(*flow));
	*flow = (struct flow){.protocol = sight->protocol, .since = now};
	memcpy(flow->ends, sight->ends, sizeof(flow->ends));
	memcpy(flow->macs[0], frame + MVM_MAC_SIZE, MVM_MAC_SIZE);
	memcpy(flow->macs[1], frame, MVM_MAC_SIZE);
	mvm_list_init(&flow->node);
	mvm_list_append(bucket, &flow->bucket);
	flows->count++;
	return flow;
}

static enum kind kind_of(const struct flow *flow, uint8_t tcp_flags)
{
	if (flow->protocol != PROTOCOL_TCP)
		return BRIEF;
	if (flow->kind == ENDED || tcp_flags & TCP_RST || (flow->fin[0] && flow->fin[1]))
		return ENDED;
	return flow->frames[1] ? LASTING : BRIEF;
}

void mvm_flows_note(struct mvm_flows *flows, const uint8_t *frame, size_t length, uint64_t now)
{
	struct sight sight = {.protocol = 0};
	struct mvm_list *bucket;
	struct flow *flow;
	int from;

	if (!see(frame, length, &sight))
		return;
	bucket = bucket_of(flows, &sight);
	flow = find(bucket, &sight, &from);
	/* The ports are used again. */
	if (flow && flow->kind == ENDED && (sight.tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
		forget(flows, flow);
		flow = NULL;
		from = 0;
	}
	if (!flow)
		flow = add(flows, bucket, frame, &sight, now);
	flow->frames[from]++;
	flow->bytes[from] += length;
	flow->fin[from] = flow->fin[from] || sight.tcp_flags & TCP_FIN;
	flow->last = now;
	flow->kind = kind_of(flow, sight.tcp_flags);
	mvm_list_remove(&flow->node);
	mvm_list_append(&flows->lists[flow->kind], &flow->node);
}

void mvm_flows_forget(struct mvm_flows *flows, const uint8_t mac[MVM_MAC_SIZE])
{
	for (enum kind kind = 0; kind < KINDS; kind++)
		for (struct mvm_list *at = flows->lists[kind].next, *next; at != &flows->lists[kind]; at = next) {
			struct flow *flow = mvm_list_entry(at, struct flow, node);

			next = at->next;
			if (!memcmp(flow->macs[0], mac, MVM_MAC_SIZE) || !memcmp(flow->macs[1], mac, MVM_MAC_SIZE))
				forget(flows, flow);
		}
}

/* --- what is told --- */

static const char *protocol_name(uint8_t protocol)
{
	return protocol == PROTOCOL_TCP	   ? "tcp"
	       : protocol == PROTOCOL_UDP  ? "udp"
	       : protocol == PROTOCOL_ICMP ? "icmp"
					   : "icmp6";
}

static const char *state_name(const struct flow *flow)
{
	if (flow->kind == ENDED)
		return "closed";
	if (flow->fin[0] || flow->fin[1])
		return "closing";
	return flow->frames[1] ? "established" : "new";
}

/* "10.0.0.2:80", "[fd00::2]:80". */
static json_t *end_json(const struct end *end)
{
	char text[INET6_ADDRSTRLEN];
	bool ipv4 = IN6_IS_ADDR_V4MAPPED(&end->address);

	if (ipv4)
		inet_ntop(AF_INET, end->address.s6_addr + 12, text, sizeof(text));
	else
		inet_ntop(AF_INET6, &end->address, text, sizeof(text));
	return json_sprintf(ipv4 ? "%s:%u" : "[%s]:%u", text, (unsigned)end->port);
}

static json_t *flow_json(const struct flow *flow, uint64_t now)
{
	return json_pack("{ss, ss, so, so, sI, sI, sI, sI, sI, sI}", "protocol", protocol_name(flow->protocol), "state",
			 state_name(flow), "source", end_json(&flow->ends[0]), "destination", end_json(&flow->ends[1]),
			 "frames_out", (json_int_t)flow->frames[0], "bytes_out", (json_int_t)flow->bytes[0],
			 "frames_in", (json_int_t)flow->frames[1], "bytes_in", (json_int_t)flow->bytes[1], "age_ms",
			 (json_int_t)((now - flow->since) / 1000000), "idle_ms",
			 (json_int_t)((now - flow->last) / 1000000));
}

/* The one of the three that comes next, from their ends on. */
static struct flow *latest(const struct mvm_flows *flows, const struct mvm_list *at[KINDS], enum kind *kind)
{
	struct flow *best = NULL;

	for (enum kind i = 0; i < KINDS; i++) {
		struct flow *flow;

		if (at[i] == &flows->lists[i])
			continue;
		flow = mvm_list_entry(at[i], struct flow, node);
		if (best && best->last >= flow->last)
			continue;
		best = flow;
		*kind = i;
	}
	return best;
}

json_t *mvm_flows_status(struct mvm_flows *flows, uint64_t now, size_t *count)
{
	const struct mvm_list *at[KINDS];
	json_t *list = json_array();
	enum kind kind = 0;

	expire(flows, now);
	*count = flows->count;
	for (enum kind i = 0; i < KINDS; i++)
		at[i] = flows->lists[i].previous;
	while (json_array_size(list) < MVM_FLOWS_TOLD) {
		const struct flow *flow = latest(flows, at, &kind);

		if (!flow)
			break;
		json_array_append_new(list, flow_json(flow, now));
		at[kind] = at[kind]->previous;
	}
	return list;
}
