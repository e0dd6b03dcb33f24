/* DNS over TCP: messages out of pieces of any size, and never more kept than one message. */
#include "tests/unit/unit.h"

#include "net/dns_frames.h"

/* "a", "", and 300 bytes. */
static void make_stream(struct mvm_buf *stream)
{
	char large[300];
	uint8_t header[MVM_DNS_FRAME_HEADER];

	memset(large, 'x', sizeof(large));
	mvm_dns_frame_header(1, header);
	mvm_buf_add(stream, header, sizeof(header));
	mvm_buf_add(stream, "a", 1);
	mvm_dns_frame_header(0, header);
	mvm_buf_add(stream, header, sizeof(header));
	mvm_dns_frame_header(sizeof(large), header);
	mvm_buf_add(stream, header, sizeof(header));
	mvm_buf_add(stream, large, sizeof(large));
}

static void pieces_of_any_size(void **state)
{
	for (size_t piece = 1; piece < 310; piece++) {
		struct mvm_buf stream MVM_CLEAN_BUF = {0}, seen MVM_CLEAN_BUF = {0};
		struct mvm_dns_frames frames = {0};
		const uint8_t *message;
		size_t length;

		make_stream(&stream);
		for (size_t at = 0; at < stream.length;) {
			size_t more = stream.length - at < piece ? stream.length - at : piece;

			at += mvm_dns_frames_feed(&frames, stream.data + at, more);
			while (mvm_dns_frames_next(&frames, &message, &length))
				mvm_buf_addf(&seen, "%zu%c ", length, length ? message[length - 1] : '-');
		}
		assert_string_equal(seen.data, "1a 0- 300x ");
		mvm_dns_frames_finish(&frames);
	}
}

static void largest_message_and_no_more(void **state)
{
	uint8_t *data MVM_CLEAN_FREE = mvm_alloc(3u * MVM_DNS_FRAMES_MAX);
	struct mvm_dns_frames frames = {0};
	const uint8_t *message;
	size_t length;

	mvm_dns_frame_header(65535, data);
	data[MVM_DNS_FRAMES_MAX - 1] = 'z';
	assert_int_equal(mvm_dns_frames_feed(&frames, data, 3u * MVM_DNS_FRAMES_MAX), MVM_DNS_FRAMES_MAX);
	assert_int_equal(mvm_dns_frames_feed(&frames, data, 1), 0);
	assert_true(mvm_dns_frames_next(&frames, &message, &length));
	assert_int_equal(length, 65535);
	assert_int_equal(message[65534], 'z');
	assert_false(mvm_dns_frames_next(&frames, &message, &length));
	assert_int_equal(mvm_dns_frames_feed(&frames, data, 1), 1);
	mvm_dns_frames_finish(&frames);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_of_any_size),
		cmocka_unit_test(largest_message_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
