#include "mem.h"

#include <stdio.h>
#include <string.h>

static void out_of_memory(void)
{
	fputs("mvm: out of memory\n", stderr);
	abort();
}

void *mvm_alloc(size_t size)
{
	void *memory = calloc(1, size ? size : 1);

	if (!memory)
		out_of_memory();
	return memory;
}

void *mvm_realloc(void *old, size_t count, size_t size)
{
	size_t bytes;
	void *memory;

	if (!mvm_mul_size(count, size, &bytes))
		out_of_memory();
	memory = realloc(old, bytes ? bytes : 1);
	if (!memory)
		out_of_memory();
	return memory;
}

char *mvm_strndup(const char *text, size_t length)
{
	char *copy = mvm_alloc(length + 1);

	memcpy(copy, text, length);
	return copy;
}

char *mvm_strdup(const char *text)
{
	return text ? mvm_strndup(text, strlen(text)) : NULL;
}

char *mvm_vformat(const char *format, va_list args)
{
	char *text;

	if (vasprintf(&text, format, args) < 0)
		out_of_memory();
	return text;
}

char *mvm_format(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = mvm_vformat(format, args);
	va_end(args);
	return text;
}

void *mvm_buf_reserve(struct mvm_buf *buf, size_t more)
{
	size_t need;

	if (!mvm_add_size(buf->length, more, &need) || !mvm_add_size(need, 1, &need))
		out_of_memory();
	if (need > buf->capacity) {
		size_t capacity = buf->capacity ? buf->capacity : 64;

		while (capacity < need)
			if (!mvm_mul_size(capacity, 2, &capacity))
				out_of_memory();
		buf->data = mvm_realloc(buf->data, capacity, 1);
		buf->capacity = capacity;
	}
	return buf->data + buf->length;
}

void mvm_buf_add(struct mvm_buf *buf, const void *data, size_t length)
{
	char *end = mvm_buf_reserve(buf, length);

	if (length)
		memcpy(end, data, length);
	buf->length += length;
	buf->data[buf->length] = '\0';
}

void mvm_buf_addf(struct mvm_buf *buf, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = mvm_vformat(format, args);
	va_end(args);
	mvm_buf_add(buf, text, strlen(text));
	free(text);
}

void mvm_buf_consume(struct mvm_buf *buf, size_t count)
{
	if (count > buf->length)
		count = buf->length;
	if (!count)
		return;
	memmove(buf->data, buf->data + count, buf->length - count);
	buf->length -= count;
	buf->data[buf->length] = '\0';
}

char *mvm_buf_steal(struct mvm_buf *buf)
{
	char *data;

	mvm_buf_reserve(buf, 0);
	buf->data[buf->length] = '\0';
	data = buf->data;
	*buf = (struct mvm_buf){0};
	return data;
}

void mvm_buf_finish(struct mvm_buf *buf)
{
	free(buf->data);
	*buf = (struct mvm_buf){0};
}

void mvm_strv_take(struct mvm_strv *strv, char *text)
{
	strv->items = mvm_realloc(strv->items, strv->count + 2, sizeof(*strv->items));
	strv->items[strv->count++] = text;
	strv->items[strv->count] = NULL;
}

void mvm_strv_add(struct mvm_strv *strv, const char *text)
{
	mvm_strv_take(strv, mvm_strdup(text));
}

void mvm_strv_addf(struct mvm_strv *strv, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	mvm_strv_take(strv, mvm_vformat(format, args));
	va_end(args);
}

char *mvm_strv_join(const struct mvm_strv *strv, const char *separator)
{
	struct mvm_buf text = {0};

	for (size_t i = 0; i < strv->count; i++)
		mvm_buf_addf(&text, "%s%s", i ? separator : "", strv->items[i]);
	return mvm_buf_steal(&text);
}

bool mvm_strv_has(const struct mvm_strv *strv, const char *text)
{
	for (size_t i = 0; text && i < strv->count; i++)
		if (!strcmp(strv->items[i], text))
			return true;
	return false;
}

void mvm_strv_finish(struct mvm_strv *strv)
{
	for (size_t i = 0; i < strv->count; i++)
		free(strv->items[i]);
	free(strv->items);
	*strv = (struct mvm_strv){0};
}

bool mvm_add_size(size_t a, size_t b, size_t *out)
{
	return !__builtin_add_overflow(a, b, out);
}

bool mvm_mul_size(size_t a, size_t b, size_t *out)
{
	return !__builtin_mul_overflow(a, b, out);
}
