/*
 * Memory: small allocations that abort when memory runs out, text formatting,
 * growable byte buffers, checked arithmetic and cleanup attributes.
 *
 * A size that comes from a guest, a registry or an archive must be capped by
 * the caller before it gets here.
 */
#ifndef MVM_BASE_MEM_H
#define MVM_BASE_MEM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Zeroed; never NULL. */
void *mvm_alloc(size_t size);
void *mvm_realloc(void *old, size_t count, size_t size);
char *mvm_strdup(const char *text);
char *mvm_strndup(const char *text, size_t length);
char *mvm_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *mvm_vformat(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

/* A growable run of bytes, always followed by a NUL that is not counted. */
struct mvm_buf {
	char *data; /* NULL while empty and never grown */
	size_t length;
	size_t capacity;
};

void mvm_buf_add(struct mvm_buf *buf, const void *data, size_t length);
void mvm_buf_addf(struct mvm_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Room for `more` bytes past the end; the caller fills them and adds to length. */
void *mvm_buf_reserve(struct mvm_buf *buf, size_t more);
/* Drops the first `count` bytes. */
void mvm_buf_consume(struct mvm_buf *buf, size_t count);
/* Hands out the bytes (never NULL) and leaves the buffer empty. */
char *mvm_buf_steal(struct mvm_buf *buf);
void mvm_buf_finish(struct mvm_buf *buf);

/* A NULL-terminated vector of owned strings, fit for argv and envp. */
struct mvm_strv {
	char **items; /* NULL while empty */
	size_t count;
};

void mvm_strv_add(struct mvm_strv *strv, const char *text);
void mvm_strv_take(struct mvm_strv *strv, char *text);
void mvm_strv_addf(struct mvm_strv *strv, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* One text with `separator` between them; the caller's. */
char *mvm_strv_join(const struct mvm_strv *strv, const char *separator);
/* Whether one of them is that text; NULL is none. */
bool mvm_strv_has(const struct mvm_strv *strv, const char *text);
void mvm_strv_finish(struct mvm_strv *strv);

bool mvm_add_size(size_t a, size_t b, size_t *out); /* false where it would wrap */
bool mvm_mul_size(size_t a, size_t b, size_t *out);

static inline void mvm_free_cleanup(void *pointer)
{
	free(*(void **)pointer);
}
/* char *text MVM_CLEAN_FREE = NULL; */
#define MVM_CLEAN_FREE __attribute__((cleanup(mvm_free_cleanup)))
#define MVM_CLEAN_BUF  __attribute__((cleanup(mvm_buf_finish)))
#define MVM_CLEAN_STRV __attribute__((cleanup(mvm_strv_finish)))

#define MVM_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
