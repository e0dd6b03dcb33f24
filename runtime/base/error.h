/*
 * Errors: one convention for the whole program.
 *
 *   int f(..., struct mvm_error **err);
 *
 * 0 is success. Negative is failure, and *err then holds an error that the
 * caller owns (take it with mvm_error_free(), or hand it on after
 * mvm_error_wrap()). Positive is an outcome that the header of f names. On
 * failure out-parameters are untouched. err may be NULL where the caller does
 * not care; *err must be NULL on entry.
 *
 * A message is one line without a trailing full stop or newline: what failed,
 * on what, and what to do next. Only main() or a protocol's edge prints it.
 * It may quote what a registry, an archive or a guest wrote: control characters
 * become '?' here, so that nothing of it speaks to a terminal, and a message of
 * more than 2,048 bytes loses its middle.
 */
#ifndef MVM_BASE_ERROR_H
#define MVM_BASE_ERROR_H

#include <stdarg.h>

/* Stable: a code travels over the control socket by name. */
enum mvm_error_code {
	MVM_ERR_INTERNAL,    /* our own bug, or a system call nobody expects to fail */
	MVM_ERR_USAGE,	     /* wrong flag or argument */
	MVM_ERR_INVALID,     /* input from outside is malformed: image, config, reference, guest */
	MVM_ERR_NOT_FOUND,   /* no such container, image, file, tool */
	MVM_ERR_EXISTS,	     /* the name is taken */
	MVM_ERR_CONFLICT,    /* not in this state, or in use */
	MVM_ERR_IO,	     /* a file or descriptor failed */
	MVM_ERR_NO_SPACE,    /* disk full or quota */
	MVM_ERR_NETWORK,     /* a server is down, slow or lost */
	MVM_ERR_AUTH,	     /* credentials missing or refused */
	MVM_ERR_CORRUPT,     /* digest, size or check sum differs */
	MVM_ERR_UNSUPPORTED, /* understood, but not possible here */
	MVM_ERR_TIMEOUT,
	MVM_ERR_MACHINE,     /* the VM, its devices or the agent failed */
	MVM_ERR_CANNOT_RUN,  /* the program was found but cannot be run: exit code 126 */
	MVM_ERR_NO_PROGRAM,  /* the program was not found: exit code 127 */
	MVM_ERR_INTERRUPTED, /* a signal asked us to stop */
};

struct mvm_error;

/* Sets *err and returns -1, so that callers write `return mvm_fail(...)`. */
int mvm_fail(struct mvm_error **err, enum mvm_error_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same for a failed system call: appends ": <strerror>", derives the code
 * (ENOSPC, EDQUOT: NO_SPACE; ENOENT: NOT_FOUND; EEXIST: EXISTS; else IO). */
int mvm_fail_errno(struct mvm_error **err, int errnum, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Prefixes what the caller was doing: "<context>: <message>". Returns -1.
 * Does nothing where err or *err is NULL. */
int mvm_error_wrap(struct mvm_error **err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Hands *cause on as *err, for whoever looked at it first, and sets *cause to NULL. Returns -1. */
int mvm_error_move(struct mvm_error **err, struct mvm_error **cause);

enum mvm_error_code mvm_error_code(const struct mvm_error *err);
/* The errno of the failed call, 0 where there was none. */
int mvm_error_errno(const struct mvm_error *err);
/* Borrowed; valid until the error is wrapped or freed. */
const char *mvm_error_message(const struct mvm_error *err);

/* What a command that runs a program exits with: 127 no such program, 126 it cannot be run,
 * 125 mvm itself failed. */
int mvm_error_run_status(const struct mvm_error *err);

/* Names for the wire: "not-found". An unknown name reads as INTERNAL. */
const char *mvm_error_code_name(enum mvm_error_code code);
enum mvm_error_code mvm_error_code_parse(const char *name);

/* Frees *err and sets it to NULL, so that the variable can be used again. */
void mvm_error_clear(struct mvm_error **err);
void mvm_error_free(struct mvm_error *err);

/* clang's analyzer looks at one file at a time and would follow paths on which these return 0. */
#if defined(__clang_analyzer__) && !defined(MVM_ERROR_IMPLEMENTATION)
#define mvm_fail(...)	    ((void)mvm_fail(__VA_ARGS__), -1)
#define mvm_fail_errno(...) ((void)mvm_fail_errno(__VA_ARGS__), -1)
#define mvm_error_wrap(...) ((void)mvm_error_wrap(__VA_ARGS__), -1)
#endif

static inline void mvm_error_cleanup(struct mvm_error **err)
{
	mvm_error_clear(err);
}
/* struct mvm_error *err MVM_CLEAN_ERROR = NULL; */
#define MVM_CLEAN_ERROR __attribute__((cleanup(mvm_error_cleanup)))

#endif
