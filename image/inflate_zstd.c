/*
 * Zstandard frames (RFC 8878).
 */
#include "inflate_internal.h"

#include <stdlib.h>
#include <zstd.h>

#include "runtime/base/error.h"

/* The library refuses windows over 128 MiB, which bounds the memory; `zstd` makes larger ones only with --long. */
static void *zstd_create(void)
{
	ZSTD_DStream *stream = ZSTD_createDStream();

	if (!stream)
		abort(); /* out of memory */
	return stream;
}

static bool zstd_begins(unsigned char first)
{
	return first == 0x28 || (first & 0xf0) == 0x50; /* the latter are skippable */
}

static int zstd_run(void *state, struct inflate_io *io, struct mvm_error **err)
{
	ZSTD_inBuffer in = {.src = io->in, .size = io->in_left};
	ZSTD_outBuffer out = {.dst = io->out, .size = io->out_left};
	size_t status = ZSTD_decompressStream(state, &out, &in);

	io->in += in.pos;
	io->in_left -= in.pos;
	io->out += out.pos;
	io->out_left -= out.pos;
	if (ZSTD_isError(status))
		return mvm_fail(err, MVM_ERR_INVALID, "malformed zstd data (%s)", ZSTD_getErrorName(status));
	return status == 0;
}

static void zstd_destroy(void *state)
{
	ZSTD_freeDStream(state);
}

const struct inflate_decoder inflate_zstd = {
	.create = zstd_create, .begins = zstd_begins, .run = zstd_run, .destroy = zstd_destroy};
