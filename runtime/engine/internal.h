/* What the files of this folder share. */
#ifndef MVM_ENGINE_INTERNAL_H
#define MVM_ENGINE_INTERNAL_H

#include "client.h"
#include "engine.h"
#include "image/disk.h"
#include "runtime/state/net_endpoint.h"

#define ENGINE_DEFAULT_MACHINE "default"

/* Starts a supervisor, or a helper for looking into the disk of a container that does not run, or for changing it.
 * Takes the lock. */
enum engine_role { ENGINE_SUPERVISOR, ENGINE_READER, ENGINE_WRITER };
int engine_start_supervisor(struct mvm_engine *engine, const struct mvm_container *container, int lock,
			    enum engine_role role, struct mvm_client **client, struct mvm_error **err);
/* Has `ask` say what is wanted of a container's disk to whoever is in charge of it, or to a helper of our own. It is
 * called again, over another connection, where that was just about to end or can only read the disk, for half a minute.
 * *client is the connection that it was said over. */
typedef int (*engine_ask_fn)(void *arg, struct mvm_client *client, struct mvm_error **err);
int engine_ask_disk(struct mvm_engine *engine, const char *what, enum engine_role role, engine_ask_fn ask, void *arg,
		    struct mvm_client **client, struct mvm_error **err);
/* Connects to whoever is in charge of a container. 1: nobody is. */
int engine_reach(struct mvm_engine *engine, const char *id, struct mvm_client **client, struct mvm_error **err);

/* A stream by one of the requests of the control socket that give one, as mvm_engine_archive() has it. Steals the
 * fields. */
int engine_open_archive(struct mvm_engine *engine, const char *what, const char *op, json_t *fields,
			struct mvm_archive **archive, struct mvm_error **err);

/* All that comes from a guest's stream to a descriptor, which errors call `name`. */
int engine_copy_all(int from, int to, const char *name, struct mvm_error **err);

/* What differs from the image's disk, as a stream to be read to its end (mvm_archive_fd()): the names, or with `layer`
 * a layer over the image's. `pause`: the container's processes stand still until then. A thread tells the guest what
 * the image's disk holds. */
struct engine_comparison;
struct engine_compare {
	bool layer, pause;
};
int engine_compare(struct mvm_engine *engine, const struct mvm_container *container, const struct engine_compare *how,
		   struct engine_comparison **comparison, struct mvm_error **err);
int engine_comparison_fd(const struct engine_comparison *comparison);
/* At the end of the stream: whether it was all. */
int engine_comparison_finish(struct engine_comparison *comparison, struct mvm_error **err);
void engine_comparison_destroy(struct engine_comparison *comparison);

/* CONFLICT, in docker's words: also of one whose supervisor has gone before it answered. */
int engine_fail_not_running(const struct mvm_container *container, struct mvm_error **err);

/* mvm_engine_stop(); `keep`: it is not removed at its end. */
struct engine_stop {
	int signo;
	int64_t timeout;
	bool keep;
};
int engine_stop(struct mvm_engine *engine, const char *what, const struct engine_stop *order, struct mvm_error **err);

/* prune.c: by its labels, "key=value" each. */
bool engine_labels_fit(const struct mvm_strv *labels, const struct mvm_prune_filter *filter);

/* update.c: one of the changes of a container's configuration. */
struct engine_change {
	const char *op; /* that asks whoever is in charge (control.h) */
	json_t *(*request)(const void *arg);
	/* Does it where nobody is. */
	int (*write)(struct mvm_state *state, const char *id, const void *arg, struct mvm_error **err);
	const void *arg;
};
int engine_change(struct mvm_engine *engine, const char *what, const struct engine_change *change,
		  struct mvm_error **err);

/* networks.c: NOT_FOUND where the network is not there; the default one is made. */
int engine_need_network(struct mvm_engine *engine, const char *name, struct mvm_error **err);
/* What docker calls its default one is ours. */
const char *engine_network_name(const char *name);
int engine_check_endpoint(const struct mvm_net_endpoint *endpoint, struct mvm_error **err);
/* Where the container is to be, and what its guest asks for names. */
/* ports.c */
int engine_set_mounts(const struct mvm_create_request *request, struct mvm_container_config *config,
		      struct mvm_error **err);
int engine_set_ports(const struct mvm_create_request *request, const struct mvm_image_config *image,
		     struct mvm_container_config *config, struct mvm_error **err);
/* sockets.c: what crosses the machine's boundary as a unix socket. */
int engine_set_sockets(const struct mvm_create_request *request, struct mvm_container_config *config,
		       struct mvm_error **err);
/* A bind whose source is a socket. */
int engine_add_host_socket(const char *source, const char *target, struct mvm_container_config *config,
			   struct mvm_error **err);
/* The same where that has been looked at already. USAGE where there are too many. */
int engine_note_host_socket(const char *target, struct mvm_container_config *config, struct mvm_error **err);
int engine_set_networks(struct mvm_engine *engine, const struct mvm_create_request *request,
			struct mvm_container_config *config, struct mvm_error **err);

/* volumes.c: finds and makes the volumes that it is to mount. *all is the lock on all volumes, to be held until the
 * container is there to be seen; on failure the anonymous ones in `config` are to be removed. */
int engine_set_volumes(struct mvm_engine *engine, const struct mvm_create_request *request,
		       const struct mvm_image_config *image, struct mvm_container_config *config, int *all,
		       struct mvm_error **err);
/* prune.c: what is allocated now and was `before`; notes the event. Returns `result`. */
int engine_finish_prune(struct mvm_engine *engine, const char *type, uint64_t before, uint64_t *reclaimed, int result);

/* create.c: what docker refuses of limits that are new; 0 is none of them. */
int engine_check_limits(const struct mvm_container_update *limits, struct mvm_error **err);

/* An image being made into a container must not vanish meanwhile: creation holds this shared, removal exclusive.
 * `flags` and outcome are mvm_lock()'s. */
int engine_lock_images(struct mvm_engine *engine, unsigned flags, int *fd, struct mvm_error **err);

/* kernels.c: the one that the request asks for, or that is used; the container keeps it. */
int engine_set_kernel(struct mvm_engine *engine, const struct mvm_create_request *request,
		      struct mvm_container_config *config, struct mvm_error **err);

/* translators.c: what the image and the request need. NOT_FOUND where one is missing, UNSUPPORTED where there is none.
 */
int engine_set_translators(struct mvm_engine *engine, const struct mvm_create_request *request,
			   const struct mvm_image *image, struct mvm_container_config *config, struct mvm_error **err);
/* rosetta.c: 0 where it is there for them, 1 where this host has none; NOT_FOUND where it could be installed. */
int engine_find_rosetta(const struct mvm_create_request *request, const char *architecture, struct mvm_error **err);
/* In docker's words, of an image for another processor that nobody has asked for. */
int engine_warn_of_platform(struct mvm_engine *engine, const struct mvm_create_request *request,
			    const struct mvm_image *image, struct mvm_error **err);

/* Rights and limits of what is being made, checked. */
int engine_confine(const struct mvm_create_request *request, struct mvm_container_config *config,
		   struct mvm_error **err);

/* The health check, the image's where the request leaves it open. */
int engine_set_health(const struct mvm_create_request *request, const struct mvm_image *image,
		      struct mvm_container_config *config, struct mvm_error **err);

/* The disk that the image's layers make, built from the store's blobs where it is not there. `size` 0: the default. */
int engine_image_disk(struct mvm_engine *engine, const struct mvm_image *image, uint64_t size, char **key, char **path,
		      struct mvm_error **err);

/* Drops the disks that no image asks for and no container stands on: those of images that went, those that a forced
 * removal had to leave, and what killed builds left. While a pull is running it is left to a later call. The caller
 * holds the lock on images, exclusive. */
int engine_collect_disks(struct mvm_engine *engine, struct mvm_error **err);

/* The same where nothing stands in the way, without the lock: what a pull or commit that was killed has left. */
void engine_drop_lost_disks(struct mvm_engine *engine);

/* The containers of the moment, for docker's rules about images that they stand on. The struct must not move. */
struct engine_users {
	struct mvm_container **list;
	size_t count;
	struct mvm_image_users rule;
};
int engine_users_init(struct mvm_engine *engine, struct engine_users *users, struct mvm_error **err);
void engine_users_finish(struct engine_users *users);

/* logs.c: milliseconds until that time; -1 for ever (NULL), 0 where it has passed. */
int engine_time_left(const struct timespec *until);

/* events.c: for `events`. What has gone meanwhile is not told of. */
void engine_note_container(struct mvm_engine *engine, const char *what, const char *action);
void engine_note_image(struct mvm_engine *engine, const struct mvm_image *image, const char *action);
/* "untag" for each name, and "delete". */
void engine_note_removed(struct mvm_engine *engine, const struct mvm_image *image,
			 const struct mvm_store_removed *removed);

/* proxy.c: NAME=value, in capitals and in small letters. */
void engine_add_proxies(struct mvm_strv *env);

#define ENGINE_DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
/* create.c: `value` replaces the variable of the same name where it stands, else goes to the end; a bare name takes it
 * away. */
void engine_set_env(struct mvm_strv *env, const char *value);

#endif
