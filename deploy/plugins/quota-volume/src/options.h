/* The options of Create: size and mode. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "volume.h"

struct options {
	uint64_t size; /* a whole number of pages */
	unsigned mode;
	bool size_given;
	bool mode_given;
};

/* Read the options, taking defaults for what is not given; false with the reason in why. */
bool options_read(const struct volumes *all, const struct json *given, struct options *options,
		  struct buf *why);

#endif
