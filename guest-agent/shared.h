/*
 * Memory that the agent shares with the children that it has made ahead of need:
 * what they have to know of orders that came after their fork. It is at the same
 * address in all of them, so that pointers into it hold.
 *
 * The agent writes; a child reads after it has been told to go (stage.h), and while orders are held.
 */
#ifndef AGENT_SHARED_H
#define AGENT_SHARED_H

#include <stdbool.h>
#include <stdint.h>

#include "guest-agent/proto/message.h"

enum { SHARED_SHM_DEFAULT = 64 << 20 };

struct shared {
	/* Of MACHINE. */
	bool read_only;
	bool has_resolv;
	bool has_trust;	   /* trust.h */
	bool has_rosettad; /* rosetta.h */
	uint64_t shm_size;
	char hostname[256];
	char ipc_sysctls[8192]; /* name=value, each ended by NUL, one more NUL at the end */

	/* Of the PROCESS_START that is being carried out; what it points to is in the arena. */
	struct mvm_proto_process order;
	_Alignas(8) char arena[MVM_PROTO_ARENA_MAX];
};

extern struct shared *shared;

/* -1 with errno set. */
int shared_init(void);

#endif
