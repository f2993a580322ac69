/* Sizes as people write them: 64m, 1g, 4096. */
#include "size.h"

#include <inttypes.h>
#include <string.h>

static const char units[] = "kmgt";

static bool shift_of(const char *suffix, unsigned *shift)
{
	const char *unit;

	*shift = 0;
	if (!*suffix)
		return true;
	unit = strchr(units, *suffix | 0x20);
	if (!unit || suffix[1])
		return false;
	*shift = 10 * (unsigned)(unit - units + 1);
	return true;
}

bool size_parse(const char *text, uint64_t *size)
{
	const char *at = text;
	uint64_t number = 0;
	unsigned shift;

	for (; *at >= '0' && *at <= '9'; at++) {
		if (number > (UINT64_MAX - 9) / 10)
			return false;
		number = number * 10 + (uint64_t)(*at - '0');
	}
	/* Half the range is left free, so that rounding up to a page cannot wrap around. */
	if (at == text || !shift_of(at, &shift) || number > (UINT64_MAX >> 1 >> shift))
		return false;
	*size = number << shift;
	return true;
}

void size_print(struct buf *out, uint64_t size)
{
	int unit = -1;

	while (size && size % 1024 == 0 && unit < 3) {
		size /= 1024;
		unit++;
	}
	buf_printf(out, "%" PRIu64, size);
	if (unit >= 0)
		buf_add(out, &units[unit], 1);
}
