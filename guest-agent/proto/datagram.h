/* The frames of a published UDP port's connection (PROTOCOL.md, "Published ports"): pure, used by both sides. */
#ifndef MVM_PROTO_DATAGRAM_H
#define MVM_PROTO_DATAGRAM_H

#include <stddef.h>

#include "proto.h"

/* Whether `length` bytes begin with a whole frame: 1 and the size of its datagram, which stands behind
 * MVM_PUBLISH_HEADER bytes; 0 where more has to come; -1 where no datagram is that long. */
static inline int mvm_publish_frame(const void *data, size_t length, size_t *size)
{
	const unsigned char *header = data;
	size_t stated;

	if (length < MVM_PUBLISH_HEADER)
		return 0;
	stated = header[0] | (size_t)header[1] << 8;
	if (stated > MVM_PUBLISH_DATAGRAM_MAX)
		return -1;
	*size = stated;
	return length - MVM_PUBLISH_HEADER >= stated;
}

#endif
