/*
 * Gzip members (RFC 1952), by ISA-L or zlib.
 */
#include "inflate_internal.h"

#include <stdlib.h>

#include "runtime/base/error.h"
#include "runtime/base/mem.h"

#ifdef MVM_HAVE_ISAL

#include <isa-l/igzip_lib.h>

static void *gzip_create(void)
{
	struct inflate_state *state = mvm_alloc(sizeof(*state));

	isal_inflate_init(state);
	state->crc_flag = ISAL_GZIP;
	return state;
}

static uint32_t clamp(size_t size)
{
	return size > INT32_MAX ? INT32_MAX : (uint32_t)size;
}

static int gzip_run(void *arg, struct inflate_io *io, struct mvm_error **err)
{
	struct inflate_state *state = arg;
	uint32_t in = clamp(io->in_left), out = clamp(io->out_left);
	int status;

	state->next_in = (uint8_t *)io->in;
	state->avail_in = in;
	state->next_out = io->out;
	state->avail_out = out;
	status = isal_inflate(state);
	io->in = state->next_in;
	io->in_left -= in - state->avail_in;
	io->out = state->next_out;
	io->out_left -= out - state->avail_out;
	if (status < 0)
		return mvm_fail(err, MVM_ERR_INVALID, "malformed gzip data (error %d)", status);
	if (state->block_state != ISAL_BLOCK_FINISH)
		return 0;
	isal_inflate_reset(state);
	state->crc_flag = ISAL_GZIP;
	return 1;
}

static void gzip_destroy(void *state)
{
	free(state);
}

#else

#include <limits.h>
#include <zlib.h>

static void *gzip_create(void)
{
	z_stream *stream = mvm_alloc(sizeof(*stream));

	if (inflateInit2(stream, 15 + 16) != Z_OK) /* 16: a gzip wrapper */
		abort();			   /* out of memory */
	return stream;
}

static unsigned clamp(size_t size)
{
	return size > INT_MAX ? INT_MAX : (unsigned)size;
}

static int gzip_run(void *arg, struct inflate_io *io, struct mvm_error **err)
{
	z_stream *stream = arg;
	unsigned in = clamp(io->in_left), out = clamp(io->out_left);
	int status;

	stream->next_in = (unsigned char *)io->in;
	stream->avail_in = in;
	stream->next_out = io->out;
	stream->avail_out = out;
	status = inflate(stream, Z_NO_FLUSH);
	io->in = stream->next_in;
	io->in_left -= in - stream->avail_in;
	io->out = stream->next_out;
	io->out_left -= out - stream->avail_out;
	if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
		return mvm_fail(err, MVM_ERR_INVALID, "malformed gzip data (%s)", stream->msg ? stream->msg : "zlib");
	if (status != Z_STREAM_END)
		return 0;
	inflateReset(stream);
	return 1;
}

static void gzip_destroy(void *state)
{
	inflateEnd(state);
	free(state);
}

#endif

static bool gzip_begins(unsigned char first)
{
	return first == 0x1f;
}

const struct inflate_decoder inflate_gzip = {
	.create = gzip_create, .begins = gzip_begins, .run = gzip_run, .destroy = gzip_destroy};
