/* Who talks to whom, from frames. */
#include "net/flows.h"
#include "frames.h"

#include <arpa/inet.h>

#define SECOND UINT64_C(1000000000)

/* A frame of `size` bytes behind IPv4's header; the test fills in what is there. */
static uint8_t *ipv4(struct frame *frame, bool back, uint8_t protocol, size_t size)
{
	frame_begin(frame, back ? own_mac : other_mac, back ? other_mac : own_mac, TYPE_IPV4);
	return frame_ipv4(frame, back ? OTHER_IP : OWN_IP, back ? OWN_IP : OTHER_IP, protocol, size);
}

static void note(struct mvm_flows *flows, const struct frame *frame, uint64_t now)
{
	mvm_flows_note(flows, frame->data, frame->length, now);
}

/* From our port to theirs, or back. */
static void tcp(struct mvm_flows *flows, bool back, uint16_t port, uint8_t flags, uint64_t now)
{
	struct frame frame;
	uint8_t *segment = ipv4(&frame, back, PROTOCOL_TCP, TCP_HEADER + 100);

	put16(segment, back ? 80 : port);
	put16(segment + 2, back ? port : 80);
	segment[13] = flags;
	note(flows, &frame, now);
}

static void udp(struct mvm_flows *flows, bool back, uint16_t port, uint64_t now)
{
	struct frame frame;
	uint8_t *datagram = ipv4(&frame, back, PROTOCOL_UDP, UDP_HEADER);

	put16(datagram, back ? 53 : port);
	put16(datagram + 2, back ? port : 53);
	note(flows, &frame, now);
}

/* "protocol state source destination frames_out/bytes_out frames_in/bytes_in age/idle" of each, in lines. */
static char *told(struct mvm_flows *flows, uint64_t now)
{
	size_t count, i;
	json_t *list = mvm_flows_status(flows, now, &count), *flow;
	struct mvm_buf text = {0};

	json_array_foreach(list, i, flow)
	{
		const char *protocol, *state, *source, *destination;
		json_int_t frames[2], bytes[2], age, idle;

		assert_int_equal(json_unpack(flow, "{ss, ss, ss, ss, sI, sI, sI, sI, sI, sI}", "protocol", &protocol,
					     "state", &state, "source", &source, "destination", &destination,
					     "frames_out", &frames[0], "bytes_out", &bytes[0], "frames_in", &frames[1],
					     "bytes_in", &bytes[1], "age_ms", &age, "idle_ms", &idle),
				 0);
		mvm_buf_addf(&text, "%s%s %s %s %s %lld/%lld %lld/%lld %lld/%lld", text.length ? "\n" : "", protocol,
			     state, source, destination, (long long)frames[0], (long long)bytes[0],
			     (long long)frames[1], (long long)bytes[1], (long long)age, (long long)idle);
	}
	assert_int_equal(count, json_array_size(list));
	json_decref(list);
	return text.data ? mvm_buf_steal(&text) : mvm_strdup("");
}

static void expect(struct mvm_flows *flows, uint64_t now, const char *expected)
{
	char *got MVM_CLEAN_FREE = told(flows, now);

	assert_string_equal(got, expected);
}

static size_t count_of(struct mvm_flows *flows, uint64_t now)
{
	size_t count;

	json_decref(mvm_flows_status(flows, now, &count));
	return count;
}

#define TCP_FLOW(state, counts) "tcp " state " 192.168.127.2:1024 192.168.127.3:80 " counts

static void a_connection_from_its_first_to_its_last_frame(void **state)
{
	struct mvm_flows *flows = mvm_flows_create();

	tcp(flows, false, 1024, TCP_SYN, SECOND);
	expect(flows, 2 * SECOND, TCP_FLOW("new", "1/154 0/0 1000/1000"));
	tcp(flows, true, 1024, TCP_SYN | TCP_ACK, 2 * SECOND);
	tcp(flows, false, 1024, TCP_ACK, 3 * SECOND);
	expect(flows, 4 * SECOND, TCP_FLOW("established", "2/308 1/154 3000/1000"));
	/* For as long as it lasts. */
	expect(flows, 100003 * SECOND, TCP_FLOW("established", "2/308 1/154 100002000/100000000"));
	tcp(flows, true, 1024, TCP_FIN | TCP_ACK, 100004 * SECOND);
	expect(flows, 100004 * SECOND, TCP_FLOW("closing", "2/308 2/308 100003000/0"));
	tcp(flows, false, 1024, TCP_FIN | TCP_ACK, 100004 * SECOND);
	tcp(flows, true, 1024, TCP_ACK, 100005 * SECOND);
	expect(flows, 100009 * SECOND, TCP_FLOW("closed", "3/462 3/462 100008000/4000"));
	expect(flows, 100010 * SECOND, "");
	mvm_flows_destroy(flows);
}

static void one_that_is_refused_and_the_same_ports_again(void **state)
{
	struct mvm_flows *flows = mvm_flows_create();

	tcp(flows, false, 1024, TCP_SYN, SECOND);
	tcp(flows, true, 1024, TCP_RST | TCP_ACK, SECOND);
	expect(flows, SECOND, TCP_FLOW("closed", "1/154 1/154 0/0"));
	tcp(flows, false, 1024, TCP_SYN, 2 * SECOND);
	expect(flows, 2 * SECOND, TCP_FLOW("new", "1/154 0/0 0/0"));
	/* Nobody answers. */
	expect(flows, 62 * SECOND, "");
	mvm_flows_destroy(flows);
}

static void datagrams_and_echoes_until_they_are_silent(void **state)
{
	struct mvm_flows *flows = mvm_flows_create();
	struct frame frame;
	uint8_t *echo;

	udp(flows, false, 1024, SECOND);
	udp(flows, true, 1024, SECOND);
	for (int back = 0; back < 2; back++) {
		echo = ipv4(&frame, back, PROTOCOL_ICMP, 8);
		echo[0] = back ? ICMP_ECHO_REPLY : ICMP_ECHO;
		put16(echo + 4, 77);
		note(flows, &frame, 2 * SECOND);
	}
	expect(flows, 2 * SECOND,
	       "icmp established 192.168.127.2:77 192.168.127.3:77 1/42 1/42 0/0\n"
	       "udp established 192.168.127.2:1024 192.168.127.3:53 1/42 1/42 1000/1000");
	udp(flows, false, 1024, 30 * SECOND);
	expect(flows, 63 * SECOND, "udp established 192.168.127.2:1024 192.168.127.3:53 2/84 1/42 62000/33000");
	expect(flows, 90 * SECOND, "");
	mvm_flows_destroy(flows);
}

static void ipv6_too(void **state)
{
	struct mvm_flows *flows = mvm_flows_create();
	struct frame frame;
	uint8_t *packet = frame.data + MVM_FRAME_HEADER;

	frame_begin(&frame, gateway_mac, own_mac, TYPE_IPV6);
	packet[0] = 0x60;
	put16(packet + 4, TCP_HEADER);
	packet[6] = PROTOCOL_TCP;
	inet_pton(AF_INET6, "fd00::2", packet + 8);
	inet_pton(AF_INET6, "2001:db8::1", packet + 24);
	frame.length += IPV6_HEADER + TCP_HEADER;
	put16(packet + IPV6_HEADER, 1024);
	put16(packet + IPV6_HEADER + 2, 443);
	packet[IPV6_HEADER + 13] = TCP_SYN;
	note(flows, &frame, SECOND);
	packet[6] = PROTOCOL_ICMP6;
	packet[IPV6_HEADER] = ICMP6_ECHO;
	put16(packet + IPV6_HEADER + 4, 9);
	note(flows, &frame, SECOND);
	packet[IPV6_HEADER] = ICMP6_NEIGHBOR_ADVERTISEMENT;
	note(flows, &frame, SECOND);
	expect(flows, SECOND,
	       "icmp6 new [fd00::2]:9 [2001:db8::1]:9 1/74 0/0 0/0\n"
	       "tcp new [fd00::2]:1024 [2001:db8::1]:443 1/74 0/0 0/0");
	mvm_flows_destroy(flows);
}

/* Whatever its length, and whatever it is. */
static void what_is_of_no_flow_is_nothing(void **state)
{
	struct mvm_flows *flows = mvm_flows_create();
	struct frame frame;
	uint8_t *datagram = ipv4(&frame, false, PROTOCOL_UDP, UDP_HEADER);

	for (size_t length = 0; length < frame.length; length++) {
		uint8_t *exact MVM_CLEAN_FREE = mvm_alloc(length ? length : 1);

		memcpy(exact, frame.data, length);
		mvm_flows_note(flows, exact, length, SECOND);
	}
	frame.data[MVM_FRAME_HEADER] = 0x4f; /* options beyond its end */
	note(flows, &frame, SECOND);
	frame.data[MVM_FRAME_HEADER] = 0x45;
	put16(frame.data + MVM_FRAME_HEADER + 6, 0x2001); /* not the first fragment */
	note(flows, &frame, SECOND);
	put16(frame.data + MVM_FRAME_HEADER + 6, 0);
	put16(frame.data + 12, TYPE_ARP);
	note(flows, &frame, SECOND);
	put16(frame.data + 12, TYPE_IPV4);
	memcpy(frame.data, everybody, 6);
	note(flows, &frame, SECOND);
	expect(flows, SECOND, "");
	memcpy(frame.data, other_mac, 6);
	put16(frame.data + MVM_FRAME_HEADER + 6, 0x2000); /* the first one */
	put16(datagram, 5);
	note(flows, &frame, SECOND);
	expect(flows, SECOND, "udp new 192.168.127.2:5 192.168.127.3:0 1/42 0/0 0/0");
	mvm_flows_destroy(flows);
}

static void the_most_that_are_known(void **state)
{
	struct mvm_flows *flows = mvm_flows_create();
	size_t count;
	json_t *list;

	tcp(flows, false, 1, TCP_SYN, SECOND);
	tcp(flows, true, 1, TCP_ACK, SECOND);
	tcp(flows, false, 2, TCP_RST, 2 * SECOND);
	for (int i = 0; i < MVM_FLOWS_MAX - 2; i++)
		udp(flows, false, (uint16_t)(1000 + i), 2 * SECOND);
	assert_int_equal(count_of(flows, 2 * SECOND), MVM_FLOWS_MAX);
	/* In the place of what has ended; then of what was never answered; what lasts stays. */
	for (int i = 0; i < 2 * MVM_FLOWS_MAX; i++)
		udp(flows, false, (uint16_t)(10000 + i), 3 * SECOND);
	list = mvm_flows_status(flows, 3 * SECOND, &count);
	assert_int_equal(count, MVM_FLOWS_MAX);
	assert_int_equal(json_array_size(list), MVM_FLOWS_TOLD);
	json_decref(list);
	assert_int_equal(count_of(flows, 62 * SECOND), MVM_FLOWS_MAX);
	expect(flows, 63 * SECOND, "tcp established 192.168.127.2:1 192.168.127.3:80 1/154 1/154 62000/62000");
	for (int i = 0; i < MVM_FLOWS_MAX; i++) {
		tcp(flows, false, (uint16_t)(10000 + i), TCP_SYN, 64 * SECOND);
		tcp(flows, true, (uint16_t)(10000 + i), TCP_ACK, 64 * SECOND);
	}
	assert_int_equal(count_of(flows, 200 * SECOND), MVM_FLOWS_MAX);
	mvm_flows_destroy(flows);
}

static void who_goes_takes_its_flows_along(void **state)
{
	struct mvm_flows *flows = mvm_flows_create();
	struct frame frame;

	tcp(flows, false, 1024, TCP_SYN, SECOND);
	tcp(flows, true, 1024, TCP_ACK, SECOND);
	udp(flows, true, 1025, SECOND);
	ipv4(&frame, false, PROTOCOL_UDP, UDP_HEADER);
	memcpy(frame.data, gateway_mac, 6);
	put32(frame.data + MVM_FRAME_HEADER + 16, GATEWAY_IP);
	note(flows, &frame, SECOND);
	mvm_flows_forget(flows, other_mac);
	expect(flows, SECOND, "udp new 192.168.127.2:0 192.168.127.1:0 1/42 0/0 0/0");
	mvm_flows_forget(flows, own_mac);
	expect(flows, SECOND, "");
	mvm_flows_destroy(flows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_from_its_first_to_its_last_frame),
		cmocka_unit_test(one_that_is_refused_and_the_same_ports_again),
		cmocka_unit_test(datagrams_and_echoes_until_they_are_silent),
		cmocka_unit_test(ipv6_too),
		cmocka_unit_test(what_is_of_no_flow_is_nothing),
		cmocka_unit_test(the_most_that_are_known),
		cmocka_unit_test(who_goes_takes_its_flows_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
