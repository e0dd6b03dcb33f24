/*
 * The command line: one file a command, each with its options, its help and what it does.
 *
 * Commands print what was asked for on stdout and return 0, or an exit status of their own, or -1
 * with an error that main() prints: one line "mvm: ..." on stderr.
 */
#ifndef MVM_CLI_CLI_H
#define MVM_CLI_CLI_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include "complete.h"
#include "detach.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/engine/engine.h"

/* Where an option's value goes: the member at `offset` of the command's own struct. */
enum cli_option_kind {
	CLI_FLAG,   /* bool */
	CLI_STRING, /* const char *, the last one wins */
	CLI_LIST,   /* struct mvm_strv, all of them */
};

struct cli_option {
	const char *name; /* without dashes */
	char letter;	  /* 0: none */
	enum cli_option_kind kind;
	size_t offset;
	const char *argument; /* what help calls the value */
	const char *help;
	/* What shells offer as its value, either: known words (CLI_WORDS()), or what is found out (complete.h). */
	const char *const *words;
	void (*complete)(struct cli_completion *completion);
	const char *implied; /* of another kind: the value where none is given by "="; NULL: it is the next argument */
	size_t given;	     /* of a CLI_FLAG: a bool that says whether it was there at all; 0: nobody asks */
};

/* A line for help, at the end of each table. */
#define CLI_OPTIONS_END                                                                                                \
	{                                                                                                              \
		NULL, 0, CLI_FLAG, 0, NULL, NULL                                                                       \
	}

enum { CLI_NAMES = 4 };

struct cli_command {
	const char *name; /* "images"; in what `run` is told of, as it was typed: "image ls" */
	/* All names it answers to, in docker's order, where there are several: "image ls", "image list", "images". The
	 * first within a group is the one that the group's help shows. */
	const char *names[CLI_NAMES];
	bool common;	   /* among the first in the overview */
	const char *usage; /* after the name: "[OPTIONS] IMAGE [COMMAND] [ARG...]" */
	const char *summary;
	const struct cli_option *options;
	const char *const *without; /* names of options in that table which it has not; NULL: it has all of them */
	size_t min_args, max_args;  /* SIZE_MAX: any number */
	/* Options after the first argument are the program's, not ours. */
	bool options_first;
	bool all_are_args; /* there is no option but --help, whatever looks like one */
	void (*complete)(struct cli_completion *completion); /* what shells offer as its arguments; NULL: nothing */
	size_t values_size;				     /* of the struct that the options fill */
	const void *defaults;				     /* what it holds before; NULL: zeroes */
	int (*run)(const void *values, char **args, struct mvm_error **err);
	/* Exit status for errors: `run` has its own rules. */
	int (*status)(const struct mvm_error *err);
};

extern const struct cli_command cli_attach, cli_build, cli_commit, cli_completion, cli_container_inspect,
	cli_container_prune, cli_cp, cli_create, cli_diff, cli_doctor, cli_events, cli_exec, cli_export, cli_history,
	cli_image_inspect, cli_image_prune, cli_images, cli_import, cli_info, cli_inspect, cli_kill, cli_load,
	cli_login, cli_logout, cli_logs, cli_network_connect, cli_network_create, cli_network_disconnect,
	cli_network_inspect, cli_network_ls, cli_network_prune, cli_network_rm, cli_pause, cli_port, cli_unpause,
	cli_ps, cli_pull, cli_push, cli_rename, cli_restart, cli_rm, cli_rmi, cli_run, cli_save, cli_start, cli_stats,
	cli_stop, cli_system_df, cli_system_install_service, cli_system_prune, cli_system_start, cli_system_stop,
	cli_system_uninstall_service, cli_tag, cli_top, cli_update, cli_version, cli_volume_create, cli_volume_inspect,
	cli_volume_ls, cli_volume_prune, cli_volume_rm, cli_wait;
extern const struct cli_command cli_compose_attach, cli_compose_config, cli_compose_cp, cli_compose_events,
	cli_compose_exec, cli_compose_export, cli_compose_images, cli_compose_logs, cli_compose_ls, cli_compose_port,
	cli_compose_ps, cli_compose_stats, cli_compose_top, cli_compose_version, cli_compose_volumes, cli_compose_wait;
extern const struct cli_command cli_compose_build, cli_compose_create, cli_compose_pull, cli_compose_push,
	cli_compose_run, cli_compose_scale;
extern const struct cli_command cli_compose_down, cli_compose_kill, cli_compose_pause, cli_compose_restart,
	cli_compose_rm, cli_compose_start, cli_compose_stop, cli_compose_unpause, cli_compose_up;
extern const struct cli_command cli_kernel_build, cli_kernel_ls, cli_kernel_pull, cli_kernel_push, cli_kernel_rm,
	cli_kernel_use;
extern const struct cli_command cli_machine_create, cli_machine_default, cli_machine_inspect, cli_machine_ls,
	cli_machine_rm, cli_machine_set, cli_machine_shell, cli_machine_ssh_config, cli_machine_ssh_proxy,
	cli_machine_start, cli_machine_stop;

/* options.c: fills `values` and leaves the arguments in argv[*first...]. 1: help was asked for. */
int cli_parse(const struct cli_command *command, int argc, char **argv, void *values, int *first,
	      struct mvm_error **err);
void cli_values_finish(const struct cli_command *command, void *values);
/* Its options that are not left out; the name needs no end. NULL where it has none such. */
const struct cli_option *cli_option_named(const struct cli_command *command, const char *name, size_t length);
const struct cli_option *cli_option_lettered(const struct cli_command *command, char letter);
bool cli_has_option(const struct cli_command *command, const struct cli_option *option);

/* help.c */
void cli_print_help(const struct cli_command *command, FILE *out);
/* The options alone, as wide as the screen. */
void cli_print_options(const struct cli_command *command, FILE *out);
/* Those that it has, by name; NULL at the end. The list is the caller's. */
const struct cli_option **cli_sorted_options(const struct cli_command *command);

/* attach.c: joins the terminal or the pipes of this process to a container that is about to start. */
struct cli_attach {
	bool tty;
	bool stdin_on;
	bool sig_proxy;
	bool runs;		  /* another command has started it: a signal before the answer must not end it */
	bool only_joins;	  /* it runs, and is not to be started if it should just have ended */
	struct cli_detach detach; /* for a terminal */
};
enum { CLI_DETACHED = 1 };
/* Starts the container, unless it runs, and stays until it has ended and all its output is written. 0 and its exit
 * code; CLI_DETACHED where the keys to leave were typed, and it goes on; or -1 with the error of the start. */
int cli_attach_and_start(struct mvm_client *client, const struct cli_attach *options, int *exit_code,
			 struct mvm_error **err);
/* Stays with a process that runs beside the container's own until it has ended, or a signal to us has ended our
 * part. Takes the exec's streams. Its exit code as above. */
int cli_attach_exec(struct mvm_exec *exec, const struct cli_attach *options, int *exit_code, struct mvm_error **err);
/* exec.c: runs it with our streams, unless it is to be left behind; the exit code as above. */
int cli_exec_in(struct mvm_engine *engine, const struct mvm_container *container,
		const struct mvm_exec_request *request, const struct cli_detach *detach, int *exit_code,
		struct mvm_error **err);
/* The same as `exec` does it: our terminal has to be one where it is wanted, and its size is passed on. */
int cli_exec_container(struct mvm_engine *engine, const struct mvm_container *container,
		       struct mvm_exec_request *request, const struct cli_detach *detach, int *exit_code,
		       struct mvm_error **err);
int cli_exec_status(const struct mvm_error *err);
/* attach_to.c: joins one that runs, as `attach` does. CLI_DETACHED as above. */
struct cli_attach_wishes {
	const char *detach_keys;
	bool no_stdin, sig_proxy;
};
int cli_attach_to(struct mvm_engine *engine, const struct mvm_container *container,
		  const struct cli_attach_wishes *wishes, int *exit_code, struct mvm_error **err);
/* cp.c: copies, tells on stderr how it goes unless `quiet`, and what has become of it. */
int cli_copy(struct mvm_engine *engine, const struct mvm_copy *copy, bool from, bool quiet, struct mvm_error **err);
/* Whose path it is; NULL: a local one. The caller's; *path is borrowed. */
char *cli_copy_split(const char *arg, const char **path);
/* export.c: to a file, or for NULL to stdout. */
int cli_export_container(struct mvm_engine *engine, const char *container, const char *output, struct mvm_error **err);
/* port.c: "0.0.0.0:8080"; the caller's. */
struct mvm_port;
char *cli_port_place(const struct mvm_port *port);
/* stats.c: what containers use, over and over unless `once`. Of those that are named; else of all that `takes` (NULL:
 * any) says are meant. */
struct cli_stats_wishes {
	bool all, once, no_trunc;
	const char *format;
	char **names; /* ends with NULL */
	bool (*takes)(void *arg, const struct mvm_container *container);
	void *arg;
};
int cli_show_stats(const struct cli_stats_wishes *wanted, struct mvm_error **err);
/* Rows and columns of the user's terminal, 0 where there is none. */
void cli_window_size(int *rows, int *cols);
/* A notice of the supervisor, on stderr. */
void cli_print_event(void *arg, const json_t *event);

/* env.c: the variables of `--env-file` and then `-e`: NAME=value, or a bare NAME that is to be taken away. */
int cli_read_env(const struct mvm_strv *files, const struct mvm_strv *given, struct mvm_strv *env,
		 struct mvm_error **err);

/* numbers.c: values of flags; a NULL text leaves the value alone. */
int cli_parse_cpus(const char *text, int64_t *nano_cpus, struct mvm_error **err);
int cli_parse_bytes(const char *flag, const char *text, uint64_t *bytes, struct mvm_error **err);
int cli_parse_number(const char *flag, const char *text, int64_t *value, struct mvm_error **err);

/* health_flags.c: `--health-*`, as they were typed; NULL where not. */
struct cli_health_flags {
	bool none;
	const char *command, *interval, *timeout, *start_period, *start_interval, *retries;
};
/* What is not given is left as it is. check->test is the caller's to finish. */
int cli_parse_health(const struct cli_health_flags *flags, struct mvm_health_check *check, struct mvm_error **err);

/* network_flags.c: `--network` and what goes with it, as it was typed. */
struct cli_network_flags {
	struct mvm_strv networks, aliases, dns, dns_search, dns_options, extra_hosts, publish, expose;
	bool publish_all;
	const char *ip, *ip6, *mac;
};
/* The request borrows the flags and `networks`, which is the caller's to finish. */
int cli_parse_networks(const struct cli_network_flags *flags, struct mvm_strv *networks,
		       struct mvm_create_request *request, struct mvm_error **err);

/* run.c: what MVM_KERNEL says; NULL where it says nothing. */
const char *cli_default_kernel(void);

/* What is done with a machine; its result is the caller's. */
typedef int (*cli_machine_fn)(struct mvm_engine *engine, const struct mvm_container *machine, void *context,
			      struct mvm_error **err);
/* machine_shell.c: does it when the machine runs, which is started where it does not. NULL is the default one. */
int cli_in_machine(const char *name, cli_machine_fn fn, void *context, struct mvm_error **err);

/* each.c: does one thing to each argument, whatever becomes of the others. All failures are printed; the
 * last one is the error. */
typedef int (*cli_action_fn)(struct mvm_engine *engine, const char *arg, void *context, struct mvm_error **err);
int cli_for_each(char **args, cli_action_fn action, void *context, struct mvm_error **err);
/* Takes `error`, and prints the failure before it. Returns -1. */
int cli_note_failure(struct mvm_error *error, struct mvm_error **err);
/* at_once.c: the same to all of them at the same time, where docker does it so; each in a process of its own. */
int cli_at_once(char **args, cli_action_fn action, void *context, struct mvm_error **err);
/* "mvm: <message>" on stderr. */
void cli_print_error(const struct mvm_error *err);

/* output.c: what `-o` names, written by `write`: a file appears when it is complete; NULL is stdout, and a terminal is
 * refused. */
int cli_write_output(const char *path, int (*write)(void *arg, int fd, struct mvm_error **err), void *arg,
		     struct mvm_error **err);
/* load.c: the file, or stdin for NULL; the caller's. */
int cli_open_input(const char *path, int *fd, struct mvm_error **err);

/* table.c: what `--format` prints: "table" (or NULL), "table TEMPLATE" with headings and columns, "json", one object a
 * line, or a template, which is run once a row (runtime/template/template.h). */
struct cli_column {
	const char *title;
	const char *key;
	bool hidden; /* unless a template names it, or in JSON */
	bool json;   /* its cells are JSON, and not texts */
};
struct cli_table {
	const struct cli_column *columns;
	size_t column_count;
	const char *type;      /* what errors call a row: "container" */
	size_t min_width;      /* of a column; 0: docker's usual ten */
	bool as_listed;	       /* JSON's keys come as the columns do, not by the alphabet */
	struct mvm_strv cells; /* row after row */
	/* Of each row, for {{.Label "name"}}: "name=value", borrowed. NULL: rows have none. */
	const struct mvm_strv *const *labels;
};
#define CLI_FORMAT_HELP "table (the default), json, or a Go template: '{{.ID}}', 'table {{.ID}}\\t{{.Size}}'"
/* Whether it can be read: commands say so before they do anything. */
int cli_check_format(const char *format, struct mvm_error **err);
/* Nothing is printed on failure. */
int cli_table_write(const struct cli_table *table, const char *format, FILE *out, struct mvm_error **err);
/* On stdout. */
int cli_table_print(const struct cli_table *table, const char *format, struct mvm_error **err);
/* One value, by a template or "json". An object's fields are fixed where it has a type's name. */
int cli_print_value(const json_t *value, const char *type, const char *format, struct mvm_error **err);
/* align.c: prints lines whose cells end with tabs. */
void cli_align(const char *text, size_t length, size_t min_width, FILE *out);
/* An array of its rows; the caller's. */
json_t *cli_table_json(const struct cli_table *table);
void cli_table_finish(struct cli_table *table);
/* "3 minutes ago" */
char *cli_ago(int64_t then);
/* "2026-11-21 11:12:13 +0100 CET" */
char *cli_moment_text(time_t moment);

/* ps.c: "Up 3 minutes", and the quoted command, cut short unless `no_trunc`. */
char *cli_status_text(const struct mvm_container *container);
char *cli_command_text(const struct mvm_container *container, bool no_trunc);
/* Its other cells; the texts are the caller's, but for the state. */
const char *cli_state_text(const struct mvm_container *container);
char *cli_ports_text(const struct mvm_container *container);
char *cli_networks_text(const struct mvm_container *container);
char *cli_container_size_text(struct mvm_engine *engine, const struct mvm_container *container);

/* interrupt.c: notes SIGINT and SIGTERM instead of ending with them, from begin to end. What it returns becomes
 * non-zero then. */
struct cli_interrupt {
	struct sigaction sigint, sigterm;
};
const volatile sig_atomic_t *cli_interrupt_begin(struct cli_interrupt *before);
void cli_interrupt_end(const struct cli_interrupt *before);

/* pull.c: progress on stderr, or silence, and Ctrl-C ends the pull. */
int cli_get_image(struct mvm_engine *engine, struct mvm_image_request *request, bool quiet, struct mvm_image **image,
		  struct mvm_error **err);
/* logs.c: what `--tail`, `--since` and `--until` say, NULL where they were not given. The request borrows `limits`. */
struct cli_log_limits {
	struct timespec since, until;
};
int cli_read_log_limits(const char *tail, const char *since, const char *until, struct cli_log_limits *limits,
			struct mvm_log_request *request, struct mvm_error **err);
/* push.c: whether a tag or a digest stands behind the name. */
bool cli_has_tag(const char *text);
/* `--max-concurrent-downloads`. */
int cli_parse_downloads(const char *text, size_t *downloads, struct mvm_error **err);
int cli_parse_pull_policy(const char *text, enum mvm_pull_policy *policy, struct mvm_error **err);

#endif
