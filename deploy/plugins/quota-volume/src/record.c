/* The record of a volume on disk: what must outlive the process and a reboot. */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* No volume's name begins with a dot. One process at a time has the lock, so one name is enough. */
static const char temporary[] = ".new";

int record_open_dir(const char *root)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", root, RECORD_DIR);
	if (mkdir(path, 0700) && errno != EEXIST)
		return -1;
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* While one version of the plugin takes over from another, two processes serve a root. */
void record_lock(int dir)
{
	while (flock(dir, LOCK_EX) && errno == EINTR)
		;
}

void record_unlock(int dir)
{
	flock(dir, LOCK_UN);
}

static int read_all(int file, struct buf *text)
{
	char part[4096];
	ssize_t got;

	while ((got = read(file, part, sizeof part)) > 0)
		buf_add(text, part, (size_t)got);
	return got < 0 ? errno : 0;
}

/* The fields in the order they are written, then the holders to the end of the text. */
static int parse(const char *text, struct record *record)
{
	int used = 0;

	*record = (struct record){0};
	sscanf(text, "size=%" SCNu64 "\nmode=%o\ncreated=%" SCNd64 "\nholders:%n", &record->size,
	       &record->mode, &record->created, &used);
	if (!used || text[used] != '\n' || !record->size)
		return EINVAL;
	text += used + 1;
	if (*text && text[strlen(text) - 1] != '\n')
		return EINVAL;
	buf_add(&record->holders, text, strlen(text));
	return 0;
}

int record_read(int dir, const char *name, struct record *record)
{
	int file = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct buf text = {0};
	int error;

	if (file < 0)
		return errno;
	error = read_all(file, &text);
	close(file);
	if (!error)
		error = parse(buf_text(&text), record);
	buf_free(&text);
	return error;
}

static int write_all(int file, const struct buf *text)
{
	size_t done = 0;

	while (done < text->len) {
		ssize_t put = write(file, text->data + done, text->len - done);

		if (put < 0)
			return errno;
		done += (size_t)put;
	}
	return fsync(file) ? errno : 0;
}

static int write_temporary(int dir, const struct buf *text)
{
	int file = openat(dir, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int error;

	if (file < 0)
		return errno;
	error = write_all(file, text);
	if (close(file) && !error)
		error = errno;
	return error;
}

int record_write(int dir, const char *name, const struct record *record)
{
	struct buf text = {0};
	int error;

	buf_printf(&text, "size=%" PRIu64 "\nmode=%o\ncreated=%" PRId64 "\nholders:\n%s",
		   record->size, record->mode, record->created, buf_text(&record->holders));
	error = write_temporary(dir, &text);
	buf_free(&text);
	if (!error && (renameat(dir, temporary, dir, name) || fsync(dir)))
		error = errno;
	return error;
}

int record_delete(int dir, const char *name)
{
	if (unlinkat(dir, name, 0) && errno != ENOENT)
		return errno;
	return fsync(dir) ? errno : 0;
}

/* Where the line with id begins, or NULL. */
static char *find_holder(const struct record *record, const char *id)
{
	size_t len = strlen(id);
	char *line = record->holders.data;

	while (line && *line) {
		char *end = strchr(line, '\n');

		if ((size_t)(end - line) == len && !memcmp(line, id, len))
			return line;
		line = end + 1;
	}
	return NULL;
}

bool record_add_holder(struct record *record, const char *id)
{
	if (find_holder(record, id))
		return false;
	buf_printf(&record->holders, "%s\n", id);
	return true;
}

bool record_drop_holder(struct record *record, const char *id)
{
	char *line = find_holder(record, id);
	char *next;

	if (!line)
		return false;
	next = line + strlen(id) + 1;
	record->holders.len -= (size_t)(next - line);
	memmove(line, next, strlen(next) + 1);
	return true;
}

unsigned record_count_holders(const struct record *record)
{
	unsigned count = 0;

	for (const char *c = buf_text(&record->holders); *c; c++)
		count += *c == '\n';
	return count;
}
