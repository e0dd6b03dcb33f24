/*
 * A backend runs one virtual machine: QEMU on Linux, Virtualization.framework on
 * macOS. The consumer is the supervisor, which holds one machine at a time.
 *
 * Process and loop: everything runs in the supervisor, on its loop; no call
 * blocks. What happens to the machine arrives through struct mvm_machine_events.
 *
 * Ownership: a spec is read during start() only. A machine is the caller's from
 * start() to destroy(). Text given to an event is valid during the call.
 *
 * Order of events: running once, then paused and resumed any number of times,
 * then stopped exactly once; stopped may come without running. Nothing comes after
 * stopped or destroy(). An event may call any operation, destroy() included.
 *
 * Untrusted: the console's output is the guest's. It reaches the boot log only, whose
 * size is bounded, and texts through mvm_boot_log_tail(), which cleans it.
 */
#ifndef MVM_BACKEND_BACKEND_H
#define MVM_BACKEND_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/arch.h"

struct mvm_error;
struct mvm_loop;
struct mvm_machine;

/* MVM_ACCEL_AUTO takes KVM where it can, else emulation. */
enum mvm_accel { MVM_ACCEL_AUTO, MVM_ACCEL_KVM, MVM_ACCEL_TCG };

enum mvm_disk_format { MVM_DISK_RAW, MVM_DISK_QCOW2 };

struct mvm_machine_disk {
	const char *path; /* a qcow2's backing file is found by what it says itself */
	enum mvm_disk_format format;
	bool read_only;
	bool scratch; /* goes with the VM: what the guest syncs outlives the VM's death but need not outlive the host's,
			 and no flush waits for the host's disk */
	bool throw_away; /* what the guest writes is gone with the VM: the file is opened read-only, whoever owns it */
	const char *serial; /* what the guest sees, at most 20 characters; NULL for none */
};

/* A folder of the host's, for backends that have shares of their own: the guest finds it by its number. */
struct mvm_machine_share {
	const char *path;
	bool read_only;
};

/* How many there are at most, and how many of these may be put in later. */
enum { MVM_MACHINE_NICS_MAX = 8, MVM_MACHINE_HOT_NICS = 4 };
/* eth0, eth1, ... in this order. */
struct mvm_machine_nic {
	int fd; /* a datagram socket, a frame each. Borrowed, as vsock_fd, but it can be used again */
	uint8_t mac[6];
	unsigned mtu;
};

struct mvm_machine_spec {
	/* For amd64 an uncompressed vmlinux with a PVH note or, which is VZ's only, a bzImage; an arm64 Image. It
	 * decides which processor the machine has: one that is not the host's is emulated. */
	const char *kernel;
	const char *initrd;	 /* newc cpio */
	const char *kernel_args; /* added after our own, so that they win; NULL for none */
	unsigned cpus;
	uint64_t memory;		      /* the guest's RAM in bytes; rounded up to a MiB */
	const struct mvm_machine_disk *disks; /* /dev/vda, /dev/vdb, ... in this order */
	size_t disk_count;
	const struct mvm_machine_nic *nics;
	size_t nic_count;
	bool hot_nics;	    /* plug_nic() may be called */
	int vsock_fd;	    /* QEMU: connected vhost-user socket of the vsock device, -1 for none. Borrowed: QEMU gets a
			       duplicate during start(), the caller closes its own after it. Used up even where
			       the machine fails; a second start() needs a new one */
	int fs_fd;	    /* QEMU: the same of the shares' device */
	const char *fs_tag; /* NULL: there are no shares */
	const struct mvm_machine_share *shares; /* of that tag, where they are the machine's own (own_devices) */
	size_t share_count;
	const char *rosetta_tag; /* VZ: the tag of a share with Rosetta in it; NULL: there is none */
	const char *identity; /* VZ: file in which what the machine calls itself is kept; NULL: it is new each time */
	bool nested;	      /* VZ: the guest may have machines of its own, where that can be */
	const char *boot_log; /* path; emptied at start, never larger than MVM_BOOT_LOG_MAX */
	enum mvm_accel accel;
	bool debug; /* the kernel says everything it has to say on the console */
};

/* The boot log keeps its beginning and its end: past this size its middle goes. */
enum { MVM_BOOT_LOG_MAX = 1024 * 1024 };

enum mvm_machine_stop {
	MVM_STOP_GUEST_OFF,	 /* the guest powered itself off, asked or not */
	MVM_STOP_GUEST_RESET,	 /* the guest asked for a reset, which it does not get */
	MVM_STOP_GUEST_PANIC,	 /* the guest's kernel panicked; the boot log ends with why */
	MVM_STOP_KILLED,	 /* kill() */
	MVM_STOP_CRASHED,	 /* the process died, or the machine stopped with an internal error */
	MVM_STOP_ACCEL_UNUSABLE, /* MVM_ACCEL_AUTO took KVM, which cannot run a kernel here: start again with
				    MVM_ACCEL_TCG. Remembered until the host boots anew; notice() came before */
};

struct mvm_machine_events {
	void (*running)(void *arg);
	void (*paused)(void *arg);
	void (*resumed)(void *arg);
	/* `detail` is one line on what happened, "" where the reason says it all. The process has been reaped. */
	void (*stopped)(void *arg, enum mvm_machine_stop reason, const char *detail);
	/* One line that the user should see, such as that emulation is used and how to change it. May come
	 * from inside start(). At most once per boot of the host for the same cause. */
	void (*notice)(void *arg, const char *text);
	/* Of own_devices: the guest has connected to a port of listen(), and what connect() has come to: -1 and an
	 * errno where it has failed. `fd` is the callee's, blocking and close-on-exec. */
	void (*accepted)(void *arg, uint32_t port, int fd);
	void (*connected)(void *arg, uint32_t id, int fd, int errnum);
};

/* macOS's translator of amd64 programs, where machines can have it. */
enum mvm_rosetta { MVM_ROSETTA_UNSUPPORTED, MVM_ROSETTA_NOT_INSTALLED, MVM_ROSETTA_INSTALLED };

struct mvm_backend_ops {
	const char *name;
	/* Its machines have a vsock device and shares of their own: spec.shares, listen() and connect() are for it, and
	 * vsock_fd and fs_fd are not. */
	bool own_devices;
	/* 0: the machine is on its way, and stopped() will say how it ended. Fails with NOT_FOUND where QEMU,
	 * the kernel or the initramfs is missing (and says what to do), UNSUPPORTED where the accelerator
	 * asked for cannot be had. `events` is copied, `arg` is passed on. */
	int (*start)(struct mvm_loop *loop, const struct mvm_machine_spec *spec,
		     const struct mvm_machine_events *events, void *arg, struct mvm_machine **machine,
		     struct mvm_error **err);
	/* Ask; paused() and resumed() say that it is so. CONFLICT before running() and after stopped(). */
	int (*pause)(struct mvm_machine *machine, struct mvm_error **err);
	int (*resume)(struct mvm_machine *machine, struct mvm_error **err);
	/* Presses the power button. The guest's agent is the better way to ask, since only it can say no. */
	int (*power_off)(struct mvm_machine *machine, struct mvm_error **err);
	/* NULL without own_devices. Before the guest runs or later; accepted() and connected() tell. */
	void (*listen)(struct mvm_machine *machine, uint32_t port, bool on);
	void (*connect)(struct mvm_machine *machine, uint32_t port, uint32_t id);
	/* Pulls the plug, now: what the guest has not synced is lost. stopped(KILLED) follows, unless it had
	 * stopped by itself before. */
	void (*kill)(struct mvm_machine *machine);
	/* Puts one more network card into a machine that runs. Where the kernel finds it, it looks for it (it is not
	 * told); it stays until the machine ends. `done` is called once, later; not after the machine has stopped. One
	 * at a time. CONFLICT as above, UNSUPPORTED where MVM_MACHINE_HOT_NICS have been put in. */
	int (*plug_nic)(struct mvm_machine *machine, const struct mvm_machine_nic *nic,
			void (*done)(void *arg, const struct mvm_error *error), void *arg, struct mvm_error **err);
	/* The process that holds the guest's memory, for statistics; 0 after it ended or where there is none. */
	pid_t (*pid)(const struct mvm_machine *machine);
	/* What it runs on, never AUTO. */
	enum mvm_accel (*accel)(const struct mvm_machine *machine);
	/* Kills what still runs, without an event. NULL is fine. */
	void (*destroy)(struct mvm_machine *machine);
	/* What a machine of the host's processor would run on, in one line, and what the user could do to have a better
	 * one, "" for nothing; both are the caller's. Fails as start() does. Blocks for a moment. */
	int (*examine)(enum mvm_accel accel, char **text, char **advice, struct mvm_error **err);
	/* NULL: this backend knows no Rosetta. Whether it is there; with `install` the system is told to install it
	 * before, which downloads, may ask the user in a window and blocks until that has come to an end. Says why it
	 * is not installed then: INTERRUPTED where the user has refused, UNSUPPORTED, MACHINE. */
	int (*rosetta)(bool install, enum mvm_rosetta *state, struct mvm_error **err);
};

extern const struct mvm_backend_ops mvm_backend_qemu;
extern const struct mvm_backend_ops mvm_backend_vz;

/* "auto", "qemu" or "vz"; NULL or "" reads MVM_BACKEND, which is auto where unset. USAGE for an unknown name,
 * UNSUPPORTED for one that this system has not. */
int mvm_backend_find(const char *name, const struct mvm_backend_ops **ops, struct mvm_error **err);

/* For those who start no machine themselves: the supervisor program of the backend that MVM_BACKEND names, the
 * caller's; and whether its machines take raw disks only. */
int mvm_backend_program(char **path, struct mvm_error **err);
bool mvm_backend_wants_raw(void);
/* And which of mvm's own kernels they boot. */
enum mvm_boot_file mvm_backend_kernel(void);
/* Whether to ask that program for Rosetta (`mvm-supervisor rosetta [install]`, which says one of these words). */
bool mvm_backend_knows_rosetta(void);
const char *mvm_rosetta_name(enum mvm_rosetta state);
int mvm_rosetta_parse(const char *name, enum mvm_rosetta *state);

/* "auto", "kvm" or "tcg"; NULL reads MVM_ACCEL, which is auto where unset or empty. */
int mvm_accel_parse(const char *name, enum mvm_accel *accel, struct mvm_error **err);
const char *mvm_accel_name(enum mvm_accel accel);

/* The last lines of a boot log, at most `lines` (1 or more), without control characters and over-long lines; "" where
 * there is no log. The caller owns the text. */
char *mvm_boot_log_tail(const char *path, unsigned lines);
/* The line in which the guest's kernel says that it panicked; NULL for none; the caller owns it. */
char *mvm_boot_log_panic(const char *path);

#endif
