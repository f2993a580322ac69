/* The record of a volume on disk: what must outlive the process and a reboot. */
#ifndef RECORD_H
#define RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

/* The folder of records, below the root; hidden, since no volume's name begins with a dot. */
#define RECORD_DIR ".state"

struct record {
	uint64_t size;
	unsigned mode;
	int64_t created;   /* seconds since the epoch */
	struct buf holders; /* the ids that hold the volume, each ended by a newline */
};

/* Open the folder of records below root, making it when it is missing; -1 and errno on failure. */
int record_open_dir(const char *root);

/* Keep other processes that serve the same root out, from one to the other. */
void record_lock(int dir);
void record_unlock(int dir);

/* Read a record; 0 or an errno, ENOENT when there is none, EINVAL when it is damaged. */
int record_read(int dir, const char *name, struct record *record);

/* Replace a record in one step that a crash cannot tear; 0 or an errno. */
int record_write(int dir, const char *name, const struct record *record);
int record_delete(int dir, const char *name);

/* Each returns whether the record changed. */
bool record_add_holder(struct record *record, const char *id);
bool record_drop_holder(struct record *record, const char *id);

unsigned record_count_holders(const struct record *record);

#endif
