/* Datagrams in a stream: the same ones whatever pieces it comes in, and none longer than a datagram may be. */
#include "fuzz.h"

#include "guest-agent/proto/datagram.h"
#include "runtime/base/mem.h"

struct sum {
	size_t count, bytes;
	uint32_t content;
};

static void add(struct sum *sum, const uint8_t *datagram, size_t size)
{
	fuzz_check(size <= MVM_PUBLISH_DATAGRAM_MAX);
	sum->count++;
	sum->bytes += size;
	for (size_t i = 0; i < size; i++)
		sum->content = (sum->content ^ datagram[i]) * 16777619u;
}

/* Each piece is in a block of its own, so that what reads past it is seen. False for nonsense, or an unfinished one. */
static bool read_all(const uint8_t *data, size_t size, size_t piece, struct sum *sum)
{
	struct mvm_buf in MVM_CLEAN_BUF = {0};
	int whole = 0;

	for (size_t at = 0; whole >= 0 && at < size; at += piece) {
		size_t length, done = 0;
		uint8_t *exact;

		mvm_buf_add(&in, data + at, size - at < piece ? size - at : piece);
		exact = mvm_alloc(in.length);
		memcpy(exact, in.data, in.length);
		while ((whole = mvm_publish_frame(exact + done, in.length - done, &length)) > 0) {
			fuzz_check(length <= in.length - done - MVM_PUBLISH_HEADER);
			add(sum, exact + done + MVM_PUBLISH_HEADER, length);
			done += MVM_PUBLISH_HEADER + length;
		}
		free(exact);
		mvm_buf_consume(&in, done);
		fuzz_check(whole < 0 || in.length < MVM_PUBLISH_HEADER + MVM_PUBLISH_DATAGRAM_MAX);
	}
	return whole >= 0 && !in.length;
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	struct sum whole = {0}, pieces = {0};
	bool taken = read_all(data, size, SIZE_MAX / 2, &whole);

	fuzz_check(read_all(data, size, size > 4096 ? 977 : 7, &pieces) == taken);
	fuzz_check(whole.count == pieces.count && whole.bytes == pieces.bytes && whole.content == pieces.content);
	return taken;
}
