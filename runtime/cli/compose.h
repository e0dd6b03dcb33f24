/*
 * What the commands of `mvm compose` share: the options that stand before them, and the project that these name.
 */
#ifndef MVM_CLI_COMPOSE_H
#define MVM_CLI_COMPOSE_H

#include "cli.h"
#include "runtime/compose/compose.h"
#include "runtime/compose/fleet.h"

/* Between "compose" and the command. */
struct cli_compose {
	struct mvm_strv files, profiles, env_files;
	const char *project_name, *project_directory;
	const char *ansi;
	bool all_resources;
};
extern const struct cli_command cli_compose_group;
/* One a process: main() fills it before the command runs. */
extern struct cli_compose cli_compose_given;

/* Adds what was given to `options`, has warnings printed, and loads. */
int cli_compose_load(struct mvm_compose_options *options, struct mvm_compose **compose, struct mvm_error **err);

/* The project's name alone, for what is found by labels (runtime/compose/fleet.h): the command line's or the
 * environment's, and no file is needed; else what the files say. The caller's. */
int cli_compose_name(char **name, struct mvm_error **err);
/* The project where there are files, or where they are named; else the name alone, and *compose is NULL. Warns of what
 * `options` does not leave out. */
int cli_compose_project_or_name(struct mvm_compose_options *options, struct mvm_compose **compose, char **name,
				struct mvm_error **err);

/* mvm_fleet_load(), and says which containers cannot be read. */
int cli_compose_fleet(struct mvm_engine *engine, const struct mvm_fleet_request *request, struct mvm_fleet *fleet,
		      struct mvm_error **err);
/* What a command does with the one container that it is about, and the other with all it is about. */
typedef int (*cli_compose_one_fn)(struct mvm_engine *engine, const struct mvm_container *container, void *context,
				  struct mvm_error **err);
typedef int (*cli_compose_all_fn)(struct mvm_engine *engine, const char *project, const struct mvm_fleet *fleet,
				  void *context, struct mvm_error **err);
struct cli_compose_choice {
	char *service;
	const char *index; /* as it was given; NULL: it was not */
	enum mvm_oneoff oneoff;
	bool all; /* also one that does not run */
};
/* Finds the project's name, opens the engine, finds them, and does it. */
int cli_compose_with_one(const struct cli_compose_choice *choice, cli_compose_one_fn fn, void *context,
			 struct mvm_error **err);
/* `request` has no project yet. */
int cli_compose_with_all(const struct mvm_fleet_request *request, cli_compose_all_fn fn, void *context,
			 struct mvm_error **err);

/* `--index`; 0 where it is not given. USAGE. */
int cli_compose_index(const char *text, int64_t *index, struct mvm_error **err);

/* Docker compose's other kind of list: a table of wide columns, or one JSON array of objects whose keys come as the
 * columns do. */
int cli_compose_print_section(const struct cli_table *table, const char *format, struct mvm_error **err);

/* Whether to write colours on stdout: --ansi, NO_COLOR, and whether it is a terminal. USAGE. */
int cli_compose_colors(bool *colors, struct mvm_error **err);

/* Names of the project's services. */
void cli_complete_services(struct cli_completion *completion);

#endif
