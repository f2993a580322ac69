/* Volumes: what may be done with one, and what it says of itself. */
#include "volume.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "options.h"
#include "record.h"
#include "size.h"
#include "tmpfs.h"

enum { ID_MAX = 255 };

static bool is_name(const char *name)
{
	size_t len = strlen(name);

	if (!len || len > VOLUME_NAME_MAX || !isalnum((unsigned char)*name))
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("_.-", *name))
			return false;
	return true;
}

static bool check_name(const char *name, struct buf *why)
{
	if (is_name(name))
		return true;
	return fail(why,
		    "volume name \"%s\" is not allowed: use up to %d letters, digits, '_', '.' "
		    "and '-', a letter or digit first",
		    name, VOLUME_NAME_MAX);
}

/* Ids are lines of the record, so none may hold a line's end. */
static bool check_id(const char *id, struct buf *why)
{
	size_t len = strlen(id);

	for (const char *c = id; *c; c++)
		if (iscntrl((unsigned char)*c))
			len = 0;
	if (len && len <= ID_MAX)
		return true;
	return fail(why, "ID is not usable: give 1 to %d printable characters", ID_MAX);
}

void volume_path(const struct volumes *all, const char *name, struct buf *path)
{
	buf_printf(path, "%s/%s", all->root, name);
}

static bool look(const struct volumes *all, const char *name, struct tmpfs *found)
{
	struct buf path = {0};
	bool mounted;

	volume_path(all, name, &path);
	mounted = tmpfs_look(path.data, found);
	buf_free(&path);
	return mounted;
}

/*
 * Read a volume's record. Ids of a volume whose mount is gone are forgotten: nothing can hold
 * what went with a reboot, and a volume no one can ever let go of could never be removed.
 */
static int load(const struct volumes *all, const char *name, struct record *record,
		struct tmpfs *mount, bool *mounted)
{
	int error = record_read(all->records, name, record);

	if (error)
		return error;
	*mounted = look(all, name, mount);
	if (!*mounted)
		buf_free(&record->holders);
	return 0;
}

static bool unreadable(const char *name, int error, struct buf *why)
{
	if (error == ENOENT)
		return fail(why, "no such volume: %s", name);
	if (error == EINVAL)
		return fail(why,
			    "the record of volume %s is damaged: delete .state/%s below the "
			    "propagated mount and create the volume again",
			    name, name);
	return fail(why, "the record of volume %s cannot be read: %s", name, strerror(error));
}

static bool save(const struct volumes *all, const char *name, const struct record *record,
		 struct buf *why)
{
	int error = record_write(all->records, name, record);

	if (!error)
		return true;
	return fail(why, "the record of volume %s cannot be written: %s", name, strerror(error));
}

/* A Create that is repeated finds its volume; one that asks for something else is refused. */
static bool same_options(const char *name, const struct record *record,
			 const struct options *options, struct buf *why)
{
	if (options->size_given && options->size != record->size) {
		fail(why, "volume %s exists with size ", name);
		size_print(why, record->size);
		return fail(why, ": remove it first, or leave the size out");
	}
	if (options->mode_given && options->mode != record->mode)
		return fail(why,
			    "volume %s exists with mode %04o: remove it first, or leave the mode out",
			    name, record->mode);
	return true;
}

bool volume_create(const struct volumes *all, const char *name, const struct json *given,
		   struct buf *why)
{
	struct options options;
	struct record record;
	int error;
	bool done;

	if (!check_name(name, why) || !options_read(all, given, &options, why))
		return false;
	error = record_read(all->records, name, &record);
	if (error == ENOENT) {
		record = (struct record){
			.size = options.size, .mode = options.mode, .created = time(NULL)};
		return save(all, name, &record, why);
	}
	if (error)
		return unreadable(name, error, why);
	done = same_options(name, &record, &options, why);
	buf_free(&record.holders);
	return done;
}

static bool mount_volume(const struct volumes *all, const char *name, const struct record *record,
			 struct buf *why)
{
	struct buf path = {0};
	int error;

	volume_path(all, name, &path);
	error = tmpfs_mount(path.data, record->size, record->mode);
	buf_free(&path);
	if (!error)
		return true;
	if (error == EPERM)
		return fail(why,
			    "volume %s cannot be mounted: the plugin lacks CAP_SYS_ADMIN; install it "
			    "again and grant it",
			    name);
	return fail(why, "volume %s cannot be mounted: %s", name, strerror(error));
}

bool volume_mount(const struct volumes *all, const char *name, const char *id, struct buf *why)
{
	struct record record;
	struct tmpfs mount;
	bool mounted, done;
	int error;

	if (!check_name(name, why) || !check_id(id, why))
		return false;
	error = load(all, name, &record, &mount, &mounted);
	if (error)
		return unreadable(name, error, why);
	done = mounted || mount_volume(all, name, &record, why);
	if (done && record_add_holder(&record, id))
		done = save(all, name, &record, why);
	buf_free(&record.holders);
	return done;
}

bool volume_unmount(const struct volumes *all, const char *name, const char *id, struct buf *why)
{
	struct record record;
	struct tmpfs mount;
	bool mounted, done = true;
	int error;

	if (!check_name(name, why) || !check_id(id, why))
		return false;
	error = load(all, name, &record, &mount, &mounted);
	if (error)
		return unreadable(name, error, why);
	if (record_drop_holder(&record, id))
		done = save(all, name, &record, why);
	buf_free(&record.holders);
	return done;
}

static bool unmount_volume(const char *path, const char *name, struct buf *why)
{
	int error = tmpfs_unmount(path);

	if (!error)
		return true;
	if (error == EBUSY)
		return fail(why,
			    "volume %s is busy: a process on the host has files open in it; end it "
			    "and try again",
			    name);
	return fail(why, "volume %s cannot be unmounted: %s", name, strerror(error));
}

static bool remove_mountpoint(const char *path, const char *name, struct buf *why)
{
	if (!rmdir(path) || errno == ENOENT)
		return true;
	return fail(why, "the mountpoint of volume %s cannot be removed: %s; look into it on the host",
		    name, strerror(errno));
}

/* The record goes last: a remove that is cut short leaves a volume that can be removed again. */
static bool take_down(const struct volumes *all, const char *name, bool mounted, struct buf *why)
{
	struct buf path = {0};
	bool done;
	int error;

	volume_path(all, name, &path);
	done = (!mounted || unmount_volume(path.data, name, why)) &&
	       remove_mountpoint(path.data, name, why);
	buf_free(&path);
	if (!done)
		return false;
	error = record_delete(all->records, name);
	if (!error)
		return true;
	return fail(why, "the record of volume %s cannot be deleted: %s", name, strerror(error));
}

bool volume_remove(const struct volumes *all, const char *name, struct buf *why)
{
	struct record record;
	struct tmpfs mount;
	unsigned holders;
	bool mounted;
	int error;

	if (!check_name(name, why))
		return false;
	error = load(all, name, &record, &mount, &mounted);
	if (error)
		return unreadable(name, error, why);
	holders = record_count_holders(&record);
	buf_free(&record.holders);
	if (holders)
		return fail(why,
			    "volume %s is in use by %u mount%s: remove the containers that use it "
			    "first",
			    name, holders, holders == 1 ? "" : "s");
	return take_down(all, name, mounted, why);
}

enum lookup volume_get(const struct volumes *all, const char *name, struct volume *found,
		       struct buf *why)
{
	struct tmpfs mount = {0};
	struct record record;
	bool mounted;
	int error;

	if (!is_name(name))
		return LOOKUP_ABSENT;
	error = load(all, name, &record, &mount, &mounted);
	if (error == ENOENT)
		return LOOKUP_ABSENT;
	if (error) {
		unreadable(name, error, why);
		return LOOKUP_FAILED;
	}
	*found = (struct volume){
		.size = mounted ? mount.size : record.size,
		.used = mount.used,
		.mode = mounted ? mount.mode : record.mode,
		.created = record.created,
		.holders = record_count_holders(&record),
		.mounted = mounted,
	};
	buf_free(&record.holders);
	return LOOKUP_FOUND;
}

static int is_volume_entry(const struct dirent *entry)
{
	return is_name(entry->d_name);
}

bool volume_each(const struct volumes *all, void (*visit)(const char *name, void *context),
		 void *context, struct buf *why)
{
	struct dirent **entries;
	char folder[PATH_MAX];
	int count;

	snprintf(folder, sizeof folder, "%s/%s", all->root, RECORD_DIR);
	count = scandir(folder, &entries, is_volume_entry, alphasort);
	if (count < 0)
		return fail(why, "volumes cannot be listed: %s", strerror(errno));
	for (int i = 0; i < count; i++) {
		visit(entries[i]->d_name, context);
		free(entries[i]);
	}
	free(entries);
	return true;
}

/*
 * Who holds an adopted volume is not known. It gets no holders: a container that uses it has a
 * mount of its own, which keeps the data for it even if the volume is removed meanwhile.
 */
static bool adopt(const struct volumes *all, const char *name, struct buf *why)
{
	struct record record;
	struct tmpfs mount;
	int error;

	if (!is_name(name) || !look(all, name, &mount))
		return true;
	error = record_read(all->records, name, &record);
	if (!error)
		buf_free(&record.holders);
	if (error != ENOENT)
		return true;
	record = (struct record){.size = mount.size, .mode = mount.mode, .created = time(NULL)};
	printf("adopted volume %s, found mounted without a record\n", name);
	return save(all, name, &record, why);
}

bool volume_adopt(const struct volumes *all, struct buf *why)
{
	DIR *root = opendir(all->root);
	const struct dirent *entry;
	bool done = true;

	if (!root)
		return fail(why, "%s cannot be read: %s", all->root, strerror(errno));
	while (done && (entry = readdir(root)))
		done = adopt(all, entry->d_name, why);
	closedir(root);
	return done;
}
