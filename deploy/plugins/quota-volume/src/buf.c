/* A growing byte buffer, and JSON strings written into it. */
#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *must_alloc(void *old, size_t size)
{
	void *memory = realloc(old, size);

	if (!memory) {
		fputs("out of memory\n", stderr);
		exit(1);
	}
	return memory;
}

static void reserve(struct buf *buf, size_t extra)
{
	size_t want = buf->len + extra + 1;

	if (want <= buf->cap)
		return;
	buf->cap = want < 128 ? 128 : want * 2;
	buf->data = must_alloc(buf->data, buf->cap);
}

void buf_add(struct buf *buf, const void *data, size_t len)
{
	reserve(buf, len);
	if (len)
		memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

static void add_formatted(struct buf *buf, const char *format, va_list args)
{
	va_list again;
	int len;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, args);
	if (len > 0) {
		reserve(buf, (size_t)len);
		vsnprintf(buf->data + buf->len, (size_t)len + 1, format, again);
		buf->len += (size_t)len;
	}
	va_end(again);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_formatted(buf, format, args);
	va_end(args);
}

bool fail(struct buf *buf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_formatted(buf, format, args);
	va_end(args);
	return false;
}

void buf_json_string(struct buf *buf, const char *text)
{
	const unsigned char *c = (const unsigned char *)text;

	buf_add(buf, "\"", 1);
	for (; *c; c++) {
		if (*c == '"' || *c == '\\')
			buf_printf(buf, "\\%c", *c);
		else if (*c < 0x20 || *c == 0x7f)
			buf_printf(buf, "\\u%04x", *c);
		else
			buf_add(buf, c, 1);
	}
	buf_add(buf, "\"", 1);
}

void buf_drop_front(struct buf *buf, size_t len)
{
	buf->len -= len;
	memmove(buf->data, buf->data + len, buf->len);
	buf->data[buf->len] = '\0';
}

void buf_free(struct buf *buf)
{
	free(buf->data);
	*buf = (struct buf){0};
}

const char *buf_text(const struct buf *buf)
{
	return buf->data ? buf->data : "";
}
