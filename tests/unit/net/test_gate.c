/* DNS at the gateway: queries out of frames, answers into them, and connections to another place and back. */
#include "net/gate.h"
#include "frames.h"

static const struct mvm_gate gate = {.gateway = GATEWAY_IP, .stand_in = SUBNET};

static uint8_t *query_frame(struct frame *frame, const char *text)
{
	size_t length = strlen(text);
	uint8_t *udp;

	frame_begin(frame, gateway_mac, own_mac, TYPE_IPV4);
	udp = frame_ipv4(frame, OWN_IP, GATEWAY_IP, PROTOCOL_UDP, UDP_HEADER + length);
	put16(udp, 40000);
	put16(udp + 2, 53);
	put16(udp + 4, (uint16_t)(UDP_HEADER + length));
	memcpy(udp + UDP_HEADER, text, length);
	return udp;
}

static void a_query_is_answered_to_who_asked(void **state)
{
	struct frame frame;
	struct mvm_gate_query query;
	uint8_t out[256], *packet = out + MVM_FRAME_HEADER, *udp = packet + IPV4_HEADER;

	query_frame(&frame, "question");
	assert_true(mvm_gate_query(&gate, frame.data, frame.length, &query));
	assert_int_equal(query.length, 8);
	assert_memory_equal(query.message, "question", 8);
	assert_int_equal(mvm_gate_answer(&gate, &query, gateway_mac, "odd", 3, out, sizeof(out)),
			 MVM_FRAME_HEADER + IPV4_HEADER + UDP_HEADER + 3);
	assert_memory_equal(out, own_mac, 6);
	assert_memory_equal(out + 6, gateway_mac, 6);
	assert_int_equal(get32(packet + 12), GATEWAY_IP);
	assert_int_equal(get32(packet + 16), OWN_IP);
	assert_int_equal(sum_fold(sum_add(0, packet, IPV4_HEADER)), 0);
	assert_int_equal(transport_sum(packet), 0);
	assert_int_equal(get16(udp), 53);
	assert_int_equal(get16(udp + 2), 40000);
	assert_memory_equal(udp + UDP_HEADER, "odd", 3);
	assert_int_equal(mvm_gate_answer(&gate, &query, gateway_mac, "odd", 3, out, 40), 0);
}

static void what_is_no_query_is_left_alone(void **state)
{
	struct frame frame;
	struct mvm_gate_query query;
	uint8_t *udp = query_frame(&frame, "question"), *packet = frame.data + MVM_FRAME_HEADER;

	put16(udp + 2, 54);
	assert_false(mvm_gate_query(&gate, frame.data, frame.length, &query));
	put16(udp + 2, 53);
	put32(packet + 16, 0x08080808);
	assert_false(mvm_gate_query(&gate, frame.data, frame.length, &query));
	put32(packet + 16, GATEWAY_IP);
	put16(packet + 6, 0x2000);
	assert_false(mvm_gate_query(&gate, frame.data, frame.length, &query));
	put16(packet + 6, 0);
	put16(udp + 4, 200);
	assert_false(mvm_gate_query(&gate, frame.data, frame.length, &query));
	put16(udp + 4, 7);
	assert_false(mvm_gate_query(&gate, frame.data, frame.length, &query));
	put16(udp + 4, 8);
	assert_true(mvm_gate_query(&gate, frame.data, frame.length, &query));
	assert_int_equal(query.length, 0);
	for (size_t length = 0; length < frame.length; length++)
		assert_false(mvm_gate_query(&gate, frame.data, length, &query));
}

static void segment(struct frame *frame, uint32_t from, uint16_t from_port, uint32_t to, uint16_t to_port)
{
	uint8_t *tcp;

	frame_begin(frame, gateway_mac, own_mac, TYPE_IPV4);
	tcp = frame_ipv4(frame, from, to, PROTOCOL_TCP, TCP_HEADER + 5);
	put16(tcp, from_port);
	put16(tcp + 2, to_port);
	tcp[12] = 0x50;
	memcpy(tcp + TCP_HEADER, "hello", 5);
	put16(tcp + 16, transport_sum(frame->data + MVM_FRAME_HEADER));
}

static void connections_go_elsewhere_and_come_back(void **state)
{
	struct frame there, back;
	uint8_t *packet = there.data + MVM_FRAME_HEADER, *tcp = packet + IPV4_HEADER;

	segment(&there, OWN_IP, 40000, GATEWAY_IP, 53);
	mvm_gate_divert(&gate, there.data, there.length, 1030);
	assert_int_equal(get32(packet + 16), SUBNET);
	assert_int_equal(get16(tcp + 2), 1030);
	assert_int_equal(sum_fold(sum_add(0, packet, IPV4_HEADER)), 0);
	assert_int_equal(transport_sum(packet), 0);

	packet = back.data + MVM_FRAME_HEADER;
	tcp = packet + IPV4_HEADER;
	segment(&back, SUBNET, 1030, OWN_IP, 40000);
	assert_true(mvm_gate_is_diverted(&gate, back.data, back.length));
	mvm_gate_restore(&gate, back.data, back.length);
	assert_int_equal(get32(packet + 12), GATEWAY_IP);
	assert_int_equal(get16(tcp), 53);
	assert_int_equal(sum_fold(sum_add(0, packet, IPV4_HEADER)), 0);
	assert_int_equal(transport_sum(packet), 0);
	assert_false(mvm_gate_is_diverted(&gate, back.data, back.length));
}

static void other_connections_are_left_alone(void **state)
{
	struct frame frame, same;

	segment(&frame, OWN_IP, 40000, GATEWAY_IP, 80);
	same = frame;
	mvm_gate_divert(&gate, frame.data, frame.length, 1030);
	mvm_gate_restore(&gate, frame.data, frame.length);
	assert_memory_equal(frame.data, same.data, frame.length);
	segment(&frame, OWN_IP, 40000, 0x08080808, 53);
	same = frame;
	mvm_gate_divert(&gate, frame.data, frame.length, 1030);
	assert_memory_equal(frame.data, same.data, frame.length);
	/* One that is cut short. */
	segment(&frame, OWN_IP, 40000, GATEWAY_IP, 53);
	same = frame;
	mvm_gate_divert(&gate, frame.data, MVM_FRAME_HEADER + IPV4_HEADER + 10, 1030);
	assert_memory_equal(frame.data, same.data, frame.length);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_query_is_answered_to_who_asked),
		cmocka_unit_test(what_is_no_query_is_left_alone),
		cmocka_unit_test(connections_go_elsewhere_and_come_back),
		cmocka_unit_test(other_connections_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
