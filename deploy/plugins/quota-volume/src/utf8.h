/* UTF-8: check it, write it. */
#ifndef UTF8_H
#define UTF8_H

#include <stdbool.h>
#include <stddef.h>

bool utf8_valid(const char *text, size_t len);

/* Write one code point (not a surrogate) to out, at most 4 bytes; return how many. */
size_t utf8_encode(unsigned long point, char *out);

#endif
