/* A growing byte buffer, and JSON strings written into it. */
#ifndef BUF_H
#define BUF_H

#include <stdbool.h>
#include <stddef.h>

/* Zero-initialised is empty. data is always NUL-terminated once anything was added. */
struct buf {
	char *data;
	size_t len;
	size_t cap;
};

void buf_add(struct buf *buf, const void *data, size_t len);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_json_string(struct buf *buf, const char *text);
void buf_drop_front(struct buf *buf, size_t len);
void buf_free(struct buf *buf);

/* The text held, "" when there is none. */
const char *buf_text(const struct buf *buf);

/* Put an error text into buf and return false, so that callers can `return fail(...)`. */
bool fail(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Memory or death: a plugin without memory is better restarted than half alive. */
void *must_alloc(void *old, size_t size);

#endif
