/*
 * The standard streams of a container's process, in the supervisor.
 *
 * Output comes from the guest over one raw connection a stream and goes to the log and to every
 * attached client; nothing more is read from the guest until all of them have taken the
 * last piece, so that a slow client stalls the process and nothing is lost. Input goes from attached
 * clients to the guest, one piece at a time.
 *
 * All descriptors here are non-blocking and owned by this module once given to it.
 */
#ifndef MVM_SUPERVISOR_STREAMS_H
#define MVM_SUPERVISOR_STREAMS_H

#include <stdbool.h>

#include "runtime/state/log_policy.h"

struct mvm_error;
struct mvm_loop;
struct streams;

enum stream_kind { STREAM_STDIN, STREAM_STDOUT, STREAM_STDERR, STREAM_COUNT };

struct streams_events {
	void (*logged)(void *arg); /* the log has grown */
	void (*ended)(void *arg);  /* every output has ended and every client has all of it; once */
};

struct streams_config {
	bool tty;	 /* one output; its input has no end */
	bool stdin_once; /* the end of a client's input is the process's */
	const char *log_path;
	struct mvm_log_policy log_policy;
};

int streams_create(struct mvm_loop *loop, const struct streams_config *config, const struct streams_events *events,
		   void *arg, struct streams **out, struct mvm_error **err);
void streams_destroy(struct streams *streams);

/* The guest's end of a stream has arrived. */
void streams_connect(struct streams *streams, enum stream_kind kind, int fd);

/* A client's end. `kind` STDIN: what comes from it is the process's input. */
void streams_attach(struct streams *streams, enum stream_kind kind, int fd);

/* The machine is gone: outputs that never arrived will not. NULL is fine. */
void streams_abandon(struct streams *streams);

#endif
