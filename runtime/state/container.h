/*
 * Containers on disk: containers/<id>/{config.json,state.json,lock,root.*,container.log,boot.log,files/}.
 *
 * Used by the engine (any client process) and by the supervisor; both may run at
 * once, and any of them may die at any point:
 *
 *  - a folder appears under its final name only when complete (built as ".new-<id>", renamed) and
 *    leaves in one step too (renamed to ".gone-<id>", then deleted);
 *  - whoever is in charge of a container holds flock() on its `lock` file: the creator until
 *    it hands the descriptor to the supervisor, then the supervisor and its machine as
 *    long as one of them lives. A status that says "alive" while nobody holds the lock is
 *    a crash, and whoever notices sets it right (mvm_state_list(), mvm_state_find());
 *  - names are checked and folders renamed under one lock, containers/.lock.
 */
#ifndef MVM_STATE_CONTAINER_H
#define MVM_STATE_CONTAINER_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "health.h"
#include "runtime/base/mem.h"

struct mvm_error;
struct mvm_state;

enum { MVM_ID_LENGTH = 64, MVM_SHORT_ID_LENGTH = 12 };

/* Whose machine it is (`mvm machine`), where it is one: the user of the host who has the same name, numbers and home
 * inside. */
struct mvm_login {
	char *user; /* NULL: a container like others */
	int64_t uid, gid;
	char *home; /* an absolute path, inside and out */
};

/* What was asked for (config.json); written once, but for the name and what update.h may change. All strings owned,
 * NULL where not set. */
struct mvm_container_config {
	char *id;
	char *name;
	bool name_generated; /* not kept: another may be picked at commit */
	char *image;	     /* reference as the user gave it */
	char *image_id;	     /* sha256:... of the image's configuration */
	struct timespec created;

	struct mvm_strv args; /* the whole command, entrypoint first */
	int64_t entrypoint;   /* how many of them that is */
	struct mvm_strv env;  /* complete, NAME=value */
	char *working_dir;
	char *user;
	bool tty;
	bool open_stdin; /* -i */
	bool stdin_once; /* the first client's end of input is the container's */
	bool init;
	struct mvm_strv labels; /* key=value, sorted by key */
	char *stop_signal;
	int64_t stop_timeout; /* seconds; -1: never escalate */

	char *hostname;
	char *platform;		     /* "linux/amd64" */
	char *kernel;		     /* NULL: the one that ships with mvm */
	char *initramfs;	     /* the kernel's, where mvm has none of its own for the machine; NULL: none */
	struct mvm_strv translators; /* "arm64=/usr/bin/qemu-aarch64-static": share/translator.h */
	int64_t nano_cpus;	     /* 0: no limit within the VM */
	int64_t cpus;		     /* virtual CPUs */
	uint64_t memory;	     /* bytes: the container's limit */
	int64_t memory_reservation;  /* bytes left to it when memory is short; 0: none */
	int64_t cpu_shares;	     /* 0: not set */
	int64_t pids_limit;	     /* 0 or less: none */
	int64_t shm_size;	     /* bytes; 0: the usual 64 MiB */
	int64_t oom_score_adj;
	char *domainname;

	struct mvm_strv networks; /* net_endpoint.h; none: only the loopback interface */
	struct mvm_strv dns, dns_search, dns_options;
	struct mvm_strv extra_hosts;   /* name:address */
	struct mvm_strv port_bindings; /* port.h: as they were asked for */
	struct mvm_strv exposed_ports; /* "80/tcp", sorted; those that are bound, too */
	bool publish_all;	       /* all that are exposed */

	struct mvm_strv published_sockets; /* host_socket.h */
	struct mvm_strv host_sockets;	   /* targets of binds whose source was a socket */
	struct mvm_login login;
	char *ssh_agent; /* its socket when the container was made; NULL: not passed on */

	/* What the processes may do; confinement.h says what the texts mean, and they have been checked. */
	bool privileged;
	struct mvm_strv cap_add, cap_drop; /* normalized */
	struct mvm_strv security_opt;
	struct mvm_strv ulimits; /* one for each resource */
	struct mvm_strv sysctls;
	struct mvm_strv group_add;
	struct mvm_strv tmpfs; /* parents before what is below them */
	struct mvm_strv binds; /* share/mount.h, the short form, as the next the long one */
	struct mvm_strv mounts;
	/* What they come to, and the image's volumes, and what other containers lent: the long form, each with its
	 * name. */
	struct mvm_strv volumes;
	struct mvm_strv volume_names;
	struct mvm_strv anonymous_volumes; /* those of these that nobody gave a name */
	struct mvm_strv declared_volumes;  /* places: the image's, and those of -v /PLACE */
	struct mvm_strv files;		   /* places; the first one's content is files/0 in the folder, and so on */
	struct mvm_strv annotations;	   /* key=value, sorted by key */
	bool read_only;
	bool auto_remove;
	char *restart_policy;		      /* a name of restart_policy.h; NULL: "no" */
	int64_t restart_max;		      /* of "on-failure"; 0: no limit */
	struct mvm_health_check health_check; /* the user's and the image's together */
	struct mvm_strv shell;		      /* the image's, for "CMD-SHELL"; empty: /bin/sh -c */
	char *log_driver;		      /* log_policy.h */
	struct mvm_strv log_options;	      /* key=value */

	char *disk_key;	   /* the image's disk, disks/<key>/ */
	char *disk_file;   /* the container's own clone, a name in its folder */
	char *disk_format; /* "raw" or "qcow2" */
};

enum mvm_status {
	MVM_STATUS_CREATED,
	MVM_STATUS_STARTING, /* shown as created */
	MVM_STATUS_RUNNING,
	MVM_STATUS_PAUSED,
	MVM_STATUS_RESTARTING, /* it has ended, and its supervisor is about to start it again */
	MVM_STATUS_EXITED,
};

/* What has happened (state.json). */
struct mvm_container_state {
	enum mvm_status status;
	int64_t pid; /* of the supervisor, 0 when not alive */
	int64_t exit_code;
	bool oom_killed;
	int64_t restart_count;	   /* by the policy, since the user started it */
	bool stopped_by_user;	   /* or killed, since then */
	struct mvm_strv endpoints; /* net_endpoint.h: as it has them while it runs */
	struct mvm_strv ports;	   /* port.h: bound, each with its address, as long as it is in anybody's charge */
	char *error;		   /* why it could not run, or how the machine died */
	struct timespec started, finished; /* zero: never */
};

struct mvm_container {
	char *folder;
	struct mvm_container_config config;
	struct mvm_container_state state;
	struct mvm_health health; /* of the latest run that had a health check */
};

void mvm_container_free(struct mvm_container *container);
static inline void mvm_container_cleanup(struct mvm_container **container)
{
	mvm_container_free(*container);
}
#define MVM_CLEAN_CONTAINER __attribute__((cleanup(mvm_container_cleanup)))

const char *mvm_status_name(enum mvm_status status);
/* A status that only a living supervisor keeps true. */
bool mvm_status_alive(enum mvm_status status);

/* Makes the folders of `home` where missing and collects what dead processes left behind. */
int mvm_state_open(const char *home, struct mvm_state **out, struct mvm_error **err);
void mvm_state_close(struct mvm_state *state);
const char *mvm_state_home(const struct mvm_state *state);
/* The folder for sockets (0700). */
const char *mvm_state_runtime_folder(const struct mvm_state *state);
/* Where the control socket of a container is, or would be; the caller owns the path. It lies in the runtime folder of
 * the process that started the supervisor, which another login or a cron job need not share, so the
 * container's folder holds a link to it. */
char *mvm_state_socket_path(const struct mvm_state *state, const char *id);
/* For who is about to listen: the path in our own runtime folder, and the link to it. */
int mvm_state_place_socket(struct mvm_state *state, const char *id, char **path, struct mvm_error **err);

/* Starts a container: makes a folder that nobody sees yet, and its lock. Fills config->id, and
 * config->name where it is NULL. The caller puts the disk into *folder and then commits,
 * or aborts. EXISTS where the name is taken (checked again at commit). */
int mvm_state_create(struct mvm_state *state, struct mvm_container_config *config, char **folder, int *lock,
		     struct mvm_error **err);
/* Makes it visible. *lock stays held and owned by the caller. */
int mvm_state_commit(struct mvm_state *state, struct mvm_container_config *config, struct mvm_error **err);
void mvm_state_abort(struct mvm_state *state, const struct mvm_container_config *config);

/* By full id, name, or unambiguous prefix of an id, in docker's order. NOT_FOUND, or
 * INVALID where a prefix fits several. */
int mvm_state_find(struct mvm_state *state, const char *what, struct mvm_container **out, struct mvm_error **err);

/* The same for one whose files are damaged: *id is the caller's. NOT_FOUND where no damaged one is meant. */
int mvm_state_find_damaged(struct mvm_state *state, const char *what, char **id, struct mvm_error **err);

/* All of them, newest first; fails for one that cannot be read, and says which. The caller frees them with
 * mvm_container_list_free(). */
int mvm_state_list(struct mvm_state *state, struct mvm_container ***out, size_t *count, struct mvm_error **err);
/* Those that can be read, and what is wrong with each of the others, in words. */
int mvm_state_list_readable(struct mvm_state *state, struct mvm_container ***out, size_t *count,
			    struct mvm_strv *damaged, struct mvm_error **err);
void mvm_container_list_free(struct mvm_container **list, size_t count);

/* Takes charge: 0 and a descriptor, or 1 where another process is in charge. */
int mvm_state_lock(struct mvm_state *state, const char *id, int *lock, struct mvm_error **err);

/* Reads one by its full id (for the supervisor). */
int mvm_state_load(struct mvm_state *state, const char *id, struct mvm_container **out, struct mvm_error **err);
/* Writes state.json. Only for who holds the lock. */
int mvm_state_save(struct mvm_container *container, struct mvm_error **err);
/* Sets some space aside, for the state of one that has ended to be written where the disk has become full. */
int mvm_state_reserve(const struct mvm_container *container, struct mvm_error **err);

/* Gives it another name, also while it runs and whoever is in charge; "" and its own name are USAGE. EXISTS where the
 * name is taken, NOT_FOUND where the container has just gone. */
int mvm_state_rename(struct mvm_state *state, const char *id, const char *name, struct mvm_error **err);

/* Deletes the container; only for who holds the lock. The name is free when this returns. */
int mvm_state_remove(struct mvm_state *state, const char *id, struct mvm_error **err);

#endif
