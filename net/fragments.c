#include "fragments.h"

#include <string.h>

#include "guard.h"
#include "packet.h"

enum { MORE = 0x2000, OFFSET = 0x1fff };

/* What all fragments of a packet have in common: identification, protocol, both addresses. */
static bool same_packet(const struct mvm_buf *begun, const uint8_t *packet)
{
	const uint8_t *other;

	if (!begun->length)
		return false;
	other = (const uint8_t *)begun->data + MVM_FRAME_HEADER;
	return !memcmp(other + 4, packet + 4, 2) && other[9] == packet[9] && !memcmp(other + 12, packet + 12, 8);
}

static struct mvm_buf *find(struct mvm_fragments *fragments, const uint8_t *packet)
{
	for (size_t i = 0; i < MVM_FRAGMENTS_PACKETS; i++)
		if (same_packet(&fragments->packets[i], packet))
			return &fragments->packets[i];
	return NULL;
}

/* In the place of one that was never finished, if need be. */
static struct mvm_buf *begin(struct mvm_fragments *fragments)
{
	struct mvm_buf *begun = &fragments->packets[fragments->turn++ % MVM_FRAGMENTS_PACKETS];

	fragments->dropped += begun->length > 0;
	begun->length = 0;
	return begun;
}

static size_t header_of(const uint8_t *packet)
{
	return (packet[0] & 15) * 4u;
}

/* False where it is not what comes next. */
static bool append(struct mvm_buf *begun, const uint8_t *packet, bool more)
{
	const uint8_t *first = (const uint8_t *)begun->data + MVM_FRAME_HEADER;
	size_t header = header_of(packet), size = get16(packet + 2) - header,
	       offset = (get16(packet + 6) & OFFSET) * 8u;

	if (begun->length != MVM_FRAME_HEADER + header_of(first) + offset ||
	    begun->length + size > MVM_FRAME_HEADER + UINT16_MAX || (more && (size % 8 || !size)))
		return false;
	mvm_buf_add(begun, packet + header, size);
	return true;
}

/* Its header says what it is now. */
static uint8_t *complete(struct mvm_buf *begun, size_t *length)
{
	uint8_t *frame = (uint8_t *)begun->data, *packet = frame + MVM_FRAME_HEADER;

	*length = begun->length;
	put16(packet + 2, (uint16_t)(begun->length - MVM_FRAME_HEADER));
	put16(packet + 6, 0);
	put16(packet + 10, 0);
	put16(packet + 10, sum_fold(sum_add(0, packet, header_of(packet))));
	begun->length = 0;
	return frame;
}

uint8_t *mvm_fragments_take(struct mvm_fragments *fragments, uint8_t *frame, size_t *length)
{
	const uint8_t *packet = frame + MVM_FRAME_HEADER;
	struct mvm_buf *begun;
	bool more, first;

	if (get16(frame + 12) == TYPE_IPV6 && packet[6] == PROTOCOL_FRAGMENT) {
		fragments->dropped++;
		return NULL;
	}
	if (get16(frame + 12) != TYPE_IPV4 || !(get16(packet + 6) & (MORE | OFFSET)))
		return frame;
	more = get16(packet + 6) & MORE;
	first = !(get16(packet + 6) & OFFSET);
	begun = find(fragments, packet);
	if (first) {
		begun = begun ? begun : begin(fragments);
		begun->length = 0;
		mvm_buf_add(begun, frame, MVM_FRAME_HEADER + header_of(packet));
	}
	if (!begun || !append(begun, packet, more)) {
		fragments->dropped++;
		if (begun)
			begun->length = 0;
		return NULL;
	}
	return more ? NULL : complete(begun, length);
}

void mvm_fragments_finish(struct mvm_fragments *fragments)
{
	for (size_t i = 0; i < MVM_FRAGMENTS_PACKETS; i++)
		mvm_buf_finish(&fragments->packets[i]);
}
