#include "dns_frames.h"

#include "dns_message.h"

size_t mvm_dns_frames_feed(struct mvm_dns_frames *frames, const void *data, size_t length)
{
	size_t room;

	mvm_buf_consume(&frames->buf, frames->at);
	frames->at = 0;
	room = MVM_DNS_FRAMES_MAX - frames->buf.length;
	if (length > room)
		length = room;
	mvm_buf_add(&frames->buf, data, length);
	return length;
}

bool mvm_dns_frames_next(struct mvm_dns_frames *frames, const uint8_t **message, size_t *length)
{
	size_t left = frames->buf.length - frames->at, size;
	const uint8_t *start;

	if (left < MVM_DNS_FRAME_HEADER)
		return false;
	start = (const uint8_t *)frames->buf.data + frames->at;
	size = dns_get16(start);
	if (left - MVM_DNS_FRAME_HEADER < size)
		return false;
	*message = start + MVM_DNS_FRAME_HEADER;
	*length = size;
	frames->at += MVM_DNS_FRAME_HEADER + size;
	return true;
}

void mvm_dns_frames_finish(struct mvm_dns_frames *frames)
{
	mvm_buf_finish(&frames->buf);
	frames->at = 0;
}

void mvm_dns_frame_header(size_t length, uint8_t header[MVM_DNS_FRAME_HEADER])
{
	dns_put16(header, (unsigned)length);
}
