/*
 * Kernel interfaces that musl's headers do not have. The agent is built without
 * the kernel's own headers, so that a cross compiler needs nothing but musl.
 */
#ifndef AGENT_SYS_H
#define AGENT_SYS_H

#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/types.h>

#ifndef AF_VSOCK
#define AF_VSOCK 40
#endif

struct sockaddr_vm {
	uint16_t family;
	uint16_t reserved;
	uint32_t port;
	uint32_t cid;
	uint8_t zero[4];
};

#define SO_VM_SOCKETS_BUFFER_SIZE     0
#define SO_VM_SOCKETS_BUFFER_MAX_SIZE 2
#define SO_VM_SOCKETS_CONNECT_TIMEOUT 6

/* clone3(): <linux/sched.h> */
struct clone_args {
	uint64_t flags;
	uint64_t pidfd;
	uint64_t child_tid;
	uint64_t parent_tid;
	uint64_t exit_signal;
	uint64_t stack;
	uint64_t stack_size;
	uint64_t tls;
	uint64_t set_tid;
	uint64_t set_tid_size;
	uint64_t cgroup;
};

#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif
#define CLONE_INTO_CGROUP 0x200000000ull

/* Returns twice, as fork() does. */
pid_t sys_clone(struct clone_args *args);
int sys_pivot_root(const char *new_root, const char *put_old);
/* The mount at a path: itself, or a detached copy of it; and putting either in another place. */
int sys_open_mount(const char *path);
int sys_copy_mount(const char *path);
/* A copy of a read-only one. */
int sys_mount_writable(int tree);
int sys_move_mount(int tree, int folder, const char *target);
/* `path` as it is for a process whose root is `root`. */
int sys_open_inside(int root, const char *path, int flags);
/* The other way round: where what is open is below `root`; "" for that itself. `path` holds PATH_MAX bytes. */
int sys_path_inside(int root, int fd, char *path);
/* Writes all of a file system to its disk; `fd` may be O_PATH. */
int sys_syncfs(int fd);
/* All descriptors from `first` on will be closed by exec, or now. */
int sys_cloexec_from(unsigned first);
int sys_close_from(unsigned first);
/* Close-on-exec. */
int sys_pidfd_open(pid_t pid);
int sys_pidfd_kill(int pidfd, int signo);

/* Zeroed memory straight from the kernel; NULL with errno set. Instead of malloc(), whose heap is a thousand
 * more blocks for an emulator to translate at each start. */
void *sys_allocate(size_t size);
void sys_free(void *memory, size_t size);

#define EXT4_IOC_RESIZE_FS _IOW('f', 16, uint64_t)

#endif
