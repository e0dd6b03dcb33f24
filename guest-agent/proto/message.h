/*
 * The messages of the protocol as structs, for both sides: the sender fills a
 * struct and encodes it, the receiver decodes a frame into the same struct.
 *
 * Pure, as wire.h. Encoders write one frame into the caller's buffer (at most
 * MVM_WIRE_FRAME_MAX) and return its length in *length, or -1 where it is too
 * large. Decoders return 0, or -1 where the message is malformed, with
 * `*reason` a constant text that says how (reason may be NULL). Decoded text and lists live in the
 * caller's arena; what was not in the message is NULL, 0 or false, and texts
 * and lists may be NULL for the encoder too. Lists end with NULL.
 *
 * Untrusted: what a decoder reads. A decoded text has no NUL inside; nothing
 * more is promised of it.
 */
#ifndef MVM_PROTO_MESSAGE_H
#define MVM_PROTO_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto.h"
#include "wire.h"

/* Memory for what a decoder returns. MVM_PROTO_ARENA_MAX is enough for every frame. */
struct mvm_proto_arena {
	char *data; /* aligned for pointers and u64 */
	size_t size;
	size_t used;
};

enum { MVM_PROTO_ARENA_MAX = 3 * MVM_WIRE_PAYLOAD_MAX };

struct mvm_proto_hello {
	uint64_t version;
	uint64_t features;
	const char *agent; /* the guest's only */
	uint64_t uptime;   /* the guest's only; ns */
};

/* OK, ERROR and STARTED. */
struct mvm_proto_reply {
	enum mvm_proto_type type;
	uint32_t request;
	uint64_t uptime;	  /* ns */
	uint64_t pid;		  /* STARTED */
	enum mvm_proto_code code; /* ERROR, as the next two; a code that this side does not know reads as INTERNAL */
	uint64_t errnum;
	const char *message;

	/* OK, to STAT. */
	uint32_t mode;	/* Linux's st_mode */
	uint64_t size;	/* bytes */
	uint64_t mtime; /* seconds since 1970, as two's complement */
	uint32_t mtime_nsec;
	const char *link_target; /* of a link: the absolute path that it leads to in the end */
};

/* Of a container: 0 leaves one as it is, and there are none at first; UINT64_MAX takes it away. */
struct mvm_proto_limits {
	uint64_t memory_max; /* bytes */
	uint64_t memory_low; /* bytes that are left to it when memory is short */
	uint64_t cpu_quota;  /* microseconds in each 100000 */
	uint64_t cpu_weight; /* 1 to 10000; usually 100 */
	uint64_t pids_max;
};

struct mvm_proto_machine {
	const char *hostname;
	uint64_t clock; /* ns since 1970; 0 leaves the clock alone */
	const char *root_device;
	const char *root_type;
	bool root_scratch; /* it goes with the machine: nobody will see it after a crash */
	bool read_only;
	uint64_t shm_size; /* bytes; 0: 64 MiB */
	struct mvm_proto_limits limits;
	char *const *hosts;		/* lines for /etc/hosts after the usual ones for localhost and the host name */
	const char *resolv_conf;	/* NULL leaves the image's own alone */
	char *const *sysctls;		/* name=value */
	const char *ca_certificates;	/* PEM: authorities to trust beside the image's */
	const char *ca_bundle;		/* PEM: those to trust as well where the image has none */
	char *const *interfaces;	/* "mac=... name=... mtu=... ip=ADDRESS/PREFIX via=ADDRESS" */
	char *const *published_ports;	/* of the container, each once: "80/tcp" */
	char *const *published_sockets; /* paths in the container that the host connects to */
	uint64_t sockets;		/* of the host, which the container may connect to */
	char *const *translators;	/* rules for binfmt_misc */
};

/* The container's networks have changed. */
struct mvm_proto_network {
	char *const *
		interfaces; /* all that it is to have from now on, and those that go, as guest-agent/interface.h says */
	char *const *edits; /* in threes: a file, what to replace in it ("": put at its end), and by what */
};

struct mvm_proto_rlimit {
	uint64_t resource; /* MVM_RLIMIT_* */
	uint64_t soft;	   /* UINT64_MAX: unlimited */
	uint64_t hard;
};

struct mvm_proto_process {
	uint32_t id;	   /* the host's choice, not 0, not that of a running process */
	uint32_t join;	   /* a running process whose container to enter; 0: a new container */
	char *const *argv; /* at least one */
	char *const *env;
	const char *cwd;
	const char *user;
	bool tty;
	bool init;
	uint16_t rows, cols;
	uint32_t stdin_port, stdout_port, stderr_port; /* 0: /dev/null */
	const struct mvm_proto_rlimit *rlimits;
	size_t rlimit_count;
	uint64_t cap_drop; /* bits: capabilities that it must not have */
	bool no_new_privs;
	char *const *groups;   /* beside the user's own, by name or number */
	int64_t oom_score_adj; /* -1000 to 1000 */

	/* Of a new container; without meaning where one is joined. */
	char *const *mounts;  /* parents before what is below them, see PROTOCOL.md */
	char *const *sockets; /* where those of the host are */
	bool unmasked;	      /* nothing of /proc and /sys is hidden, and /proc can be written */
	bool privileged;      /* so can /sys and cgroups, and /dev has all devices of the machine */
	const char *domainname;
};

struct mvm_proto_signal {
	uint32_t id;
	uint32_t signo;
};

struct mvm_proto_resize {
	uint32_t id;
	uint16_t rows, cols;
};

struct mvm_proto_clock {
	uint64_t clock; /* ns since 1970, not 0 */
};

struct mvm_proto_archive {
	const char *path; /* not NULL */
	const char *name;
	uint32_t port;
	enum mvm_proto_changes changes; /* if any, of the whole disk: the path is "/" */
	bool freeze;
	bool mounted; /* /etc/hosts and its like are those that the container sees */
};

/* What follows on the connection: stream.h. */
struct mvm_proto_unpack {
	const char *path; /* a folder; not NULL */
	const char *user; /* whose all is to be, as mvm_proto_process.user; NULL: as the entries say */
	uint32_t port;
	bool sync; /* all is on the disk before the answer */
};

struct mvm_proto_stat {
	const char *path; /* not NULL */
};

struct mvm_proto_refresh {
	const char *path;     /* where a share is mounted in the container; not NULL */
	char *const *changed; /* paths in it; at least one */
};

struct mvm_proto_processes {
	uint32_t port; /* not 0 */
};

/* FIGURES: what the container has used since its machine started, and what it uses. Bytes, unless said otherwise. */
struct mvm_proto_figures {
	uint64_t uptime;	  /* ns: when that was so */
	uint64_t cpu_time;	  /* ns, of all processors together */
	uint64_t memory_used;	  /* files in the cache included */
	uint64_t memory_inactive; /* of these, files that have not been used for long */
	uint64_t memory_limit;	  /* without a limit what the machine has */
	uint64_t net_received, net_sent;
	uint64_t block_read, block_written;
	uint64_t pids; /* processes and threads */
};

struct mvm_proto_exited {
	uint32_t id;
	int signal; /* that ended it; 0: it exited by itself */
	int status; /* 0 to 255 */
	bool oom;   /* the kernel has killed for lack of memory in the container */
	uint64_t uptime;
};

struct mvm_proto_listening {
	const char *ports; /* "22 8080", in order */
};

struct mvm_proto_buffer {
	void *data;
	size_t capacity;
};

int mvm_proto_encode_hello(const struct mvm_proto_hello *hello, struct mvm_proto_buffer to, size_t *length);
int mvm_proto_encode_reply(const struct mvm_proto_reply *reply, struct mvm_proto_buffer to, size_t *length);
int mvm_proto_encode_machine(const struct mvm_proto_machine *machine, uint32_t request, struct mvm_proto_buffer to,
			     size_t *length);
int mvm_proto_encode_process(const struct mvm_proto_process *process, uint32_t request, struct mvm_proto_buffer to,
			     size_t *length);
int mvm_proto_encode_signal(const struct mvm_proto_signal *signal, uint32_t request, struct mvm_proto_buffer to,
			    size_t *length);
int mvm_proto_encode_resize(const struct mvm_proto_resize *resize, uint32_t request, struct mvm_proto_buffer to,
			    size_t *length);
int mvm_proto_encode_clock(const struct mvm_proto_clock *clock, uint32_t request, struct mvm_proto_buffer to,
			   size_t *length);
int mvm_proto_encode_archive(const struct mvm_proto_archive *archive, uint32_t request, struct mvm_proto_buffer to,
			     size_t *length);
int mvm_proto_encode_stats(uint32_t request, struct mvm_proto_buffer to, size_t *length);
int mvm_proto_encode_figures(const struct mvm_proto_figures *figures, uint32_t request, struct mvm_proto_buffer to,
			     size_t *length);
int mvm_proto_encode_update(const struct mvm_proto_limits *limits, uint32_t request, struct mvm_proto_buffer to,
			    size_t *length);
int mvm_proto_encode_network(const struct mvm_proto_network *network, uint32_t request, struct mvm_proto_buffer to,
			     size_t *length);
int mvm_proto_encode_unpack(const struct mvm_proto_unpack *unpack, uint32_t request, struct mvm_proto_buffer to,
			    size_t *length);
int mvm_proto_encode_stat(const struct mvm_proto_stat *stat, uint32_t request, struct mvm_proto_buffer to,
			  size_t *length);
int mvm_proto_encode_refresh(const struct mvm_proto_refresh *refresh, uint32_t request, struct mvm_proto_buffer to,
			     size_t *length);
int mvm_proto_encode_processes(const struct mvm_proto_processes *processes, uint32_t request,
			       struct mvm_proto_buffer to, size_t *length);
int mvm_proto_encode_shutdown(uint32_t request, struct mvm_proto_buffer to, size_t *length);
int mvm_proto_encode_exited(const struct mvm_proto_exited *exited, struct mvm_proto_buffer to, size_t *length);
int mvm_proto_encode_listening(const struct mvm_proto_listening *listening, struct mvm_proto_buffer to, size_t *length);

int mvm_proto_decode_hello(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena,
			   struct mvm_proto_hello *hello, const char **reason);
/* A frame of type OK, ERROR or STARTED. */
int mvm_proto_decode_reply(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena,
			   struct mvm_proto_reply *reply, const char **reason);
int mvm_proto_decode_machine(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena,
			     struct mvm_proto_machine *machine, const char **reason);
int mvm_proto_decode_process(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena,
			     struct mvm_proto_process *process, const char **reason);
int mvm_proto_decode_signal(const struct mvm_wire_frame *frame, struct mvm_proto_signal *signal, const char **reason);
int mvm_proto_decode_resize(const struct mvm_wire_frame *frame, struct mvm_proto_resize *resize, const char **reason);
int mvm_proto_decode_clock(const struct mvm_wire_frame *frame, struct mvm_proto_clock *clock, const char **reason);
int mvm_proto_decode_archive(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena,
			     struct mvm_proto_archive *archive, const char **reason);
int mvm_proto_decode_figures(const struct mvm_wire_frame *frame, struct mvm_proto_figures *figures,
			     const char **reason);
int mvm_proto_decode_update(const struct mvm_wire_frame *frame, struct mvm_proto_limits *limits, const char **reason);
int mvm_proto_decode_network(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena,
			     struct mvm_proto_network *network, const char **reason);
int mvm_proto_decode_unpack(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena,
			    struct mvm_proto_unpack *unpack, const char **reason);
int mvm_proto_decode_stat(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena,
			  struct mvm_proto_stat *stat, const char **reason);
int mvm_proto_decode_refresh(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena,
			     struct mvm_proto_refresh *refresh, const char **reason);
int mvm_proto_decode_processes(const struct mvm_wire_frame *frame, struct mvm_proto_processes *processes,
			       const char **reason);
int mvm_proto_decode_exited(const struct mvm_wire_frame *frame, struct mvm_proto_exited *exited, const char **reason);
int mvm_proto_decode_listening(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena,
			       struct mvm_proto_listening *listening, const char **reason);

#endif
