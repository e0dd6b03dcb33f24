#define MVM_ERROR_IMPLEMENTATION
#include "error.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "text.h"

struct mvm_error {
	enum mvm_error_code code;
	int errnum;
	char *message;
};

static const char *const code_names[] = {
	[MVM_ERR_INTERNAL] = "internal",
	[MVM_ERR_USAGE] = "usage",
	[MVM_ERR_INVALID] = "invalid",
	[MVM_ERR_NOT_FOUND] = "not-found",
	[MVM_ERR_EXISTS] = "exists",
	[MVM_ERR_CONFLICT] = "conflict",
	[MVM_ERR_IO] = "io",
	[MVM_ERR_NO_SPACE] = "no-space",
	[MVM_ERR_NETWORK] = "network",
	[MVM_ERR_AUTH] = "auth",
	[MVM_ERR_CORRUPT] = "corrupt",
	[MVM_ERR_UNSUPPORTED] = "unsupported",
	[MVM_ERR_TIMEOUT] = "timeout",
	[MVM_ERR_MACHINE] = "machine",
	[MVM_ERR_CANNOT_RUN] = "cannot-run",
	[MVM_ERR_NO_PROGRAM] = "no-program",
	[MVM_ERR_INTERRUPTED] = "interrupted",
};

#define CODE_COUNT (sizeof(code_names) / sizeof(code_names[0]))
_Static_assert(CODE_COUNT == MVM_ERR_INTERRUPTED + 1, "every error code has a name");

/* Longer than any path that people make, and a line that can still be read. */
enum { MAX_MESSAGE = 2048 };

static bool continues_character(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* Both ends say something: who fails and why. */
static void shorten(char *text)
{
	static const char gap[] = " ... ";
	size_t length = strlen(text), head = MAX_MESSAGE / 2, tail = length - MAX_MESSAGE / 2 + sizeof(gap);

	if (length <= MAX_MESSAGE)
		return;
	while (head && continues_character(text[head]))
		head--;
	while (continues_character(text[tail]))
		tail++;
	memcpy(text + head, gap, sizeof(gap) - 1);
	memmove(text + head + sizeof(gap) - 1, text + tail, length - tail + 1);
}

static char *one_line(char *text)
{
	mvm_mask_controls(text);
	shorten(text);
	return text;
}

static void set(struct mvm_error **err, enum mvm_error_code code, int errnum, char *message)
{
	if (!err) {
		free(message);
		return;
	}
	/* Overwriting would hide the first failure; the first is the one to tell. */
	if (*err) {
		free(message);
		return;
	}
	*err = mvm_alloc(sizeof(**err));
	(*err)->code = code;
	(*err)->errnum = errnum;
	(*err)->message = one_line(message);
}

int mvm_fail(struct mvm_error **err, enum mvm_error_code code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	set(err, code, 0, mvm_vformat(format, args));
	va_end(args);
	return -1;
}

static enum mvm_error_code code_of_errno(int errnum)
{
	switch (errnum) {
	case ENOSPC:
	case EDQUOT:
		return MVM_ERR_NO_SPACE;
	case ENOENT:
		return MVM_ERR_NOT_FOUND;
	case EEXIST:
		return MVM_ERR_EXISTS;
	default:
		return MVM_ERR_IO;
	}
}

int mvm_fail_errno(struct mvm_error **err, int errnum, const char *format, ...)
{
	va_list args;
	char *what, *message;

	va_start(args, format);
	what = mvm_vformat(format, args);
	va_end(args);
	message = mvm_format("%s: %s", what, strerror(errnum));
	free(what);
	set(err, code_of_errno(errnum), errnum, message);
	return -1;
}

int mvm_error_wrap(struct mvm_error **err, const char *format, ...)
{
	va_list args;
	char *context, *message;

	if (!err || !*err)
		return -1;
	va_start(args, format);
	context = mvm_vformat(format, args);
	va_end(args);
	message = mvm_format("%s: %s", context, (*err)->message);
	free(context);
	free((*err)->message);
	(*err)->message = one_line(message);
	return -1;
}

int mvm_error_move(struct mvm_error **err, struct mvm_error **cause)
{
	if (err && !*err)
		*err = *cause;
	else
		mvm_error_free(*cause);
	*cause = NULL;
	return -1;
}

enum mvm_error_code mvm_error_code(const struct mvm_error *err)
{
	return err ? err->code : MVM_ERR_INTERNAL;
}

int mvm_error_errno(const struct mvm_error *err)
{
	return err ? err->errnum : 0;
}

const char *mvm_error_message(const struct mvm_error *err)
{
	return err ? err->message : "unknown error";
}

int mvm_error_run_status(const struct mvm_error *err)
{
	switch (mvm_error_code(err)) {
	case MVM_ERR_NO_PROGRAM:
		return 127;
	case MVM_ERR_CANNOT_RUN:
		return 126;
	default:
		return 125;
	}
}

const char *mvm_error_code_name(enum mvm_error_code code)
{
	return (size_t)code < CODE_COUNT ? code_names[code] : code_names[MVM_ERR_INTERNAL];
}

enum mvm_error_code mvm_error_code_parse(const char *name)
{
	for (size_t i = 0; name && i < CODE_COUNT; i++)
		if (!strcmp(name, code_names[i]))
			return (enum mvm_error_code)i;
	return MVM_ERR_INTERNAL;
}

void mvm_error_free(struct mvm_error *err)
{
	if (!err)
		return;
	free(err->message);
	free(err);
}

void mvm_error_clear(struct mvm_error **err)
{
	if (!err)
		return;
	mvm_error_free(*err);
	*err = NULL;
}
