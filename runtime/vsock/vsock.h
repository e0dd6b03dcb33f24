/*
 * vsock: connections between the host and one VM's guest, each an ordinary stream descriptor.
 *
 * Runs in the supervisor, on its loop; nothing here blocks. There are two kinds of device. For QEMU it is a process of
 * its own (mvm-vsock) that speaks vhost-user, parses what the guest writes and can open nothing; it ends with the
 * supervisor. QEMU needs shared guest memory and
 *
 *   -chardev socket,id=vs,fd=N -device vhost-user-vsock-pci,chardev=vs
 *
 * Other machines have a device of their own (Virtualization.framework), which is asked for connections and tells of
 * them; what is published and served then passes through here (own.c).
 *
 * A connection is one end of an AF_UNIX stream pair. shutdown(SHUT_WR) tells the guest that no more will come
 * and leaves the other direction open; so does the guest's shutdown here. What the guest wrote before it
 * closed or died is read before the end of file. Writing to a guest that no longer
 * reads is EPIPE. Bytes on it are the guest's, and untrusted.
 *
 * Spec: virtio 1.2 §5.10, QEMU's vhost-user.
 */
#ifndef MVM_VSOCK_VSOCK_H
#define MVM_VSOCK_VSOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct mvm_error;
struct mvm_loop;
struct mvm_vsock;

/* Callbacks may call anything here, mvm_vsock_destroy() included. */
struct mvm_vsock_events {
	/* The guest connected to a port that is listened on. `fd` is the callee's, blocking and close-on-exec. */
	void (*accepted)(void *arg, uint32_t port, int fd);
	/* Of mvm-vsock: the process ended by itself; `reason` is one line, borrowed. Connections that stand read
	 * their end of file. Told once, after all pending connects have failed. */
	void (*died)(void *arg, const char *reason);
	/* The guest wants to connect to one of the ports of mvm_vsock_serve(): to be answered with mvm_vsock_answer(),
	 * now or later. NULL where there are none. */
	void (*asked)(void *arg, uint32_t port, uint32_t id);
};

/* Starts the device. *vhost_user_fd is the descriptor for QEMU: the caller's, close-on-exec, to be closed
 * once QEMU has it. `guest_cid` is 3 or more. `events` and `arg` are borrowed.
 * NOT_FOUND where mvm-vsock is missing. */
int mvm_vsock_start(struct mvm_loop *loop, uint32_t guest_cid, const struct mvm_vsock_events *events, void *arg,
		    struct mvm_vsock **vsock, int *vhost_user_fd, struct mvm_error **err);

/* What a machine's own device is asked, with the `arg` of the events. */
struct mvm_vsock_device {
	void (*listen)(void *arg, uint32_t port, bool on);
	/* mvm_vsock_answered() is to follow; where it does not, the connect is over in 20 s. */
	void (*connect)(void *arg, uint32_t port, uint32_t id);
};
/* For such a machine. Nothing is asked of it before mvm_vsock_attach(), which says that it is there, and its guest has
 * not run. All is borrowed. */
struct mvm_vsock *mvm_vsock_create(struct mvm_loop *loop, const struct mvm_vsock_device *device,
				   const struct mvm_vsock_events *events, void *arg);
void mvm_vsock_attach(struct mvm_vsock *vsock);
/* The guest has connected. Both take `fd`. */
void mvm_vsock_accepted(struct mvm_vsock *vsock, uint32_t port, int fd);
/* -1 and an errno where it has not come about. */
void mvm_vsock_answered(struct mvm_vsock *vsock, uint32_t id, int fd, int errnum);

/* Takes the guest's connections to this port from now on, before anything that the guest sends later; at most 128
 * ports. Without it the guest's connect() fails with ECONNRESET. */
int mvm_vsock_listen(struct mvm_vsock *vsock, uint32_t port, struct mvm_error **err);
/* Connections already on their way are closed, not reported. */
void mvm_vsock_unlisten(struct mvm_vsock *vsock, uint32_t port);

/* Connects to a port of the guest. `fn` is called once, later, never from within this call: with a descriptor that is
 * the callee's and errnum 0, or with -1 and ECONNREFUSED (nobody listens), ETIMEDOUT (no answer in 20 s), ECONNRESET
 * (guest or device died), EMFILE, or ECANCELED (mvm_vsock_destroy()). */
typedef void (*mvm_vsock_connected_fn)(void *arg, int fd, int errnum);
int mvm_vsock_connect(struct mvm_vsock *vsock, uint32_t port, mvm_vsock_connected_fn fn, void *arg,
		      struct mvm_error **err);

/* From now on connects everybody who connects to a listening TCP or unix socket of the host's to a port of the guest.
 * Bytes, each direction's end and resets pass without a part of ours; a connection that the guest does not take or
 * breaks off is reset. `listening` is non-blocking; its shutdown() ends it. */
int mvm_vsock_publish(struct mvm_vsock *vsock, int listening, uint32_t port, struct mvm_error **err);

/* The other way: `count` ports from `first` on lead to sockets of the host's that we connect for each connection of the
 * guest's, which then passes without a part of ours, too. Before the guest runs, and once. */
int mvm_vsock_serve(struct mvm_vsock *vsock, uint32_t first, uint32_t count, struct mvm_error **err);
/* Takes `fd`, a connected stream socket that does not block; -1 refuses. Who asked may have gone meanwhile. */
void mvm_vsock_answer(struct mvm_vsock *vsock, uint32_t id, int fd);

/* The device's process, for accounting; -1 once it died. */
pid_t mvm_vsock_pid(const struct mvm_vsock *vsock);

/* Ends the device process; it is reaped. Connections that stand read their end of file. NULL is fine. */
void mvm_vsock_destroy(struct mvm_vsock *vsock);

#endif
