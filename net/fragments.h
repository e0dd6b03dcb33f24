/*
 * The IPv4 fragments of a guest (RFC 791) that are on their way out, put together, so that what comes after sees whole
 * packets only: libslirp 4.7, as distributions build it, follows a pointer out of a packet where the last fragment of
 * one comes first. Pure; frames have passed the guard and are otherwise untrusted.
 *
 * Fragments are taken in the order in which a host sends them, and of few packets at a time; others are dropped. So are
 * those of IPv6, which libslirp knows nothing of.
 */
#ifndef MVM_NET_FRAGMENTS_H
#define MVM_NET_FRAGMENTS_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/mem.h"

/* At most 64 KiB each; several processors may be sending. */
enum { MVM_FRAGMENTS_PACKETS = 4 };

struct mvm_fragments {
	struct mvm_buf packets[MVM_FRAGMENTS_PACKETS]; /* frames whose end is still to come */
	unsigned turn;
	uint64_t dropped;
};

/* The frame itself where it is no fragment; a whole one, valid until the next call, where this was the last; else NULL.
 */
uint8_t *mvm_fragments_take(struct mvm_fragments *fragments, uint8_t *frame, size_t *length);
void mvm_fragments_finish(struct mvm_fragments *fragments);

#endif
