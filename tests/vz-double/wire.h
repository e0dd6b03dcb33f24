/*
 * What the double and the process of its machine say to each other over a SOCK_SEQPACKET pair: one struct a message, in
 * the machine's own byte order. The framework's end closing ends the process.
 */
#ifndef VZ_DOUBLE_WIRE_H
#define VZ_DOUBLE_WIRE_H

#include <stdint.h>

enum wire_type {
	/* To the process. */
	WIRE_LISTEN = 1, /* port; where id is not 0, DONE is the answer */
	WIRE_UNLISTEN,	 /* port */
	WIRE_CONNECT,	 /* id, port */
	WIRE_STOP,	 /* pulls the plug */
	WIRE_POWER,	 /* presses the power button */
	WIRE_PAUSE,
	WIRE_RESUME,
	WIRE_BALLOON, /* id: MiB */
	WIRE_PLUG,    /* id: index of a network device */
	WIRE_UNPLUG,
	/* From it. */
	WIRE_RUNNING,
	WIRE_PAUSED,
	WIRE_RESUMED,
	WIRE_GUEST_OFF, /* the guest powered itself off */
	WIRE_BROKEN,	/* text: what else ended it; also before it ran */
	WIRE_ACCEPTED,	/* port, with a descriptor */
	WIRE_CONNECTED, /* id, with a descriptor */
	WIRE_NOBODY,	/* id: nothing listens there */
	WIRE_DONE,
	WIRE_GONE, /* never sent: the process has ended */
};

enum { WIRE_TEXT_SIZE = 240 };

struct wire_message {
	uint32_t type;
	uint32_t id;
	uint32_t port;
	char text[WIRE_TEXT_SIZE]; /* NUL-terminated */
};

/* Descriptors that the process is started with; those that its description numbers follow. */
enum { WIRE_FD = 3, WIRE_FIRST_FD = 4 };

#endif
