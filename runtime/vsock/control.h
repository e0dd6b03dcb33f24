/*
 * What the supervisor and the device process say to each other over a SOCK_SEQPACKET pair: one struct a
 * message, in the machine's own byte order, since both ends are of one build on one machine.
 *
 *   supervisor                        device
 *       | LISTEN port  ---------------> |    connections of the guest to this port are taken
 *       | UNLISTEN port --------------> |
 *       | <------- ACCEPTED port + fd   |    one of them
 *       | SERVE first port, count ----> |    connections of the guest to these ports are asked about:
 *       | <------- ASKED id, port       |
 *       | ANSWER id + fd -------------> |    what it is to be connected to; without a descriptor it is refused
 *       | PUBLISH port + fd ----------> |    connections to this listening socket of the host go to the guest's port
 *       |                               |    (id is 1 where it is TCP's)
 *       | CONNECT id, port -----------> |
 *       | <------- CONNECTED id + fd    |    or
 *       | <------- REFUSED id, errnum   |
 *       | <------- BROKEN reason        |    the guest or QEMU broke the device; it ends
 *
 * The supervisor closes its end to end the device.
 */
#ifndef MVM_VSOCK_CONTROL_H
#define MVM_VSOCK_CONTROL_H

#include <stdint.h>

enum {
	CONTROL_LISTEN = 1,
	CONTROL_UNLISTEN,
	CONTROL_CONNECT,
	CONTROL_PUBLISH,
	CONTROL_SERVE,
	CONTROL_ANSWER,
	CONTROL_ACCEPTED,
	CONTROL_ASKED,
	CONTROL_CONNECTED,
	CONTROL_REFUSED,
	CONTROL_BROKEN,
};

enum { CONTROL_REASON_SIZE = 112 };

struct control_message {
	uint32_t type;
	uint32_t id;
	uint32_t port;
	uint32_t count; /* SERVE: how many ports */
	int32_t errnum;
	char reason[CONTROL_REASON_SIZE]; /* BROKEN: NUL-terminated */
};

/* Descriptors that the device process is started with. */
enum { CONTROL_FD = 3, VHOST_USER_FD = 4 };

#endif
