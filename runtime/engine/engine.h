/*
 * The engine: what any client may ask for. The CLI is its first client; it holds no terminal, no
 * options and no texts for people beyond errors.
 *
 * Runs in short-lived client processes and blocks. Containers that run belong to their
 * supervisors; the engine meets those over the control socket and the state on disk only. Every
 * function may be called by several processes at once.
 */
#ifndef MVM_ENGINE_ENGINE_H
#define MVM_ENGINE_ENGINE_H

#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "image/image.h"
#include "image/progress.h"
#include "image/store.h"
#include "runtime/backend/backend.h"
#include "runtime/base/arch.h"
#include "runtime/base/config.h"
#include "runtime/base/mem.h"
#include "runtime/state/container.h"
#include "runtime/state/events.h"
#include "runtime/state/logfile.h"
#include "runtime/state/network.h"
#include "runtime/state/volume.h"

struct mvm_engine;
struct mvm_client;

/* Finds home and configuration, and collects what dead processes left. */
int mvm_engine_open(struct mvm_engine **out, struct mvm_error **err);
void mvm_engine_close(struct mvm_engine *engine);

/* Borrowed. The store is opened at first use. */
struct mvm_state *mvm_engine_state(struct mvm_engine *engine);
const struct mvm_config *mvm_engine_config(const struct mvm_engine *engine);
int mvm_engine_store(struct mvm_engine *engine, struct mvm_store **store, struct mvm_error **err);

enum mvm_pull_policy { MVM_PULL_MISSING, MVM_PULL_ALWAYS, MVM_PULL_NEVER };

/* How an image is looked for and fetched. All borrowed. */
struct mvm_image_request {
	const char *reference; /* as the user wrote it: a name, or an image ID */
	const char *platform;  /* as mvm_engine_platform() takes it; where nobody asks, the host's */
	enum mvm_pull_policy pull;
	/* Called when the image is not here and a pull begins. NULL for none. */
	void (*missing)(void *arg, const char *reference);
	void *arg;
	const struct mvm_progress *progress; /* NULL: silent */
	size_t downloads;		     /* at once; 0: as configured */
	const volatile sig_atomic_t *interrupted;
};

/* The platform that is asked for: `given`, else what the environment or the configuration says; "" asks for none. 1
 * where nobody asks for any, and *platform is as it was. */
int mvm_engine_platform(struct mvm_engine *engine, const char *given, struct mvm_platform *platform,
			struct mvm_error **err);

/* The image, pulled where policy and absence ask for it. The caller owns it. */
int mvm_engine_get_image(struct mvm_engine *engine, const struct mvm_image_request *request, struct mvm_image **image,
			 struct mvm_error **err);

/* The digest that a name with a tag has at its registry now. */
struct mvm_reference;
int mvm_engine_remote_digest(struct mvm_engine *engine, const struct mvm_reference *reference,
			     struct mvm_digest *digest, struct mvm_error **err);

/* `pull --all-tags`: every tag of the reference's repository. Whatever came before a failure is in `images`, which must
 * be empty and is the caller's to finish. */
int mvm_engine_pull_tags(struct mvm_engine *engine, const struct mvm_image_request *request,
			 struct mvm_image_list *images, struct mvm_error **err);

/* `rmi` (store.h), with the disk when nothing needs it any more. */
int mvm_engine_remove_image(struct mvm_engine *engine, const char *text, bool force, struct mvm_store_removed *removed,
			    struct mvm_error **err);

/* What the files of each layer take, mvm_image_layer_count() of them: docker's sizes. They are known once an image has
 * been unpacked; until then these are the sizes of the compressed blobs. */
int mvm_engine_layer_sizes(struct mvm_engine *engine, const struct mvm_image *image, uint64_t *sizes,
			   struct mvm_error **err);
/* All layers together. */
uint64_t mvm_engine_image_size(struct mvm_engine *engine, const struct mvm_image *image);

/* The kernels of the home (image/kernel.h); opened, and made, at first use. */
struct mvm_kernel;
struct mvm_kernel_removed;
int mvm_engine_kernels(struct mvm_engine *engine, struct mvm_store **store, struct mvm_error **err);
/* A kernel for the store: an architecture (what its machines boot), one that is here, or a file; and another initramfs
 * than the one that goes with it, or NULL. `name` may be NULL. */
struct mvm_kernel_source {
	const char *kernel, *initramfs;
};
int mvm_engine_add_kernel(struct mvm_engine *engine, const struct mvm_kernel_source *source,
			  const struct mvm_reference *name, struct mvm_kernel **kernel, struct mvm_error **err);
/* What new machines of the architecture boot: the kernel that is used in that home, or mvm's own; mvm's own initramfs,
 * or where it has none that kernel's. The path is the caller's. */
int mvm_engine_boot_file(const char *home, enum mvm_arch arch, enum mvm_boot_file which, char **path,
			 struct mvm_error **err);
/* Lets it be used where machines of its architecture have nothing else to boot. 1: they have. */
int mvm_engine_adopt_kernel(struct mvm_engine *engine, const struct mvm_kernel *kernel, struct mvm_error **err);
/* mvm_kernels_remove(); CONFLICT while a container boots it. */
int mvm_engine_remove_kernel(struct mvm_engine *engine, const char *text, struct mvm_kernel_removed *removed,
			     struct mvm_error **err);

/* What `prune` is restricted to; all zero restricts nothing. */
struct mvm_prune_filter {
	time_t until;		      /* made at that time or before; 0: any */
	struct mvm_strv labels;	      /* all of these, "name" or "name=value" */
	struct mvm_strv other_labels; /* none of these */
};
void mvm_prune_filter_finish(struct mvm_prune_filter *filter);
#define MVM_CLEAN_PRUNE_FILTER __attribute__((cleanup(mvm_prune_filter_finish)))

/* Removes images without a tag, or all, that no container stands on, and what killed downloads and builds have left;
 * never what a running pull needs. `report` is told what each step took. *reclaimed, bytes of the disk, is set also
 * where it failed half-way. */
int mvm_engine_prune_images(struct mvm_engine *engine, bool all, const struct mvm_prune_filter *filter,
			    void (*report)(void *arg, const struct mvm_store_removed *removed), void *arg,
			    uint64_t *reclaimed, struct mvm_error **err);
/* Removes containers that do not run; adds their IDs. *reclaimed as above. */
int mvm_engine_prune_containers(struct mvm_engine *engine, const struct mvm_prune_filter *filter,
				struct mvm_strv *deleted, uint64_t *reclaimed, struct mvm_error **err);

/* Bytes of the host's disk. What can be got back is what `prune -a` would free. */
struct mvm_usage {
	struct mvm_usage_kind {
		size_t count, active;
		uint64_t size, reclaimable;
	} images, containers, volumes;
};
int mvm_engine_usage(struct mvm_engine *engine, struct mvm_usage *usage, struct mvm_error **err);
uint64_t mvm_engine_container_size(const struct mvm_container *container);
uint64_t mvm_engine_volume_size(struct mvm_engine *engine, const struct mvm_volume *volume);
/* Images, containers and volumes together. */
uint64_t mvm_engine_allocated(struct mvm_engine *engine);

/* What a network is made of. All borrowed; NULL or 0 leaves it to us. */
struct mvm_network_request {
	const char *name;
	const char *subnet, *gateway, *subnet6, *gateway6;
	bool ipv6, internal;
	int64_t mtu;
	const struct mvm_strv *labels; /* key=value, sorted by key */
};
/* CONFLICT where the subnet is taken, by another network or by one of the host's. The network is the caller's. */
int mvm_engine_create_network(struct mvm_engine *engine, const struct mvm_network_request *request,
			      struct mvm_network **network, struct mvm_error **err);

/* Puts a container on a network, running or not, and takes it away again. The network is a name, an ID or the beginning
 * of one. NOT_FOUND; CONFLICT where the container is on it already, or is not. */
struct mvm_net_endpoint;
int mvm_engine_connect_network(struct mvm_engine *engine, const struct mvm_net_endpoint *endpoint,
			       const char *container, struct mvm_error **err);
int mvm_engine_disconnect_network(struct mvm_engine *engine, const char *network, const char *container, bool force,
				  struct mvm_error **err);

/* Made where it is not there. */
int mvm_engine_default_network(struct mvm_engine *engine, struct mvm_error **err);
/* CONFLICT while a guest is on it, and for the default one. */
int mvm_engine_remove_network(struct mvm_engine *engine, const char *what, struct mvm_error **err);
/* Removes those that no container is to be on; adds their names. */
int mvm_engine_prune_networks(struct mvm_engine *engine, const struct mvm_prune_filter *filter,
			      struct mvm_strv *deleted, struct mvm_error **err);
/* What its process says (net/process.h, "status"); NULL where no guest is on it. The caller's. */
int mvm_engine_network_status(struct mvm_engine *engine, const struct mvm_network *network, json_t **status,
			      struct mvm_error **err);

/* What a volume is made of. All borrowed; NULL or empty leaves it to us. */
struct mvm_volume_request {
	const char *name;   /* a random one, for an anonymous volume */
	const char *driver; /* "disk", "shared", or docker's "local", which is our default */
	const struct mvm_strv *options, *labels;
};
/* One that is there already is a success. The volume is the caller's. CONFLICT where it has another driver. */
int mvm_engine_create_volume(struct mvm_engine *engine, const struct mvm_volume_request *request,
			     struct mvm_volume **volume, struct mvm_error **err);
/* CONFLICT where a container mounts it, whether that runs or not. */
int mvm_engine_remove_volume(struct mvm_engine *engine, const char *name, struct mvm_error **err);
/* Removes anonymous ones that no container mounts, or all such; adds their names. *reclaimed as above. */
int mvm_engine_prune_volumes(struct mvm_engine *engine, bool all, const struct mvm_prune_filter *filter,
			     struct mvm_strv *deleted, uint64_t *reclaimed, struct mvm_error **err);

/* A small file that comes with a container and goes with it, read-only inside. */
struct mvm_file_request {
	const char *target; /* an absolute path */
	const char *data;
	size_t length;
	unsigned mode; /* permissions; its owner is root */
};

/* What a container is made of. All borrowed; NULL, 0 or empty leaves it to the image or the defaults. */
struct mvm_create_request {
	struct mvm_image_request image;
	const char *name;
	const struct mvm_strv *command;
	const struct mvm_strv *entrypoint; /* NULL: the image's; else its command goes, too, but for an empty list */
	const struct mvm_strv *env;	   /* NAME=value, later ones win */
	const struct mvm_strv *labels;
	const char *working_dir;
	const char *user;
	const char *hostname;
	const char *stop_signal;
	const char *kernel; /* a file, a kernel that is here, or an architecture; NULL: the host's */
	const char *log_driver;
	const struct mvm_strv *log_options;
	const struct mvm_buf *certificates; /* PEM, by certificates.h: to be trusted as those of the configuration */
	bool tty, open_stdin, stdin_once, init, read_only, auto_remove;
	const char *restart; /* restart_policy.h */
	/* What is 0 or empty in it is the image's. */
	const struct mvm_health_check *health_check;
	int64_t nano_cpus;
	uint64_t memory; /* bytes, as the next two */
	uint64_t memory_reservation;
	uint64_t disk_size;

	/* Rights and limits, as docker's flags of these names have them. */
	bool privileged;
	const struct mvm_strv *cap_add, *cap_drop, *security_opt, *ulimits, *sysctls, *group_add, *tmpfs, *annotations;
	const char *domainname;

	/* Architectures whose programs are to run beside the image's, "arm64"; "" is the usual other one. */
	const struct mvm_strv *translate;
	/* Whether macOS is to install Rosetta now, for programs of that architecture: asked where it is not there.
	 * NULL: nobody is there to say so. */
	bool (*install_rosetta)(const char *architecture);
	/* What docker would warn of, where it is made; NULL: nobody asks. */
	struct mvm_strv *warnings;

	/* docker's --network, --dns and so on. No network named: the default one. */
	const struct mvm_strv *networks, *dns, *dns_search, *dns_options, *extra_hosts;

	/* docker's -v and --mount (share/mount.h); what is relative in them is so to the current folder. */
	const struct mvm_strv *volumes, *mounts;
	bool watch;			     /* all of these that are the host's */
	const struct mvm_strv *volumes_from; /* CONTAINER[:ro] */
	const char *volume_driver;	     /* of those that are made for it */
	const struct mvm_file_request *files;
	size_t file_count;

	/* docker's -p, --expose and -P (runtime/state/port.h). */
	const struct mvm_strv *publish, *expose;
	const struct mvm_strv *publish_sockets; /* HOST:GUEST */
	const struct mvm_login *login;		/* it is that user's machine; NULL: nobody's */
	bool publish_all;
	bool ssh; /* the user's ssh-agent is passed on */
	bool has_stop_timeout;
	int64_t stop_timeout; /* seconds; negative: for ever */
	int64_t pids_limit, oom_score_adj, cpu_shares;
	uint64_t shm_size; /* bytes */
};

/* What can be refused of a request before there is an image: rights, limits, mounts and ports. */
int mvm_engine_check(const struct mvm_create_request *request, struct mvm_error **err);

/* The architectures, but for the machine's own, whose programs a container could run now; added to `names`. */
void mvm_engine_translators(const struct mvm_config *config, struct mvm_strv *names);
/* Whether this host's machines can have Rosetta. */
int mvm_engine_rosetta(enum mvm_rosetta *state, struct mvm_error **err);

/* Makes a container that has not been started. *lock is held: hand it to mvm_engine_supervise() or close it. */
int mvm_engine_create(struct mvm_engine *engine, const struct mvm_create_request *request,
		      struct mvm_container **container, int *lock, struct mvm_error **err);

/* Machines: containers that are a user's, with the image's own init, an account of the user's, home and the current
 * folder shared. Names are those of containers; lists of containers leave them out. The request says what else it is to
 * be; what makes it a machine, such as its command, is ours. Without a name it is called "default". */
int mvm_engine_create_machine(struct mvm_engine *engine, const struct mvm_create_request *request,
			      struct mvm_container **container, struct mvm_error **err);
/* By name; without one the default machine: the one that was chosen, or else "default", or else the only one. NOT_FOUND
 * says how to make one. */
int mvm_engine_find_machine(struct mvm_engine *engine, const char *name, struct mvm_container **container,
			    struct mvm_error **err);
/* Newest first; mvm_container_list_free(). */
int mvm_engine_list_machines(struct mvm_engine *engine, struct mvm_container ***list, size_t *count,
			     struct mvm_error **err);
/* Chooses the default one. */
int mvm_engine_set_default_machine(struct mvm_engine *engine, const char *name, struct mvm_error **err);
/* Returns when its user has an account, starting it where it does not run. `notice` as for mvm_engine_start(). */
int mvm_engine_ready_machine(struct mvm_engine *engine, const struct mvm_container *container,
			     void (*notice)(void *arg, const json_t *event), struct mvm_error **err);

/* Starts a supervisor for the container and connects to it. The container does not run yet: the client attaches,
 * then orders "start". Takes the lock. */
int mvm_engine_supervise(struct mvm_engine *engine, const struct mvm_container *container, int lock,
			 struct mvm_client **client, struct mvm_error **err);

/* For `start`: a connection to the supervisor of a container, which is one of our own where it does not run yet, *own
 * then. The client may attach, and orders "start", which is a success for one that runs. */
int mvm_engine_open_supervisor(struct mvm_engine *engine, const char *what, struct mvm_container **container,
			       struct mvm_client **client, bool *own, struct mvm_error **err);
/* Returns when its program runs; one that runs is success. `notice` is called for events while it starts. */
int mvm_engine_start(struct mvm_engine *engine, const char *what, void (*notice)(void *arg, const json_t *event),
		     struct mvm_error **err);
/* Stops it, as below, and starts it again; it outlives that also where it was to be removed at its end. */
int mvm_engine_restart(struct mvm_engine *engine, const char *what, int signo, int64_t timeout,
		       void (*notice)(void *arg, const json_t *event), struct mvm_error **err);
/* Waits until it does not run, which may be so already. */
int mvm_engine_wait(struct mvm_engine *engine, const char *what, int *exit_code, struct mvm_error **err);
int mvm_engine_rename(struct mvm_engine *engine, const char *what, const char *name, struct mvm_error **err);

/* Connects to the supervisor of a container that somebody is in charge of. CONFLICT where nobody is. */
int mvm_engine_connect(struct mvm_engine *engine, const struct mvm_container *container, struct mvm_client **client,
		       struct mvm_error **err);

int mvm_engine_kill(struct mvm_engine *engine, const char *what, int signo, struct mvm_error **err);
/* The whole machine stands still, or goes on with the right time. CONFLICT where it is so already. */
int mvm_engine_pause(struct mvm_engine *engine, const char *what, struct mvm_error **err);
int mvm_engine_unpause(struct mvm_engine *engine, const char *what, struct mvm_error **err);
/* Returns when it has exited; one that does not run is success. `signo` 0: the container's own; `timeout` in
 * seconds before SIGKILL, -1 for ever, MVM_STOP_DEFAULT the container's own. */
enum { MVM_STOP_DEFAULT = -2 };
int mvm_engine_stop(struct mvm_engine *engine, const char *what, int signo, int64_t timeout, struct mvm_error **err);
/* What becomes of each container of many. */
struct mvm_engine_report {
	/* NULL error: it is done. */
	void (*done)(void *arg, const struct mvm_container *container, const struct mvm_error *error);
	/* One that cannot be read, and so is left out. */
	void (*damaged)(void *arg, const char *text);
	void *arg;
};
/* Starts those that do not run and are to run after a boot of the host (restart_policy.h); any number of processes may
 * be at it. Returns when they run, or cannot. */
int mvm_engine_start_after_boot(struct mvm_engine *engine, const struct mvm_engine_report *report,
				struct mvm_error **err);
/* Stops all that run, as mvm_engine_stop() would, but not by the user's wish: those with a policy start after the boot.
 */
int mvm_engine_stop_for_shutdown(struct mvm_engine *engine, const struct mvm_engine_report *report,
				 struct mvm_error **err);
/* `force` ends one that runs, whatever its guest does; `volumes` removes its anonymous volumes, too. */
int mvm_engine_remove(struct mvm_engine *engine, const char *what, bool force, bool volumes, struct mvm_error **err);

/* New limits, for one that runs at once. CONFLICT where its machine was started with less, TIMEOUT where its guest does
 * not answer. */
struct mvm_container_update;
int mvm_engine_update(struct mvm_engine *engine, const char *what, const struct mvm_container_update *update,
		      struct mvm_error **err);

/* What a container has used since its machine started, and what it uses. Bytes, unless said otherwise; all but the last
 * are the guest's word. */
struct mvm_stats {
	uint64_t at;		  /* ns on the guest's clock: when that was so */
	uint64_t cpu;		  /* ns, of all processors together */
	uint64_t memory;	  /* files in the cache included */
	uint64_t memory_inactive; /* of these, files that have not been used for long */
	uint64_t memory_limit;
	uint64_t net_received, net_sent;
	uint64_t block_read, block_written;
	uint64_t pids;	      /* processes and threads */
	uint64_t host_memory; /* what the whole VM takes of the host */
};

/* Asks any number of containers at once, over and over; one that does not answer holds up none of the others. */
struct mvm_stats_board;
struct mvm_stats_board *mvm_stats_board_create(struct mvm_engine *engine);
void mvm_stats_board_destroy(struct mvm_stats_board *board);
/* Asks these containers, but for those that have not answered the last time yet, and forgets all others. */
void mvm_stats_board_ask(struct mvm_stats_board *board, struct mvm_container *const *list, size_t count);
/* Takes what is answered until `deadline` (mvm_now_ns()), or until all have answered, `stay` or not. */
int mvm_stats_board_collect(struct mvm_stats_board *board, uint64_t deadline, bool stay, struct mvm_error **err);
/* The two latest answers of a container; a member that there has not been is NULL, and so are those that are older than
 * 2 s. Borrowed until the next call. */
struct mvm_stats_pair {
	const struct mvm_stats *before, *now;
};
struct mvm_stats_pair mvm_stats_board_get(const struct mvm_stats_board *board, const char *id);

/* A process beside the container's own. All borrowed; NULL or empty leaves it to the container. */
struct mvm_exec_request {
	const struct mvm_strv *command;
	const struct mvm_strv *env; /* NAME=value adds or replaces, NAME takes away */
	const char *user, *working_dir;
	bool tty, open_stdin;
	bool privileged; /* with all capabilities */
	bool detach;	 /* no streams, and no word of its end */
	int rows, cols;	 /* of the terminal; 0: as the guest has it */
};
struct mvm_exec {
	struct mvm_client *client; /* over which event "exit" comes */
	uint32_t process;
	int streams[3]; /* stdin, stdout, stderr; -1 for those that it has not */
};
/* Returns when it runs. CONFLICT where the container does not run or is paused; NO_PROGRAM or CANNOT_RUN where the
 * guest could not start it. */
int mvm_engine_exec(struct mvm_engine *engine, const struct mvm_container *container,
		    const struct mvm_exec_request *request, struct mvm_exec *exec, struct mvm_error **err);
void mvm_exec_finish(struct mvm_exec *exec);

/* A part of a container's disk as a tar stream, from the guest of one that runs, else from a machine that is started
 * over its disk for that and changes nothing there. The top of the tree at `path` is called `name` in it; "": the
 * content of a folder alone. Mount points are empty folders. What is read is the guest's, and untrusted. */
struct mvm_archive;
int mvm_engine_archive(struct mvm_engine *engine, const char *what, const char *path, const char *name,
		       struct mvm_archive **archive, struct mvm_error **err);
/* To be read to its end, blocking; the archive's own. */
int mvm_archive_fd(const struct mvm_archive *archive);
/* After that: whether it was all. The container is free again. */
int mvm_archive_finish(struct mvm_archive *archive, struct mvm_error **err);
void mvm_archive_destroy(struct mvm_archive *archive);

/* The whole root file system to a descriptor, which errors call `name`. */
int mvm_engine_export(struct mvm_engine *engine, const char *what, int fd, const char *name, struct mvm_error **err);

/* `cp`, with docker's rules for both ends (docker's documentation of `container cp`, and runtime/engine/copy_paths.h).
 * All borrowed. */
struct mvm_copy {
	const char *container;
	const char *path;  /* there; what is relative is so to its root */
	const char *local; /* NULL: a tar archive, plain or compressed by gzip or zstd where it is read */
	int fd;		   /* of that, and what errors call it */
	const char *fd_name;
	bool follow_link; /* a source that is a link is what that leads to */
	bool archive;	  /* keep owners; into a container that has a user, all is that user's, as docker has it */
	void (*progress)(void *arg, uint64_t transferred); /* NULL: nobody is told */
	void *arg;
};
/* Bytes as docker counts them: of content, and of the tar archive that it is in on the way. */
struct mvm_copied {
	uint64_t content, transferred;
	char *target; /* where it went, for people; the caller's */
};
/* From a container, and into one. Both start a machine over the disk of one that does not run; what is copied into it
 * is on that disk when this returns. NOT_FOUND, INVALID or CONFLICT, in docker's words where it has some. After a
 * failure a part may be there. */
int mvm_engine_copy_from(struct mvm_engine *engine, const struct mvm_copy *copy, struct mvm_copied *copied,
			 struct mvm_error **err);
int mvm_engine_copy_to(struct mvm_engine *engine, const struct mvm_copy *copy, struct mvm_copied *copied,
		       struct mvm_error **err);

/* What differs in a container's disk from its image's, by docker's rules: sorted by path, folders around a change among
 * them. What the guest has said, and untrusted. */
struct mvm_change {
	char kind; /* 'A' added, 'C' changed, 'D' deleted */
	char *path;
};
struct mvm_changes {
	struct mvm_change *items;
	size_t count;
};
int mvm_engine_diff(struct mvm_engine *engine, const char *what, struct mvm_changes *changes, struct mvm_error **err);
void mvm_changes_finish(struct mvm_changes *changes);

/* All borrowed; NULL or empty for what was not given. */
struct mvm_commit_request {
	const char *reference; /* what the image is to be called */
	const char *author, *message;
	const struct mvm_strv *changes; /* instructions: image/change.h */
	bool pause;			/* the container's processes stand still meanwhile */
	const volatile sig_atomic_t *interrupted;
};
/* An image of the container's, with one more layer for what has changed in its disk. `id` is the image's. NOT_FOUND
 * where the container's image, or a layer of it, has been removed. */
int mvm_engine_commit(struct mvm_engine *engine, const char *what, const struct mvm_commit_request *request,
		      struct mvm_digest *id, struct mvm_error **err);

/* Where the pieces of a log go. `begins`: it is the first of a line of its stream. */
struct mvm_log_sink {
	void (*write)(void *arg, const struct mvm_log_record *record, bool begins);
	void (*flush)(void *arg); /* nothing more is here for now */
	void *arg;
};
struct mvm_log_request {
	bool follow;  /* all that comes, too, until the container ends */
	int64_t tail; /* so many lines at the end; -1: all of them */
	/* Of those, the lines that were begun within; docker's order of the two. NULL: no limit. */
	const struct timespec *since, *until;
};
/* The output so far, across rotated files. UNSUPPORTED where none is kept. */
int mvm_engine_logs(struct mvm_engine *engine, const char *what, const struct mvm_log_request *request,
		    const struct mvm_log_sink *sink, struct mvm_error **err);
/* The same in steps, for who waits for more than one. `sink` is copied; UNSUPPORTED as above. */
struct mvm_log_reader;
int mvm_log_reader_open(struct mvm_engine *engine, const struct mvm_container *container,
			const struct mvm_log_request *request, const struct mvm_log_sink *sink,
			struct mvm_log_reader **reader, struct mvm_error **err);
/* Hands out what there is, at first and whenever the descriptor is readable. 1: nothing more will come. */
int mvm_log_reader_step(struct mvm_log_reader *reader, struct mvm_error **err);
/* -1: it is not followed, and one step is all. */
int mvm_log_reader_fd(const struct mvm_log_reader *reader);
/* Milliseconds until nothing more can come; -1: no limit. A step says so then. */
int mvm_log_reader_left(const struct mvm_log_reader *reader);
void mvm_log_reader_close(struct mvm_log_reader *reader);
/* What has happened and goes on to happen. All borrowed. */
struct mvm_events_request {
	/* NULL: no limit. Without either only what comes is shown; with one, the history, too, and until is the end. */
	const struct timespec *since, *until;
};
struct mvm_event_sink {
	int (*show)(void *arg, const struct mvm_event *event, struct mvm_error **err); /* -1 ends it */
	void (*flush)(void *arg);						       /* nothing more for now */
	void *arg;
};
/* For `events`: what was done with the functions of image/ to the image that `what` stands for, a name or an ID. */
void mvm_engine_note_image(struct mvm_engine *engine, const char *what, const char *action);
/* The same of "tag", "pull" and "push", which docker tells by their reference. */
void mvm_engine_note_reference(struct mvm_engine *engine, const struct mvm_reference *reference, const char *action);
int mvm_engine_events(struct mvm_engine *engine, const struct mvm_events_request *request,
		      const struct mvm_event_sink *sink, struct mvm_error **err);
/* What the guest said on its console since it was last started, to a descriptor. */
int mvm_engine_boot_log(struct mvm_engine *engine, const char *what, int fd, struct mvm_error **err);

#endif
