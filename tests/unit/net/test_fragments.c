/* Fragments of packets that go out: whole ones come of those that are in order, and of nothing else. */
#include "net/fragments.h"
#include "frames.h"

enum { PIECE = 1480, MORE = 0x2000 };

static struct mvm_fragments fragments;
static size_t length; /* of what was taken last */

static int tear_down(void **state)
{
	mvm_fragments_finish(&fragments);
	fragments = (struct mvm_fragments){0};
	return 0;
}

/* A fragment of packet `id` whose bytes are their place in it; what has become of it is returned. */
static uint8_t *take(struct frame *frame, uint16_t id, size_t offset, size_t size, bool more)
{
	uint8_t *packet = frame->data + MVM_FRAME_HEADER, *payload;

	frame_begin(frame, gateway_mac, own_mac, TYPE_IPV4);
	payload = frame_ipv4(frame, OWN_IP, GATEWAY_IP, PROTOCOL_UDP, size);
	put16(packet + 4, id);
	put16(packet + 6, (uint16_t)(offset / 8 | (more ? MORE : 0)));
	for (size_t i = 0; i < size; i++)
		payload[i] = (uint8_t)((offset + i) * 7 / 5);
	length = frame->length;
	return mvm_fragments_take(&fragments, frame->data, &length);
}

static void assert_whole(const uint8_t *whole, size_t size)
{
	const uint8_t *packet = whole + MVM_FRAME_HEADER;

	assert_non_null(whole);
	assert_int_equal(length, MVM_FRAME_HEADER + IPV4_HEADER + size);
	assert_int_equal(get16(packet + 2), IPV4_HEADER + size);
	assert_int_equal(get16(packet + 6), 0);
	assert_int_equal(sum_fold(sum_add(0, packet, IPV4_HEADER)), 0);
	for (size_t i = 0; i < size; i++)
		assert_int_equal(packet[IPV4_HEADER + i], (uint8_t)(i * 7 / 5));
}

static void what_is_none_passes(void **state)
{
	struct frame frame;

	assert_ptr_equal(take(&frame, 1, 0, 100, false), frame.data);
	assert_int_equal(length, frame.length);
	put16(frame.data + 12, TYPE_ARP);
	put16(frame.data + MVM_FRAME_HEADER + 6, MORE);
	assert_ptr_equal(mvm_fragments_take(&fragments, frame.data, &length), frame.data);
	assert_int_equal(fragments.dropped, 0);
}

static void those_of_ipv6_are_dropped_and_counted(void **state)
{
	struct frame frame;

	frame_begin(&frame, gateway_mac, own_mac, TYPE_IPV6);
	memset(frame.data + MVM_FRAME_HEADER, 0, IPV6_HEADER);
	frame.data[MVM_FRAME_HEADER] = 0x60;
	length = MVM_FRAME_HEADER + IPV6_HEADER;
	frame.data[MVM_FRAME_HEADER + 6] = PROTOCOL_UDP;
	assert_ptr_equal(mvm_fragments_take(&fragments, frame.data, &length), frame.data);
	frame.data[MVM_FRAME_HEADER + 6] = PROTOCOL_FRAGMENT;
	assert_null(mvm_fragments_take(&fragments, frame.data, &length));
	assert_int_equal(fragments.dropped, 1);
}

static void in_order_they_are_put_together(void **state)
{
	struct frame frame;

	/* Two packets at a time. */
	for (size_t at = 0; at < 4 * PIECE; at += PIECE) {
		assert_null(take(&frame, 1, at, PIECE, true));
		assert_null(take(&frame, 2, at, PIECE, true));
	}
	assert_whole(take(&frame, 2, 4 * PIECE, 0, false), 4 * PIECE);
	assert_whole(take(&frame, 1, 4 * PIECE, 13, false), 4 * PIECE + 13);
	assert_int_equal(fragments.dropped, 0);
}

static void the_largest_packet_is_64_kib(void **state)
{
	enum { LAST = 65535 - IPV4_HEADER - 44 * PIECE };
	struct frame frame;

	for (int i = 0; i < 2; i++) {
		for (size_t at = 0; at < 44 * (size_t)PIECE; at += PIECE)
			assert_null(take(&frame, 1, at, PIECE, true));
		if (i == 0)
			assert_whole(take(&frame, 1, 44 * (size_t)PIECE, LAST, false), 44 * (size_t)PIECE + LAST);
		else
			assert_null(take(&frame, 1, 44 * (size_t)PIECE, LAST + 1, false));
	}
	assert_int_equal(fragments.dropped, 1);
}

static void all_else_is_dropped(void **state)
{
	struct frame frame;

	/* The last one first: libslirp's undoing. */
	assert_null(take(&frame, 1, PIECE, 10, false));
	/* A hole, after which the packet is given up. */
	assert_null(take(&frame, 2, 0, PIECE, true));
	assert_null(take(&frame, 2, 2 * PIECE, 10, false));
	assert_null(take(&frame, 2, PIECE, 10, false));
	/* Twice the same. */
	assert_null(take(&frame, 3, 0, PIECE, true));
	assert_null(take(&frame, 3, PIECE, PIECE, true));
	assert_null(take(&frame, 3, PIECE, PIECE, false));
	/* A piece that leaves no place for the next. */
	assert_null(take(&frame, 4, 0, 13, true));
	assert_null(take(&frame, 4, 8, 10, false));
	assert_int_equal(fragments.dropped, 6);
	/* One that begins anew counts from there. */
	assert_null(take(&frame, 5, 0, 2 * 8, true));
	assert_null(take(&frame, 5, 0, 8, true));
	assert_whole(take(&frame, 5, 8, 10, false), 18);
}

static void few_wait_for_their_ends(void **state)
{
	struct frame frame;

	for (uint16_t id = 0; id <= MVM_FRAGMENTS_PACKETS; id++)
		assert_null(take(&frame, id, 0, PIECE, true));
	assert_int_equal(fragments.dropped, 1);
	assert_null(take(&frame, 0, PIECE, 1, false));
	assert_whole(take(&frame, 1, PIECE, 1, false), PIECE + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(what_is_none_passes, tear_down),
		cmocka_unit_test_teardown(those_of_ipv6_are_dropped_and_counted, tear_down),
		cmocka_unit_test_teardown(in_order_they_are_put_together, tear_down),
		cmocka_unit_test_teardown(the_largest_packet_is_64_kib, tear_down),
		cmocka_unit_test_teardown(all_else_is_dropped, tear_down),
		cmocka_unit_test_teardown(few_wait_for_their_ends, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
