/*
 * Child programs: one way to start them, with exactly the descriptors named.
 */
#ifndef MVM_BASE_SPAWN_H
#define MVM_BASE_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct mvm_error;

#ifdef __APPLE__
/* No header of macOS's has it. */
extern char **environ;
#endif

struct mvm_spawn_fd {
	int from; /* ours; stays open here */
	int to;	  /* the child's number */
};

struct mvm_spawn {
	const char *program; /* a path, or a name looked up in PATH */
	char *const *argv;   /* NULL-terminated */
	char *const *envp;   /* NULL: ours */
	const struct mvm_spawn_fd *fds;
	size_t fd_count;      /* 0, 1, 2 not named here become /dev/null; all else is closed */
	bool new_session;     /* setsid(): signals of the terminal do not reach it */
	bool die_with_parent; /* Linux: SIGKILL when this process ends. Elsewhere the child must watch a descriptor */
};

/* Returns once the program runs: a program that is missing or cannot be
 * executed fails here (NOT_FOUND or IO), not later. Signals are at their defaults in
 * the child. */
int mvm_spawn(const struct mvm_spawn *spawn, pid_t *pid, struct mvm_error **err);

/* Runs a program to its end: what it says on stdout and stderr, the first MVM_OUTPUT_MAX bytes, and its status as
 * waitpid() has it. The text is the caller's. TIMEOUT after so many seconds, and it is killed. */
enum { MVM_OUTPUT_MAX = 64 << 10 };
int mvm_spawn_output(const char *program, char *const *argv, char *const *envp, int seconds, char **text, int *status,
		     struct mvm_error **err);

/* Finds a program in PATH; the caller owns the path. NOT_FOUND where there is none. */
int mvm_find_program(const char *name, char **path, struct mvm_error **err);

#endif
