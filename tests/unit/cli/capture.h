/* What a function prints on a standard stream. */
#ifndef MVM_TESTS_UNIT_CLI_CAPTURE_H
#define MVM_TESTS_UNIT_CLI_CAPTURE_H

#include "tests/unit/unit.h"

struct capture {
	FILE *stream;
	int saved, file;
};

static inline void capture_begin(struct capture *capture, FILE *stream)
{
	char path[] = "/tmp/mvm-unit.XXXXXX";

	fflush(stream);
	capture->stream = stream;
	capture->saved = dup(fileno(stream));
	capture->file = mkstemp(path);
	assert_true(capture->saved >= 0 && capture->file >= 0);
	unlink(path);
	dup2(capture->file, fileno(stream));
}

/* The caller owns the text. */
static inline char *capture_end(struct capture *capture)
{
	struct mvm_buf text = {0};
	char piece[4096];
	ssize_t n;

	fflush(capture->stream);
	dup2(capture->saved, fileno(capture->stream));
	close(capture->saved);
	lseek(capture->file, 0, SEEK_SET);
	while ((n = mvm_read_full(capture->file, piece, sizeof(piece))) > 0)
		mvm_buf_add(&text, piece, (size_t)n);
	close(capture->file);
	return mvm_buf_steal(&text);
}

#endif
