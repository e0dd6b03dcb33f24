/*
 * DNS over TCP: messages with their length in two bytes before each (RFC 1035 §4.2.2, RFC 7766 §8). Pure; what comes in
 * is untrusted and in pieces of any size. What is kept is at most one message of the largest size.
 *
 *   while (length > 0) {
 *           size_t taken = mvm_dns_frames_feed(&frames, data, length);
 *           while (mvm_dns_frames_next(&frames, &message, &size))
 *                   ...
 *           data += taken, length -= taken;
 *   }
 */
#ifndef MVM_NET_DNS_FRAMES_H
#define MVM_NET_DNS_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/mem.h"

enum { MVM_DNS_FRAME_HEADER = 2, MVM_DNS_FRAMES_MAX = MVM_DNS_FRAME_HEADER + 65535 };

struct mvm_dns_frames {
	struct mvm_buf buf;
	size_t at; /* what is before it has been handed out */
};

/* Takes as much as there is room for: at least one byte after mvm_dns_frames_next() has said that there is no whole
 * message. */
size_t mvm_dns_frames_feed(struct mvm_dns_frames *frames, const void *data, size_t length);
/* The next whole message, which may be empty; valid until the next call. False where there is none. */
bool mvm_dns_frames_next(struct mvm_dns_frames *frames, const uint8_t **message, size_t *length);
void mvm_dns_frames_finish(struct mvm_dns_frames *frames);

/* What goes before a message of `length` bytes, at most 65535. */
void mvm_dns_frame_header(size_t length, uint8_t header[MVM_DNS_FRAME_HEADER]);

#endif
