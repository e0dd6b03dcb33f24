/*
 * The supervisor: one VM from start to removal, in one process with one loop.
 *
 *   main.c       arguments, what is inherited, the process's own end
 *   lifecycle.c  the state machine; nothing else changes the phase
 *   rounds.c     whether and when it goes on after an end, by the restart policy
 *   machine.c    vsock device and backend; the accelerator's fallback
 *   agent.c      the guest agent's connection: orders, answers, events; orders.c  what it has not answered, and that it
 *                answers at all
 *   streams.c    standard streams and the log
 *   network.h    its networks: network.c, place.c, connect.c
 *   publish.h    published ports: bind.c, publish.c, datagrams.c
 *   sockets.c    unix sockets, of the container's on the host and the other way round
 *   clients.c    connections to the control socket and their answers; requests.c  what each request does
 *   stats.c      what the container uses; update.c  its limits changed
 *   archives.c   parts of the disk on their way to clients as tar streams
 *   events.c     what happens, for `events`
 *   execs.c      processes that join the container's, each with streams and a small state machine of its own
 *   health.c     the container's health check: an exec every now and then
 *
 * It has one more role: a helper serves those who want to look into the disk of a container that does not run, or to
 * change it. It boots the same machine over that disk, with no process of the container in it, and ends with its last
 * client. A reader's disk stays as it is; a writer's is clean again when it ends. It holds the container's lock as any
 * supervisor, and leaves its state alone.
 *
 * All of them share struct supervisor and run on its loop; no function here blocks but for writing small files.
 */
#ifndef MVM_SUPERVISOR_INTERNAL_H
#define MVM_SUPERVISOR_INTERNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest-agent/proto/message.h"
#include "runtime/backend/backend.h"
#include "runtime/base/loop.h"
#include "runtime/state/container.h"
#include "runtime/vsock/vsock.h"
#include "streams.h"

struct mvm_error;
struct agent;
struct archive;
struct client;
struct exec;
struct health;
struct network;
struct publish;
struct mvm_container_update;
struct relay;
struct sockets;
struct waiter;

enum phase {
	PHASE_IDLE,	 /* created, waiting for the order to start */
	PHASE_WAITING,	 /* it has ended, and is started again in a moment */
	PHASE_BOOTING,	 /* the machine is on its way, its agent has not called */
	PHASE_REBOOTING, /* it did not come up, and has to be gone before the next may have its disk */
	PHASE_STARTING,	 /* the agent has its orders */
	PHASE_SERVING,	 /* of a helper: the disk can be looked into */
	PHASE_RUNNING,	 /* the container's process runs */
	PHASE_PAUSING,	 /* the machine is asked to stand still */
	PHASE_PAUSED,	 /* the process is there and does nothing */
	PHASE_RESUMING,	 /* the machine is asked to go on */
	PHASE_DRAINING,	 /* it has ended; its output is still on its way */
	PHASE_CLOSING,	 /* the agent brings the disk in order */
	PHASE_ENDING,	 /* the plug is pulled, the machine not yet gone */
	PHASE_FLUSHING,	 /* the machine is gone; clients still take what it wrote */
	PHASE_SETTLING,	 /* is it the end? decided at once */
	PHASE_ENDED,
	PHASE_COUNT
};

enum event {
	EVENT_START,
	EVENT_AGENT_READY,
	EVENT_NETWORK_READY, /* the guest can be told where it is */
	EVENT_GUEST_READY,   /* a helper's: the disk is mounted */
	EVENT_PROCESS_STARTED,
	EVENT_START_REFUSED,
	EVENT_PROCESS_EXITED,
	EVENT_PAUSE, /* a client's wish */
	EVENT_RESUME,
	EVENT_MACHINE_PAUSED, /* it is so */
	EVENT_MACHINE_RESUMED,
	EVENT_OUTPUT_ENDED,
	EVENT_GUEST_CLOSED, /* the disk is in order */
	EVENT_MACHINE_STOPPED,
	EVENT_ACCEL_UNUSABLE,
	EVENT_FAILURE,	 /* agent or vsock lost, or a setup step failed; the outcome is noted */
	EVENT_DESTROY,	 /* a client wants it gone */
	EVENT_ABANDONED, /* the last client has gone */
	EVENT_AGAIN,	 /* one more round, by the restart policy */
	EVENT_OVER,	 /* that was all */
	EVENT_RELEASED,	 /* nobody needs the helper any more */
	EVENT_TIMEOUT,	 /* the phase took longer than it may */
	EVENT_COUNT
};

/* Who is told what when: a request whose answer comes later. */
enum waiter_kind { WAIT_STARTED, WAIT_PAUSED, WAIT_RESUMED, WAIT_EXIT };

struct supervisor {
	struct mvm_loop *loop;
	struct mvm_clock_watch *clock_watch;
	struct mvm_state *state;
	struct mvm_container *container;
	int lock_fd;
	bool helper;
	bool writer; /* of a helper: it changes the disk */

	enum phase phase;
	struct mvm_timer *phase_timer;

	const struct mvm_backend_ops *backend;
	enum mvm_accel accel;
	int boot_tries;
	uint64_t boot_limit_ms; /* of the latest try */
	struct mvm_machine *machine;
	uint64_t booted_memory; /* bytes that it was made for */
	int64_t booted_cpus;
	struct mvm_vsock *vsock;
	struct agent *agent;
	struct network *network; /* from the first boot to the end */
	struct publish *publish; /* the same */
	struct sockets *sockets; /* the same */
	struct volumes *volumes; /* the same */
	struct shares *shares;	 /* of this boot */
	struct streams *streams;
	int rows, cols; /* of the client's terminal, as last told */
	bool output_ended;
	bool broken; /* could not even be set up; the start will say why */

	/* A sign of the machine's death that waits for the backend to say more. */
	char *lost_reason;
	struct mvm_timer *lost_timer;

	/* Each run of the container's process is a round with a machine of its own. */
	uint64_t running_since_ns; /* on the monotonic clock */
	uint64_t restart_delay_ms; /* before this round; 0 for the first */
	unsigned rounds;	   /* that have ended */

	/* The outcome of the round; the first to note one wins. */
	bool outcome_known;
	bool ran;		   /* the process did run; else the container stays `created` */
	struct mvm_error *refusal; /* why it did not */

	/* A stop on its way to SIGKILL, and then to the plug. */
	struct mvm_timer *stop_timer;
	bool stopping;
	bool asked_to_stop; /* by a client, which `events` tells */
	bool kept;	    /* by a restart, --rm or not */
	bool final;	    /* somebody has asked for the end: no policy starts it again */
	bool discard;	    /* somebody wants it gone: output that no client takes is lost */
	bool killed;

	int listen_fd;
	uint32_t exec_count; /* so far */
	struct mvm_watch *listen_watch;
	struct client *clients;
	struct waiter *waiters;
	struct archive *archives;
	struct exec *execs;
	struct health *health; /* NULL where there is no check, and between rounds */
};

/* lifecycle.c */
void supervisor_event(struct supervisor *supervisor, enum event event);
/* Notes the process's own end. */
void supervisor_exited(struct supervisor *supervisor, int exit_code, bool oom_killed);
/* Notes what went wrong instead, unless an outcome is known already: why the start failed, or how
 * the machine died under the process (exit code 255). Takes the error. */
void supervisor_failed(struct supervisor *supervisor, struct mvm_error *error);
/* Where the guest's console goes; the caller owns the path. */
char *supervisor_boot_log(const struct supervisor *supervisor);
/* Paused or not. */
bool supervisor_has_process(const struct supervisor *supervisor);
/* So long is enough on an idle host: how long it may take on this one, where many may want the processors. */
uint64_t supervisor_patience(uint64_t milliseconds);
/* Sends signo and sees to the end: SIGKILL after `timeout` seconds (-1: never), the plug some seconds later. */
void supervisor_stop(struct supervisor *supervisor, int signo, int64_t timeout);
/* Sends the process a signal, and notes that. `done` is agent_signal()'s. */
void supervisor_signal(struct supervisor *supervisor, int signo, void (*done)(void *arg, const struct mvm_error *error),
		       void *arg);
/* SIGKILL is the last signal a process gets: watch that it works. */
void supervisor_killed(struct supervisor *supervisor);
/* Writes state.json; what keeps it from that is logged. */
void supervisor_save(struct supervisor *supervisor);
int lifecycle_init(struct supervisor *supervisor, struct mvm_error **err);

/* health.c: the container's program has started, stands still, goes on, has ended. */
void health_start(struct supervisor *supervisor);
void health_pause(struct supervisor *supervisor);
void health_resume(struct supervisor *supervisor);
void health_end(struct supervisor *supervisor);

/* rounds.c: what the table does around a round's end. */
int rounds_open_streams(struct supervisor *supervisor, struct mvm_error **err);
/* Raises EVENT_AGAIN or EVENT_OVER. */
void rounds_settle(struct supervisor *supervisor);
/* Tells everybody of the end, and starts the time until EVENT_TIMEOUT. */
void rounds_wait(struct supervisor *supervisor);
/* Forgets the last round, but for what the next one goes on with. */
int rounds_renew(struct supervisor *supervisor, struct mvm_error **err);
/* Between rounds, or at the start of one that is not the first: what docker calls restarting. */
bool rounds_restarting(const struct supervisor *supervisor);
/* The user wants it to end: kept on disk, for a later boot of the host, and obeyed. */
void rounds_stop_by_user(struct supervisor *supervisor, bool final);

/* machine.c */
int machine_boot(struct supervisor *supervisor, struct mvm_error **err);
void machine_kill(struct supervisor *supervisor);
/* EVENT_MACHINE_PAUSED and EVENT_MACHINE_RESUMED say that it is so. */
void machine_pause(struct supervisor *supervisor);
void machine_resume(struct supervisor *supervisor);
/* Something other than the backend noticed that the machine is gone; noted if the backend does not say why. */
void machine_lost(struct supervisor *supervisor, const char *reason);
/* A process that the machine cannot be without has died: the same, and this is why, whatever else is noticed. */
void machine_device_lost(struct supervisor *supervisor, const char *reason);
/* Ends the vsock device too; what it had delivered stays readable. */
void machine_release(struct supervisor *supervisor);

/* confinement.c: fills what the process may do, and its limits, which `confinement` holds. `privileged`: with all
 * capabilities, as `exec --privileged` asks. */
struct confinement {
	struct mvm_proto_rlimit limits[MVM_RLIMIT_COUNT + 1];
};
void confine_process(const struct mvm_container_config *config, bool privileged, struct confinement *confinement,
		     struct mvm_proto_process *process);

/* agent.c: ports are those the guest connects to. */
struct agent *agent_create(struct supervisor *supervisor);
void agent_destroy(struct agent *agent);
void agent_connected(struct agent *agent, int fd);
/* `done` gets NULL or the guest's error; it may be NULL itself. TIMEOUT where the guest does not answer: orders.c. */
typedef void (*agent_done_fn)(void *arg, const struct mvm_error *error);
/* The machine alone, for a helper: EVENT_GUEST_READY. */
void agent_prepare(struct agent *agent);
void agent_start_process(struct agent *agent);
/* The id of the container's own process; those of execs are greater. */
enum { CONTAINER_PROCESS = 1 };
void agent_signal(struct agent *agent, uint32_t process, int signo, agent_done_fn done, void *arg);
void agent_resize(struct agent *agent, uint32_t process, int rows, int cols, agent_done_fn done, void *arg);
/* A process that joins the container's; the rest of `order` is the caller's. */
void agent_join(struct agent *agent, struct mvm_proto_process *order, bool privileged, agent_done_fn done, void *arg);
/* Tells the guest what time it is. */
void agent_set_clock(struct agent *agent);
void agent_archive(struct agent *agent, const struct mvm_proto_archive *order, agent_done_fn done, void *arg);
void agent_stats(struct agent *agent, agent_done_fn done, void *arg);
/* For `done` of that: what the guest says, or zeros where it says nothing. */
const struct mvm_proto_figures *agent_figures(const struct agent *agent);
void agent_processes(struct agent *agent, unsigned port, agent_done_fn done, void *arg);
void agent_update(struct agent *agent, const struct mvm_container_update *update, agent_done_fn done, void *arg);
void agent_network(struct agent *agent, const struct mvm_proto_network *order, agent_done_fn done, void *arg);
void agent_unpack(struct agent *agent, const struct mvm_proto_unpack *order, agent_done_fn done, void *arg);
void agent_stat(struct agent *agent, const struct mvm_proto_stat *order, agent_done_fn done, void *arg);
void agent_refresh(struct agent *agent, const struct mvm_proto_refresh *order, agent_done_fn done, void *arg);
/* What the guest says beside success, for the time of a `done`. */
const struct mvm_proto_reply *agent_reply(const struct agent *agent);
void agent_shutdown(struct agent *agent);
/* Without it no request is answered by the guest any more. */
bool agent_is_connected(const struct agent *agent);
/* The ports of the three streams; 0 where a stream is not there. */
unsigned agent_stream_port(const struct agent *agent, enum stream_kind kind);

/* events.c: `more` is names and values in turn, ended by NULL; NULL for none. */
void events_note(struct supervisor *supervisor, const char *action, const char *const *more);
void events_note_kill(struct supervisor *supervisor, int signo);
void events_note_resize(struct supervisor *supervisor, int rows, int cols);
/* "exec_start: sh -c true" */
void events_note_exec(struct supervisor *supervisor, const char *action, const json_t *args, const char *exec_id);
void events_note_exec_die(struct supervisor *supervisor, const char *exec_id, int exit_code);

/* clients.c */
int clients_listen(struct supervisor *supervisor, struct mvm_error **err);
void clients_add(struct supervisor *supervisor, int fd);
void clients_destroy(struct supervisor *supervisor);
void clients_notice(struct supervisor *supervisor, const char *text);
void clients_logged(struct supervisor *supervisor);
/* Answers who waits for the start; NULL error: it runs. */
void clients_started(struct supervisor *supervisor, const struct mvm_error *error);
/* Answers who waits for one thing. */
void clients_answer(struct supervisor *supervisor, enum waiter_kind kind, const struct mvm_error *error);
/* Answers who waits for the start of what has ended: why it did not run, or INTERRUPTED, and the start may be tried
 * again. */
void clients_ended(struct supervisor *supervisor);
/* Answers all of them at the end of a round that is followed by another: who waits for the start has it, by docker's
 * rule. */
void clients_between_rounds(struct supervisor *supervisor);
/* Answers who waits for the end, and tells the attached and the followers, who are none after that. */
void clients_exited(struct supervisor *supervisor);
/* A request whose answer comes from the guest. The answer, which frees it: an agent_done_fn. */
void relayed(void *relay, const struct mvm_error *error);
/* A stream that belongs to it, ahead of the answer. Takes fd. */
void relay_stream(struct relay *relay, int fd);
/* Where there is more to say: any message under the request's id, as often as needed, and the end without one.
 * Steals the message, borrows the descriptors. */
void relay_message(struct relay *relay, json_t *message, const int *fds, size_t count);
void relay_release(struct relay *relay);
/* Whoever asked has gone. */
bool relay_is_dead(const struct relay *relay);

/* archives.c: MVM_PROTO_ARCHIVE, MVM_PROTO_UNPACK, MVM_PROTO_STAT and MVM_PROTO_PROCESSES for clients. */
enum { ARCHIVE_PORT = MVM_PROTO_STREAM_PORT + STREAM_COUNT };
enum archive_kind { ARCHIVE_SEND, ARCHIVE_UNPACK, ARCHIVE_STAT, ARCHIVE_PROCESSES };
struct archive_order {
	enum archive_kind kind;
	char *path; /* owned, as the other texts; not of ARCHIVE_PROCESSES */
	char *name; /* of ARCHIVE_SEND, as the next three */
	enum mvm_proto_changes changes;
	bool freeze, mounted;
	char *user; /* of ARCHIVE_UNPACK, or NULL */
};
/* Ordered as soon as the guest takes such orders. Takes the relay and what the order holds. */
void archives_add(struct supervisor *supervisor, const struct archive_order *order, struct relay *relay);
/* The guest takes orders. */
void archives_ready(struct supervisor *supervisor);
void archives_connected(struct supervisor *supervisor, unsigned port, int fd);
/* A client has gone. */
void archives_left(struct supervisor *supervisor);
/* Answers those that will not be completed. */
void archives_end(struct supervisor *supervisor);

/* stats.c: the request "stats" of control.h, of one that runs. Takes the relay. */
void stats_answer(struct supervisor *supervisor, struct relay *relay);

/* update.c: the request "update", whatever the container does. Takes the relay. */
void update_apply(struct supervisor *supervisor, const struct mvm_container_update *update, struct relay *relay);

/* connect.c: the requests "connect" and "disconnect", whatever the container does. Take the relay. */
void connect_apply(struct supervisor *supervisor, const char *endpoint, struct relay *relay);
void disconnect_apply(struct supervisor *supervisor, const char *network, bool force, struct relay *relay);

/* execs.c: the request "exec" of control.h, a client's or our own. */
enum { EXEC_PORT = 4096 }; /* and all above it */
/* Who an exec is for. */
struct exec_peer {
	/* It runs; its streams, -1 for those that were not asked for, are borrowed. */
	void (*started)(void *arg, uint32_t process, const int fds[STREAM_COUNT]);
	/* It does not; nothing follows. */
	void (*refused)(void *arg, const struct mvm_error *error);
	/* Its streams may still hold something. `error`: how its machine died. */
	void (*ended)(void *arg, int exit_code, const char *error);
	/* Nothing follows. */
	void (*left)(void *arg);
	/* Whether it has lost its interest; asked after each word, and by execs_left(). */
	bool (*gone)(const void *arg);
};
/* While the container's process runs. */
void execs_run(struct supervisor *supervisor, json_t *request, const struct exec_peer *peer, void *arg);
/* The same for a client. Takes the relay. */
void execs_add(struct supervisor *supervisor, json_t *request, struct relay *relay);
void execs_connected(struct supervisor *supervisor, unsigned port, int fd);
void execs_exited(struct supervisor *supervisor, uint32_t process, int exit_code);
bool execs_running(const struct supervisor *supervisor, uint32_t process);
/* Its user leaves by the keys for that; the client goes next. */
void execs_detached(struct supervisor *supervisor, uint32_t process);
/* Somebody whom one is for has gone. */
void execs_left(struct supervisor *supervisor);
/* The machine has gone, and with it all of them. */
void execs_end(struct supervisor *supervisor);

#endif
