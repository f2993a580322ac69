/* Volumes: what may be done with one, and what it says of itself. */
#ifndef VOLUME_H
#define VOLUME_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "json.h"

enum { VOLUME_NAME_MAX = 255 };

/* Where volumes live and how large they may be. Nothing else is held in memory: the records and
 * the mounts themselves are the truth, so a restart has nothing to lose. */
struct volumes {
	char root[PATH_MAX - VOLUME_NAME_MAX - 8];
	int records;
	uint64_t default_size;
	uint64_t max_size;
};

struct volume {
	uint64_t size;
	uint64_t used;
	unsigned mode;
	int64_t created;
	unsigned holders;
	bool mounted;
};

enum lookup { LOOKUP_FOUND, LOOKUP_ABSENT, LOOKUP_FAILED };

/* Each returns false with the reason in why. All but remove are safe to repeat. */
bool volume_create(const struct volumes *all, const char *name, const struct json *options,
		   struct buf *why);
bool volume_mount(const struct volumes *all, const char *name, const char *id, struct buf *why);
bool volume_unmount(const struct volumes *all, const char *name, const char *id, struct buf *why);
bool volume_remove(const struct volumes *all, const char *name, struct buf *why);

enum lookup volume_get(const struct volumes *all, const char *name, struct volume *found,
		       struct buf *why);

/* Call visit with the name of each volume, in the order of their names. */
bool volume_each(const struct volumes *all, void (*visit)(const char *name, void *context),
		 void *context, struct buf *why);

void volume_path(const struct volumes *all, const char *name, struct buf *path);

/* Write records for volumes that are mounted but have none. */
bool volume_adopt(const struct volumes *all, struct buf *why);

#endif
