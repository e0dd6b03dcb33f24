/*
 * The protocol between the host (supervisor) and the agent in the guest:
 * numbers that both sides agree on. PROTOCOL.md beside this file draws the
 * exchange; wire.h holds the encoding, message.h the messages as structs.
 *
 * Numbers are never reused or renumbered: an old agent may meet a newer host.
 * What a receiver does not know, it skips (fields) or answers with
 * MVM_PROTO_UNSUPPORTED (messages).
 *
 * Signal, errno and rlimit numbers are Linux's, also where the host is not.
 */
#ifndef MVM_PROTO_PROTO_H
#define MVM_PROTO_PROTO_H

enum {
	MVM_PROTO_VERSION = 1,
	MVM_PROTO_HOST_CID = 2,
	MVM_PROTO_CONTROL_PORT = 1024, /* the agent's first connection; the host listens */
	MVM_PROTO_STREAM_PORT = 1025,  /* ports from here on are the host's to give to streams */

	/* Ports of the guest, where the agent listens for what the container publishes: one for each of its ports,
	 * which is added to these, and of its sockets, by their number; PROTOCOL.md */
	MVM_PROTO_PUBLISH_TCP_PORT = 0x10000,
	MVM_PROTO_PUBLISH_UDP_PORT = 0x20000,
	MVM_PROTO_PUBLISH_SOCKET_PORT = 0x30000,

	/* Ports of the host from here on lead to unix sockets of its own, one each */
	MVM_PROTO_SOCKET_PORT = 512,
};

enum mvm_proto_type {
	MVM_PROTO_HELLO = 1,   /* guest, then host */
	MVM_PROTO_OK = 2,      /* guest: reply */
	MVM_PROTO_ERROR = 3,   /* guest: reply */
	MVM_PROTO_STARTED = 4, /* guest: reply to PROCESS_START */
	MVM_PROTO_FIGURES = 8, /* guest: reply to STATS */

	MVM_PROTO_MACHINE = 16, /* host: requests */
	MVM_PROTO_PROCESS_START = 17,
	MVM_PROTO_PROCESS_SIGNAL = 18,
	MVM_PROTO_PROCESS_RESIZE = 19,
	MVM_PROTO_SHUTDOWN = 20,
	MVM_PROTO_ARCHIVE = 21,
	MVM_PROTO_UNPACK = 22,
	MVM_PROTO_STAT = 23,
	MVM_PROTO_CLOCK = 24,
	MVM_PROTO_STATS = 26,
	MVM_PROTO_UPDATE = 27,
	MVM_PROTO_PROCESSES = 28,
	MVM_PROTO_NETWORK = 29,
	MVM_PROTO_REFRESH = 30,

	MVM_PROTO_PROCESS_EXITED = 32, /* guest: events, request id 0 */
	MVM_PROTO_LISTENING = 33,

	MVM_PROTO_ENTRY = 64, /* host: on the connection of UNPACK, as the next two */
	MVM_PROTO_DATA = 65,
	MVM_PROTO_END = 66,
};

/* The virtiofs device that holds all shares: the folder "N" is a folder of the host, "N/file" a file. */
#define MVM_SHARE_TAG "mvm"
/* Where the agent mounts it in its own root, before any process starts. */
#define MVM_SHARE_ROOT "/share"
/* The one that holds Rosetta, on macOS: the program and, where the host has it, its daemon. */
#define MVM_ROSETTA_TAG	 "rosetta"
#define MVM_ROSETTA_ROOT "/rosetta"
/* Where its programs, in whatever container, look for the daemon's socket. */
#define MVM_ROSETTA_SOCKET "/dev/rosettad/rosetta.sock"
/* The time that REFRESH sets, in seconds: the host's server takes it for no time, but for a touch without effect. */
#define MVM_SHARE_TOUCH 0x7761746368
/* The folder of a volume that containers see. */
#define MVM_PROTO_VOLUME "data"

/* One name space for all messages. u64: 8 bytes little-endian. text: bytes without NUL. */
enum mvm_proto_tag {
	MVM_FIELD_VERSION = 1,	/* u64 */
	MVM_FIELD_FEATURES = 2, /* u64, bits; none is defined yet */
	MVM_FIELD_AGENT = 3,	/* text: the agent's version */
	MVM_FIELD_UPTIME = 4,	/* u64: nanoseconds since the guest's kernel started; in all that the guest sends */

	MVM_FIELD_CODE = 8,	/* u64: enum mvm_proto_code */
	MVM_FIELD_ERRNO = 9,	/* u64: 0 where no system call failed */
	MVM_FIELD_MESSAGE = 10, /* text: one sentence without prefix */

	MVM_FIELD_HOSTNAME = 16,     /* text */
	MVM_FIELD_CLOCK = 17,	     /* u64: wall clock, nanoseconds since 1970 */
	MVM_FIELD_ROOT_DEVICE = 18,  /* text: "/dev/vda" */
	MVM_FIELD_ROOT_TYPE = 19,    /* text: "ext4" */
	MVM_FIELD_READ_ONLY = 20,    /* u64: 1 when the container sees its root read-only */
	MVM_FIELD_SHM_SIZE = 21,     /* u64: bytes of /dev/shm */
	MVM_FIELD_MEMORY_MAX = 22,   /* u64: bytes; of all limits 0 leaves as it is, and UINT64_MAX is none */
	MVM_FIELD_CPU_QUOTA = 23,    /* u64: microseconds in each 100000 */
	MVM_FIELD_HOSTS = 24,	     /* text, repeated: lines of /etc/hosts */
	MVM_FIELD_RESOLV_CONF = 25,  /* text: the whole /etc/resolv.conf */
	MVM_FIELD_SYSCTL = 26,	     /* text, repeated: "net.ipv4.ip_forward=1" */
	MVM_FIELD_PIDS_MAX = 27,     /* u64: processes and threads */
	MVM_FIELD_ROOT_SCRATCH = 28, /* u64: 1 when the root disk goes with the machine */
	MVM_FIELD_CPU_WEIGHT = 29,   /* u64: 1 to 10000; usually 100 */
	MVM_FIELD_INTERFACE = 30,    /* text, repeated: a network interface, see PROTOCOL.md */

	MVM_FIELD_PROCESS = 32,	    /* u64: the host's id of a process, 32 bits, not 0 */
	MVM_FIELD_ARG = 33,	    /* text, repeated */
	MVM_FIELD_ENV = 34,	    /* text, repeated: NAME=value */
	MVM_FIELD_CWD = 35,	    /* text: absolute path, "" for / */
	MVM_FIELD_USER = 36,	    /* text: "name", "uid", "name:group", "uid:gid"; "" for root */
	MVM_FIELD_TTY = 37,	    /* u64: 1 for a terminal */
	MVM_FIELD_ROWS = 38,	    /* u64 */
	MVM_FIELD_COLS = 39,	    /* u64 */
	MVM_FIELD_STDIN_PORT = 40,  /* u64: 0 for /dev/null */
	MVM_FIELD_STDOUT_PORT = 41, /* u64; with a terminal all of its output */
	MVM_FIELD_STDERR_PORT = 42, /* u64; not used with a terminal */
	MVM_FIELD_RLIMIT = 43,	    /* three u64, repeated: resource, soft, hard */
	MVM_FIELD_INIT = 44,	    /* u64: 1 for a reaper as PID 1 */
	MVM_FIELD_JOIN = 45,	    /* u64: id of a running process whose container this one enters; 0: a new one */

	MVM_FIELD_PID = 48,	    /* u64: as the guest's init sees it */
	MVM_FIELD_SIGNAL = 49,	    /* u64: to send, or that ended the process */
	MVM_FIELD_EXIT_STATUS = 50, /* u64: 0 to 255 */
	MVM_FIELD_OOM = 51,	    /* u64: 1 when the kernel killed for lack of memory in the container */

	MVM_FIELD_PATH = 56,	/* text: absolute, in the root disk */
	MVM_FIELD_NAME = 57,	/* text: what the path is called in the archive; "": a folder's content alone */
	MVM_FIELD_PORT = 58,	/* u64: where the archive goes, or comes from */
	MVM_FIELD_CHANGES = 59, /* u64: enum mvm_proto_changes: not all of the tree, but what differs from its base */
	MVM_FIELD_FREEZE = 60,	/* u64: 1 when the container's processes stand still meanwhile */

	MVM_FIELD_CAP_DROP = 64,      /* u64: a bit for each capability that the process must not have; 0: it has all */
	MVM_FIELD_NO_NEW_PRIVS = 65,  /* u64: 1 when exec gains it nothing */
	MVM_FIELD_GROUP = 66,	      /* text, repeated: one more group, by name or number */
	MVM_FIELD_OOM_SCORE_ADJ = 67, /* u64: -1000 to 1000, as two's complement */
	MVM_FIELD_MOUNT = 68,	      /* text, repeated: a tmpfs or a share of the host's, see PROTOCOL.md */
	MVM_FIELD_UNMASKED = 69,      /* u64: 1 when nothing of /proc and /sys is hidden or read-only but /sys itself */
	MVM_FIELD_PRIVILEGED = 70,    /* u64: 1 when /sys and cgroups can be written too, and /dev has all devices */
	MVM_FIELD_DOMAINNAME = 71,    /* text */

	/* What the container has used since its machine started, and what it uses. */
	MVM_FIELD_CPU_TIME = 80,	/* u64: nanoseconds, of all processors together */
	MVM_FIELD_MEMORY_USED = 81,	/* u64: bytes, as the next two */
	MVM_FIELD_MEMORY_INACTIVE = 82, /* u64: of these, files that have not been used for long */
	MVM_FIELD_MEMORY_LIMIT = 83,	/* u64: what it may use, without a limit what the machine has */
	MVM_FIELD_NET_RECEIVED = 84,	/* u64: bytes, as the next three */
	MVM_FIELD_NET_SENT = 85,	/* u64 */
	MVM_FIELD_BLOCK_READ = 86,	/* u64 */
	MVM_FIELD_BLOCK_WRITTEN = 87,	/* u64 */
	MVM_FIELD_PIDS = 88,		/* u64: processes and threads */

	MVM_FIELD_MEMORY_LOW = 96, /* u64: bytes that are left to it when memory is short */

	MVM_FIELD_PUBLISHED_SOCKET = 104, /* text, repeated: path of a unix socket in the container */
	MVM_FIELD_SOCKETS = 105,	  /* u64: how many sockets of the host there are, at most MVM_SOCKETS_MAX */
	MVM_FIELD_SOCKET = 106,		  /* text, repeated: where each of them is in the container */
	MVM_FIELD_PUBLISHED_PORT = 107,	  /* text, repeated: a port of the container: "80/tcp", "53/udp" */
	MVM_FIELD_TRANSLATOR = 108,	  /* text, repeated: a rule for binfmt_misc, with a program below MVM_SHARE_ROOT
					   or MVM_ROSETTA_ROOT */

	MVM_FIELD_MOUNTED = 112,     /* u64: 1 when /etc/hosts and its like are those that the container sees */
	MVM_FIELD_SYNC = 113,	     /* u64: 1 when all is to be on the disk before the answer */
	MVM_FIELD_TYPE = 114,	     /* u64: of an entry: tar's type flag, '0' to '6' */
	MVM_FIELD_MODE = 115,	     /* u64: of a file, as Linux's st_mode; of an entry its lower 12 bits */
	MVM_FIELD_UID = 116,	     /* u64 */
	MVM_FIELD_GID = 117,	     /* u64 */
	MVM_FIELD_MAJOR = 118,	     /* u64 */
	MVM_FIELD_MINOR = 119,	     /* u64 */
	MVM_FIELD_MTIME = 120,	     /* u64: seconds since 1970, as two's complement */
	MVM_FIELD_MTIME_NSEC = 121,  /* u64 */
	MVM_FIELD_SIZE = 122,	     /* u64 */
	MVM_FIELD_LINK_TARGET = 123, /* text: what a link says; of STAT's answer where it leads in the end */
	MVM_FIELD_XATTR = 124,	     /* bytes, repeated: name, NUL, value */
	MVM_FIELD_CHANGED = 125,     /* text, repeated: path in a share; "": the share itself */

	MVM_FIELD_CA_CERTIFICATES = 128, /* text: PEM, authorities that processes are to trust beside the image's */
	MVM_FIELD_CA_BUNDLE = 129,	 /* text: PEM, those to trust beside them where the image has none */
	MVM_FIELD_EDIT = 130,		 /* text, repeated: of NETWORK, in threes */
	MVM_FIELD_PORTS = 131,		 /* text: TCP ports in order, "22 8080" */
};

/* In place of a published port: all TCP ports at which programs listen, as LISTENING tells of them. */
#define MVM_PROTO_ALL_PORTS "*"

/* Unix sockets, each way. */
enum { MVM_SOCKETS_MAX = 64 };

/* What a frame of a UDP flow begins with: the length of the datagram, 16 bits. */
enum { MVM_PUBLISH_HEADER = 2, MVM_PUBLISH_DATAGRAM_MAX = 65507 };

/* What ARCHIVE sends of what differs from the base. */
enum mvm_proto_changes {
	MVM_CHANGES_NONE = 0,  /* the whole tree instead */
	MVM_CHANGES_LIST = 1,  /* the names: listing.h */
	MVM_CHANGES_LAYER = 2, /* a tar stream with whiteouts (OCI image-spec layer.md) */
};

/* Why a request was refused. */
enum mvm_proto_code {
	MVM_PROTO_INTERNAL = 1,	     /* a system call in the agent failed that nobody expects to fail */
	MVM_PROTO_MALFORMED = 2,     /* a field is missing, of the wrong size, or out of range */
	MVM_PROTO_UNSUPPORTED = 3,   /* a message that the agent does not know */
	MVM_PROTO_BAD_STATE = 4,     /* not now: MACHINE twice, PROCESS_START before MACHINE, id in use */
	MVM_PROTO_NO_PROCESS = 5,    /* no such process, or it has ended */
	MVM_PROTO_NO_PROGRAM = 6,    /* docker's 127: not in $PATH, no such file, interpreter missing */
	MVM_PROTO_CANNOT_RUN = 7,    /* docker's 126: not executable, a folder, no program, other architecture */
	MVM_PROTO_NO_USER = 8,	     /* not in the image's /etc/passwd */
	MVM_PROTO_NO_GROUP = 9,	     /* not in the image's /etc/group */
	MVM_PROTO_BAD_CWD = 10,	     /* the working folder cannot be made or entered */
	MVM_PROTO_MOUNT = 11,	     /* the root or something in it cannot be mounted */
	MVM_PROTO_RESOURCE = 12,     /* rlimit, cgroup, no memory or processes left */
	MVM_PROTO_NO_FILE = 13,	     /* nothing is at that path */
	MVM_PROTO_NOT_POSSIBLE = 14, /* with what is at that path: no folder, one in the way, a name that leads out */
};

/* Numbers for MVM_FIELD_RLIMIT (x86-64 and arm64 agree). */
enum mvm_proto_rlimit_resource {
	MVM_RLIMIT_CPU = 0,
	MVM_RLIMIT_FSIZE = 1,
	MVM_RLIMIT_DATA = 2,
	MVM_RLIMIT_STACK = 3,
	MVM_RLIMIT_CORE = 4,
	MVM_RLIMIT_RSS = 5,
	MVM_RLIMIT_NPROC = 6,
	MVM_RLIMIT_NOFILE = 7,
	MVM_RLIMIT_MEMLOCK = 8,
	MVM_RLIMIT_AS = 9,
	MVM_RLIMIT_LOCKS = 10,
	MVM_RLIMIT_SIGPENDING = 11,
	MVM_RLIMIT_MSGQUEUE = 12,
	MVM_RLIMIT_NICE = 13,
	MVM_RLIMIT_RTPRIO = 14,
	MVM_RLIMIT_RTTIME = 15,
	MVM_RLIMIT_COUNT = 16,
};

#endif
