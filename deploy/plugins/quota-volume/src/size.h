/* Sizes as people write them: 64m, 1g, 4096. */
#ifndef SIZE_H
#define SIZE_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

/* Parse digits with an optional k, m, g or t (powers of 1024). */
bool size_parse(const char *text, uint64_t *size);

/* The shortest exact spelling, such as 64m. */
void size_print(struct buf *out, uint64_t size);

#endif
