#include "inflate.h"

#include <stdbool.h>
#include <string.h>

#include "inflate_internal.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"

enum { INPUT_SIZE = 256 * 1024 };

struct mvm_inflate {
	struct mvm_source source;
	unsigned char *input;
	size_t used;   /* of what the input holds */
	size_t length; /* what it holds */
	bool source_ended;

	const struct inflate_decoder *decoder; /* NULL until the magic number has been seen */
	void *state;
	bool inside;  /* a member or frame has begun and not ended */
	bool padding; /* only zero bytes may follow */
};

struct mvm_inflate *mvm_inflate_create(struct mvm_source source)
{
	struct mvm_inflate *inflate = mvm_alloc(sizeof(*inflate));

	inflate->source = source;
	inflate->input = mvm_alloc(INPUT_SIZE);
	return inflate;
}

void mvm_inflate_destroy(struct mvm_inflate *inflate)
{
	if (!inflate)
		return;
	if (inflate->decoder)
		inflate->decoder->destroy(inflate->state);
	free(inflate->input);
	free(inflate);
}

/* Adds what the source has to the input, which has room. */
static int fill(struct mvm_inflate *inflate, struct mvm_error **err)
{
	ssize_t got;

	if (inflate->used == inflate->length)
		inflate->used = inflate->length = 0;
	got = inflate->source.read(inflate->source.arg, inflate->input + inflate->length, INPUT_SIZE - inflate->length,
				   err);
	if (got < 0)
		return -1;
	inflate->length += (size_t)got;
	inflate->source_ended = got == 0;
	return 0;
}

static bool has_magic(const struct mvm_inflate *inflate, const char *magic, size_t length)
{
	return inflate->length >= length && memcmp(inflate->input, magic, length) == 0;
}

static int choose(struct mvm_inflate *inflate, struct mvm_error **err)
{
	while (inflate->length < 6 && !inflate->source_ended) {
		if (fill(inflate, err) < 0)
			return -1;
	}
	if (has_magic(inflate, "BZh", 3) || has_magic(inflate,
						      "\xfd"
						      "7zXZ\0",
						      6))
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "compressed by bzip2 or xz; mvm reads gzip, zstd and none");
	if (has_magic(inflate, "\x1f\x8b", 2))
		inflate->decoder = &inflate_gzip;
	else if (has_magic(inflate, "\x28\xb5\x2f\xfd", 4) ||
		 (inflate->length >= 4 && (inflate->input[0] & 0xf0) == 0x50 &&
		  memcmp(inflate->input + 1, "\x2a\x4d\x18", 3) == 0))
		inflate->decoder = &inflate_zstd;
	else
		inflate->decoder = &inflate_none;
	inflate->state = inflate->decoder->create();
	return 0;
}

/* Between two members or frames: another, or zero bytes until the end. */
static int look_behind_member(struct mvm_inflate *inflate, struct mvm_error **err)
{
	unsigned char first = inflate->input[inflate->used];

	inflate->padding = inflate->padding || (first == 0 && inflate->decoder != &inflate_none);
	if (inflate->padding)
		while (inflate->used < inflate->length && inflate->input[inflate->used] == 0)
			inflate->used++;
	if (inflate->padding ? inflate->used < inflate->length : !inflate->decoder->begins(first))
		return mvm_fail(err, MVM_ERR_INVALID, "garbage after the compressed data");
	return 0;
}

static int run_decoder(struct mvm_inflate *inflate, struct inflate_io *io, struct mvm_error **err)
{
	size_t room = io->out_left;
	int status;

	io->in = inflate->input + inflate->used;
	io->in_left = inflate->length - inflate->used;
	inflate->inside = true;
	status = inflate->decoder->run(inflate->state, io, err);
	if (status < 0)
		return -1;
	bool stuck = !status && inflate->source_ended && io->in_left == 0 && io->out_left == room;

	inflate->used = inflate->length - io->in_left;
	inflate->inside = !status;
	if (stuck)
		return mvm_fail(err, MVM_ERR_INVALID, "the compressed data is cut short");
	return 0;
}

ssize_t mvm_inflate_read(struct mvm_inflate *inflate, void *data, size_t length, struct mvm_error **err)
{
	struct inflate_io io = {.out = data, .out_left = length};

	if (!inflate->decoder && choose(inflate, err) < 0)
		return -1;
	while (io.out_left) {
		bool empty = inflate->used == inflate->length;

		if (empty && !inflate->source_ended) {
			if (fill(inflate, err) < 0)
				return -1;
			continue;
		}
		if (empty && !inflate->inside)
			break;
		if (!inflate->inside && look_behind_member(inflate, err) < 0)
			return -1;
		if (!inflate->padding && run_decoder(inflate, &io, err) < 0)
			return -1;
	}
	return (ssize_t)(length - io.out_left);
}

/* No compression: a copy. Each piece counts as a member of its own, for the archive in it knows its own end. */
static void *none_create(void)
{
	return NULL;
}

static bool none_begins(unsigned char first)
{
	return true;
}

static int none_run(void *state, struct inflate_io *io, struct mvm_error **err)
{
	size_t count = io->in_left < io->out_left ? io->in_left : io->out_left;

	memcpy(io->out, io->in, count);
	io->in += count;
	io->in_left -= count;
	io->out += count;
	io->out_left -= count;
	return 1;
}

static void none_destroy(void *state)
{
}

const struct inflate_decoder inflate_none = {
	.create = none_create, .begins = none_begins, .run = none_run, .destroy = none_destroy};
