/* The tmpfs below a volume's name: mount it, look at it, unmount it. */
#include "tmpfs.h"

#include <errno.h>
#include <limits.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

enum {
	TMPFS_MAGIC_NUMBER = 0x01021994, /* linux/magic.h, which musl does not bring */
	BYTES_PER_INODE = 4096,
	INODES_MIN = 1024,
};

/*
 * Empty files cost kernel memory too, about 1 KiB each, and are not counted against size.
 * One inode per 4 KiB keeps a volume of a given size from eating many times that.
 */
static uint64_t inodes_for(uint64_t size)
{
	return size / BYTES_PER_INODE + INODES_MIN;
}

int tmpfs_mount(const char *path, uint64_t size, unsigned mode)
{
	char options[128];

	if (mkdir(path, 0700) && errno != EEXIST)
		return errno;
	snprintf(options, sizeof options, "size=%" PRIu64 ",nr_inodes=%" PRIu64 ",mode=%o", size,
		 inodes_for(size), mode);
	if (mount("quota-volume", path, "tmpfs", MS_NOSUID | MS_NODEV, options))
		return errno;
	return 0;
}

int tmpfs_unmount(const char *path)
{
	return umount2(path, UMOUNT_NOFOLLOW) ? errno : 0;
}

/* A mountpoint is on another device than the entry "..", which stays with its parent. */
static bool is_mountpoint(const char *path, struct stat *here)
{
	char parent[PATH_MAX];
	struct stat above;

	snprintf(parent, sizeof parent, "%s/..", path);
	return !lstat(path, here) && S_ISDIR(here->st_mode) && !lstat(parent, &above) &&
	       here->st_dev != above.st_dev;
}

bool tmpfs_look(const char *path, struct tmpfs *found)
{
	struct statfs fs;
	struct stat here;

	if (!is_mountpoint(path, &here) || statfs(path, &fs) || fs.f_type != TMPFS_MAGIC_NUMBER)
		return false;
	*found = (struct tmpfs){
		.size = (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize,
		.used = (uint64_t)(fs.f_blocks - fs.f_bfree) * (uint64_t)fs.f_bsize,
		.mode = here.st_mode & 07777,
	};
	return true;
}
