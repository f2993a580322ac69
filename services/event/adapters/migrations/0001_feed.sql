-- One row, made with the file: a feed that replaces another numbers its events anew.
-- probes: counted up to see whether the file takes writes.
CREATE TABLE feed (epoch TEXT NOT NULL, probes INTEGER NOT NULL);
INSERT INTO feed (epoch, probes) VALUES (lower(hex(randomblob(8))), 0);

-- How far each epoch of the store was taken in; ordinal: the order in which they appeared.
CREATE TABLE positions (
    ordinal INTEGER PRIMARY KEY,
    epoch TEXT NOT NULL UNIQUE,
    revision INTEGER NOT NULL
);

-- The feed, which is its own outbox. source_*: where an event came from, so that none is doubled.
-- body: shared.contracts.event.FeedEvent as JSON; time_ns is lifted out to be searched.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    source_epoch TEXT NOT NULL,
    source_revision INTEGER NOT NULL,
    source_index INTEGER NOT NULL,
    time_ns INTEGER NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (source_epoch, source_revision, source_index)
);
