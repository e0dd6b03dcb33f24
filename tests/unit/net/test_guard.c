/* What a guest may send. */
#include "frames.h"

#include <arpa/inet.h>

static struct mvm_identity identity(void)
{
	struct mvm_identity own = {.ip = OWN_IP};

	memcpy(own.mac, own_mac, 6);
	assert_int_equal(inet_pton(AF_INET6, "fd00::2", &own.ip6), 1);
	return own;
}

static enum mvm_verdict judge(const struct frame *frame)
{
	struct mvm_identity own = identity();

	return mvm_guard(&own, frame->data, frame->length);
}

static void arp(struct frame *frame, const uint8_t sender_mac[6], uint32_t sender)
{
	uint8_t *packet = frame->data + MVM_FRAME_HEADER;

	frame_begin(frame, everybody, own_mac, TYPE_ARP);
	put16(packet, 1);
	put16(packet + 2, TYPE_IPV4);
	packet[4] = 6;
	packet[5] = 4;
	put16(packet + 6, 1);
	memcpy(packet + 8, sender_mac, 6);
	put32(packet + 14, sender);
	put32(packet + 24, GATEWAY_IP);
	frame->length += ARP_SIZE;
}

static uint8_t *ipv6(struct frame *frame, const char *from, uint8_t next, size_t payload)
{
	uint8_t *packet = frame->data + MVM_FRAME_HEADER;

	frame_begin(frame, gateway_mac, own_mac, TYPE_IPV6);
	packet[0] = 0x60;
	put16(packet + 4, (uint16_t)payload);
	packet[6] = next;
	packet[7] = 255;
	assert_int_equal(inet_pton(AF_INET6, from, packet + 8), 1);
	frame->length += IPV6_HEADER + payload;
	return packet + IPV6_HEADER;
}

static void its_own_addresses_pass(void **state)
{
	struct frame frame;

	arp(&frame, own_mac, OWN_IP);
	assert_int_equal(judge(&frame), MVM_FRAME_ADMITTED);
	arp(&frame, own_mac, 0);
	assert_int_equal(judge(&frame), MVM_FRAME_ADMITTED);
	frame_begin(&frame, gateway_mac, own_mac, TYPE_IPV4);
	frame_ipv4(&frame, OWN_IP, 0x08080808, PROTOCOL_UDP, 8);
	assert_int_equal(judge(&frame), MVM_FRAME_ADMITTED);
	ipv6(&frame, "fd00::2", PROTOCOL_TCP, 20);
	assert_int_equal(judge(&frame), MVM_FRAME_ADMITTED);
	/* RFC 4291, appendix A: the second bit of the first byte is turned. */
	ipv6(&frame, "fe80::42:1ff:fe02:304", PROTOCOL_ICMP6, 24);
	assert_int_equal(judge(&frame), MVM_FRAME_ADMITTED);
	ipv6(&frame, "::", PROTOCOL_ICMP6, 24);
	assert_int_equal(judge(&frame), MVM_FRAME_ADMITTED);
}

static void others_do_not(void **state)
{
	struct frame frame;

	frame_begin(&frame, gateway_mac, other_mac, TYPE_IPV4);
	frame_ipv4(&frame, OWN_IP, 0x08080808, PROTOCOL_UDP, 8);
	assert_int_equal(judge(&frame), MVM_FRAME_FOREIGN_MAC);
	frame_begin(&frame, gateway_mac, own_mac, TYPE_IPV4);
	frame_ipv4(&frame, OTHER_IP, 0x08080808, PROTOCOL_UDP, 8);
	assert_int_equal(judge(&frame), MVM_FRAME_FOREIGN_ADDRESS);
	arp(&frame, own_mac, OTHER_IP);
	assert_int_equal(judge(&frame), MVM_FRAME_FOREIGN_ADDRESS);
	arp(&frame, other_mac, OWN_IP);
	assert_int_equal(judge(&frame), MVM_FRAME_FOREIGN_MAC);
	ipv6(&frame, "fd00::3", PROTOCOL_TCP, 20);
	assert_int_equal(judge(&frame), MVM_FRAME_FOREIGN_ADDRESS);
	ipv6(&frame, "fe80::42:9ff:fe09:909", PROTOCOL_ICMP6, 24);
	assert_int_equal(judge(&frame), MVM_FRAME_FOREIGN_ADDRESS);
	frame_begin(&frame, gateway_mac, own_mac, 0x8100);
	frame.length += 100;
	assert_int_equal(judge(&frame), MVM_FRAME_FOREIGN_PROTOCOL);
}

static void nobody_says_where_others_are(void **state)
{
	struct frame frame;
	uint8_t *message = ipv6(&frame, "fd00::2", PROTOCOL_ICMP6, 24);

	message[0] = ICMP6_NEIGHBOR_ADVERTISEMENT;
	assert_int_equal(inet_pton(AF_INET6, "fd00::2", message + 8), 1);
	assert_int_equal(judge(&frame), MVM_FRAME_ADMITTED);
	assert_int_equal(inet_pton(AF_INET6, "fd00::3", message + 8), 1);
	assert_int_equal(judge(&frame), MVM_FRAME_FOREIGN_ADDRESS);
	message[0] = ICMP6_ROUTER_ADVERTISEMENT;
	assert_int_equal(judge(&frame), MVM_FRAME_FOREIGN_ADDRESS);
	message[0] = ICMP6_REDIRECT;
	assert_int_equal(judge(&frame), MVM_FRAME_FOREIGN_ADDRESS);
}

/* Receivers look behind options for the message, so the guard does. */
static void nor_behind_extension_headers(void **state)
{
	struct frame frame;
	uint8_t *options = ipv6(&frame, "fd00::2", PROTOCOL_HOP_BY_HOP, 8 + 16 + 24);

	options[0] = PROTOCOL_OPTIONS;
	options[8] = PROTOCOL_ICMP6;
	options[9] = 1;
	options[24] = ICMP6_NEIGHBOR_ADVERTISEMENT;
	assert_int_equal(inet_pton(AF_INET6, "fd00::3", options + 24 + 8), 1);
	assert_int_equal(judge(&frame), MVM_FRAME_FOREIGN_ADDRESS);
	options[9] = 200;
	assert_int_equal(judge(&frame), MVM_FRAME_MALFORMED);
}

/* Whatever is cut off, it is refused and nothing behind the end is read: each frame stands at the end of its memory. */
static void cut_frames_are_malformed(void **state)
{
	struct frame frames[4];
	struct mvm_identity own = identity();

	arp(&frames[0], own_mac, OWN_IP);
	frame_begin(&frames[1], gateway_mac, own_mac, TYPE_IPV4);
	frame_ipv4(&frames[1], OWN_IP, 0x08080808, PROTOCOL_UDP, 30);
	ipv6(&frames[2], "fd00::2", PROTOCOL_ICMP6, 24)[0] = ICMP6_NEIGHBOR_ADVERTISEMENT;
	ipv6(&frames[3], "fd00::2", PROTOCOL_HOP_BY_HOP, 16)[0] = PROTOCOL_ICMP6;
	for (size_t i = 0; i < MVM_COUNT(frames); i++)
		for (size_t length = 0; length < frames[i].length; length++) {
			uint8_t *copy = mvm_alloc(length + 1);

			memcpy(copy + 1, frames[i].data, length);
			assert_int_equal(mvm_guard(&own, copy + 1, length), MVM_FRAME_MALFORMED);
			free(copy);
		}
}

static void lengths_that_lie_are_malformed(void **state)
{
	struct frame frame;
	uint8_t *packet = frame.data + MVM_FRAME_HEADER;

	frame_begin(&frame, gateway_mac, own_mac, TYPE_IPV4);
	frame_ipv4(&frame, OWN_IP, 0x08080808, PROTOCOL_UDP, 30);
	packet[0] = 0x44;
	assert_int_equal(judge(&frame), MVM_FRAME_MALFORMED);
	packet[0] = 0x4f;
	put16(packet + 2, 40);
	assert_int_equal(judge(&frame), MVM_FRAME_MALFORMED);
	packet[0] = 0x65;
	assert_int_equal(judge(&frame), MVM_FRAME_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_own_addresses_pass),	cmocka_unit_test(others_do_not),
		cmocka_unit_test(nobody_says_where_others_are), cmocka_unit_test(nor_behind_extension_headers),
		cmocka_unit_test(cut_frames_are_malformed),	cmocka_unit_test(lengths_that_lie_are_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
