/*
 * Progress of a pull or a push: what happens to each layer, told to a sink. Libraries tell,
 * only a sink writes.
 *
 * A sink's functions may be called from any thread of the process, one pull or push at a time.
 * Every function here accepts a NULL sink, which is silent.
 */
#ifndef MVM_IMAGE_PROGRESS_H
#define MVM_IMAGE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct mvm_digest;

/* In this order for one layer; a state may be left out. */
enum mvm_progress_state {
	MVM_PROGRESS_PENDING,	  /* "Pulling fs layer" */
	MVM_PROGRESS_WAITING,	  /* for its turn, or for another process that is fetching it */
	MVM_PROGRESS_DOWNLOADING, /* bytes done of total */
	MVM_PROGRESS_RETRYING,	  /* "Retrying in 5 seconds" */
	MVM_PROGRESS_VERIFYING,	  /* "Verifying Checksum" */
	MVM_PROGRESS_DOWNLOADED,  /* verified: "Download complete" */
	MVM_PROGRESS_EXISTS,	  /* "Already exists" */
	MVM_PROGRESS_EXTRACTING,  /* bytes done of total */
	MVM_PROGRESS_COMPLETE,	  /* "Pull complete" */
	/* And those of a push: the first, then one or several of the others. */
	MVM_PROGRESS_PREPARING,	     /* "Preparing" */
	MVM_PROGRESS_PUSHING,	     /* bytes done of total */
	MVM_PROGRESS_PUSHED,	     /* "Pushed" */
	MVM_PROGRESS_PUSHED_EARLIER, /* "Layer already exists" */
	MVM_PROGRESS_MOUNTED,	     /* "Mounted from library/alpine" */
};

struct mvm_progress {
	/* One line without newline: "latest: Pulling from library/alpine". */
	void (*message)(void *arg, const char *text);
	/* The same for what came of it: "Digest: sha256:...". */
	void (*result)(void *arg, const char *text);
	/* `id` is the layer's short digest. `detail` ends the state's words; NULL where they are complete. done and
	 * total are bytes, 0 and 0 where the state has none. */
	void (*layer)(void *arg, const char *id, enum mvm_progress_state state, const char *detail, uint64_t done,
		      uint64_t total);
	void *arg;
};

void mvm_progress_message(const struct mvm_progress *progress, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void mvm_progress_result(const struct mvm_progress *progress, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void mvm_progress_layer(const struct mvm_progress *progress, const struct mvm_digest *layer,
			enum mvm_progress_state state, uint64_t done, uint64_t total);
/* MVM_PROGRESS_RETRYING. */
void mvm_progress_retrying(const struct mvm_progress *progress, const struct mvm_digest *layer, unsigned seconds);
/* MVM_PROGRESS_MOUNTED, from another repository. */
void mvm_progress_mounted(const struct mvm_progress *progress, const struct mvm_digest *layer, const char *from);

/* Docker's words for a state. */
const char *mvm_progress_state_name(enum mvm_progress_state state);

/* The sink that people see, written to `fd`, which stays the caller's: on a terminal one line a layer,
 * redrawn in place; else one plain line for each change of state. Results are written to `result_fd`. */
struct mvm_progress *mvm_progress_create(int fd, int result_fd);
/* Leaves the cursor below the lines. NULL is fine. */
void mvm_progress_destroy(struct mvm_progress *progress);

#endif
