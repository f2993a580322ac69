/* The tmpfs below a volume's name: mount it, look at it, unmount it. */
#ifndef TMPFS_H
#define TMPFS_H

#include <stdbool.h>
#include <stdint.h>

struct tmpfs {
	uint64_t size;
	uint64_t used;
	unsigned mode;
};

/* Each returns 0 or an errno. */
int tmpfs_mount(const char *path, uint64_t size, unsigned mode);
int tmpfs_unmount(const char *path);

/* Whether a tmpfs is mounted at path, and what the kernel says of it. */
bool tmpfs_look(const char *path, struct tmpfs *found);

#endif
