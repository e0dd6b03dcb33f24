/* gzip and zstd framing: the same bytes come out whatever pieces they are fed and asked for in. */
#include "fuzz.h"

#include "image/inflate.h"
#include "runtime/base/mem.h"

enum { MAX_OUTPUT = 4 << 20 };

struct input {
	const uint8_t *data;
	size_t left;
	size_t most; /* a read */
};

static ssize_t read_input(void *arg, void *data, size_t length, struct mvm_error **err)
{
	struct input *input = arg;

	if (length > input->left)
		length = input->left;
	if (length > input->most)
		length = input->most;
	if (length)
		memcpy(data, input->data, length);
	input->data += length;
	input->left -= length;
	return (ssize_t)length;
}

/* All that comes out, up to a limit; -1 where it ends in an error. */
static int inflate_all(const uint8_t *data, size_t size, size_t in_piece, size_t out_piece, struct mvm_buf *out)
{
	struct input input = {.data = data, .left = size, .most = in_piece};
	struct mvm_inflate *inflate = mvm_inflate_create((struct mvm_source){.read = read_input, .arg = &input});
	ssize_t got;

	do {
		got = mvm_inflate_read(inflate, mvm_buf_reserve(out, out_piece), out_piece, NULL);
		fuzz_check(got <= (ssize_t)out_piece);
		out->length += got > 0 ? (size_t)got : 0;
	} while (got == (ssize_t)out_piece && out->length < MAX_OUTPUT);
	mvm_inflate_destroy(inflate);
	return got < 0 ? -1 : 0;
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	struct mvm_buf whole MVM_CLEAN_BUF = {0}, pieces MVM_CLEAN_BUF = {0};
	int status = inflate_all(data, size, SIZE_MAX, 65536, &whole);
	int other = inflate_all(data, size, 7, 1021, &pieces);

	if (whole.length < MAX_OUTPUT) {
		fuzz_check(status == other);
		fuzz_check(status < 0 || (whole.length == pieces.length &&
					  (!whole.length || memcmp(whole.data, pieces.data, whole.length) == 0)));
	}
	return status == 0;
}
