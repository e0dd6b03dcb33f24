/*
 * The output of several containers of a project on one screen, as docker compose shows it: lines that begin with the
 * container's name in a colour of its own, and a word of each one that has ended.
 *
 *   struct cli_log_mux_options options = {.project = "shop", .prefix = true, .color = cli_compose_colors(), ...};
 *   cli_log_mux_create(engine, &options, &mux, err);
 *   cli_log_mux_add(mux, container, err);    as often as there are containers; what starts later comes by itself
 *   cli_log_mux_run(mux, err);
 *
 * It learns of starts and ends from the history of events: made before containers are started, it misses none. All of
 * it happens in one loop, which is there for the caller's own watches, timers, signals and children.
 */
#ifndef MVM_CLI_LOG_MUX_H
#define MVM_CLI_LOG_MUX_H

#include "cli.h"
#include "runtime/base/loop.h"

struct cli_log_mux_end {
	const char *id, *service;
	int exit_code;
	bool restarts; /* its policy or somebody starts it again */
};

/* All borrowed, until the mux is destroyed. */
struct cli_log_mux_options {
	bool color, prefix, timestamps;
	bool stderr_apart; /* what containers write to stderr goes to ours */
	/* Goes on with what comes until none of those that were added, or have started since, runs. */
	bool follow;
	const char *project;
	char *const *services;		/* what starts later is shown of these; ends with NULL; NULL or empty: of all */
	struct mvm_log_request request; /* of those that are added; `follow` is the mux's own */
	/* Told when one has ended, after its last line; NULL: nobody asks. */
	void (*ended)(void *arg, const struct cli_log_mux_end *end);
	void *arg;
};

struct cli_log_mux;
int cli_log_mux_create(struct mvm_engine *engine, const struct cli_log_mux_options *options, struct cli_log_mux **mux,
		       struct mvm_error **err);
void cli_log_mux_destroy(struct cli_log_mux *mux);
/* What it has written, by the request, and what comes. One that keeps no output is told of, once, and no failure. */
int cli_log_mux_add(struct cli_log_mux *mux, const struct mvm_container *container, struct mvm_error **err);
/* "NAME TEXT" in the container's colour; `name` is the short one (runtime/compose/fleet.h). */
void cli_log_mux_say(struct cli_log_mux *mux, const char *name, const char *text);
/* Returns when there is nothing more to come, or after cli_log_mux_stop(). Can be called again. */
int cli_log_mux_run(struct cli_log_mux *mux, struct mvm_error **err);
void cli_log_mux_stop(struct cli_log_mux *mux);
/* It also returns not before this is undone, however little there is to come: while containers are still being made.
 */
void cli_log_mux_hold(struct cli_log_mux *mux, bool on);
struct mvm_loop *cli_log_mux_loop(struct cli_log_mux *mux);

#endif
