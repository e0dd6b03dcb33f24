/*
 * QMP, QEMU's control protocol: JSON objects, one a line. This parser does no I/O:
 * bytes in, messages out (docs/interop/qmp-spec in QEMU's source).
 *
 * The peer is QEMU itself, which a hostile guest may have taken over: the length of a
 * line is bounded, and everything not understood is an error or ignored, never trusted.
 */
#ifndef MVM_BACKEND_QEMU_QMP_H
#define MVM_BACKEND_QEMU_QMP_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/json.h"
#include "runtime/base/mem.h"

struct mvm_error;

enum { QMP_LINE_MAX = 256 * 1024 };

enum qmp_kind {
	QMP_GREETING,
	QMP_EVENT,  /* name, data */
	QMP_RETURN, /* id, data */
	QMP_ERROR,  /* id, name: what QEMU says */
};

struct qmp_message {
	enum qmp_kind kind;
	const char *name;
	int64_t id;	    /* -1: the message has none */
	const json_t *data; /* NULL: none */
};

struct qmp {
	struct mvm_buf input;
};

/* Borrowed during the call. What it returns other than 0 ends qmp_feed(), which returns it; the parser is not
 * touched after such a call, so that it may have been freed by it. */
typedef int (*qmp_message_fn)(void *arg, const struct qmp_message *message);

/* INVALID where a line is too long or not a QMP message. */
int qmp_feed(struct qmp *qmp, const void *data, size_t length, qmp_message_fn fn, void *arg, struct mvm_error **err);
void qmp_finish(struct qmp *qmp);

/* One line, ready to send. `arguments` is taken (may be NULL). */
char *qmp_command(const char *name, int64_t id, json_t *arguments);

#endif
