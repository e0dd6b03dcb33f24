#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "runtime/vsock/packet.h"

/* Field by field as virtio 1.2 §5.10.6 lays them out, little-endian. */
static const uint8_t bytes[PACKET_HEADER_SIZE] = {
	0x03, 0,    0,	  0,	0, 0, 0, 0,    /* src_cid */
	0x02, 0,    0,	  0,	0, 0, 0, 0x80, /* dst_cid */
	0x04, 0x03, 0x02, 0x01,		       /* src_port */
	0x00, 0x04, 0,	  0,		       /* dst_port */
	0x10, 0x00, 0x01, 0,		       /* len */
	0x01, 0,			       /* type */
	0x05, 0,			       /* op */
	0x02, 0,    0,	  0,		       /* flags */
	0,    0,    0x04, 0,		       /* buf_alloc */
	0xff, 0xff, 0xff, 0xff,		       /* fwd_cnt */
};

static void every_field_is_read(void **state)
{
	struct packet packet;

	packet_parse(bytes, &packet);
	assert_int_equal(packet.src_cid, 3);
	assert_true(packet.dst_cid == 0x8000000000000002u);
	assert_int_equal(packet.src_port, 0x01020304);
	assert_int_equal(packet.dst_port, 1024);
	assert_int_equal(packet.len, 0x10010);
	assert_int_equal(packet.type, PACKET_TYPE_STREAM);
	assert_int_equal(packet.op, OP_RW);
	assert_int_equal(packet.flags, SHUT_NO_SEND);
	assert_int_equal(packet.buf_alloc, 256 << 10);
	assert_int_equal(packet.fwd_cnt, UINT32_MAX);
}

static void what_is_written_reads_the_same(void **state)
{
	uint8_t written[PACKET_HEADER_SIZE];
	struct packet packet;

	packet_parse(bytes, &packet);
	packet_format(&packet, written);
	assert_memory_equal(written, bytes, sizeof(bytes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_is_read),
		cmocka_unit_test(what_is_written_reads_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
