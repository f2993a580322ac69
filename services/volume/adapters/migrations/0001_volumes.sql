-- One row, made with the file: a database that replaces another begins a new epoch.
CREATE TABLE epoch (epoch TEXT NOT NULL);
INSERT INTO epoch (epoch) VALUES (lower(hex(randomblob(8))));

-- record: services.volume.domain.record.VolumeRecord as JSON.
CREATE TABLE volumes (
    name TEXT PRIMARY KEY,
    record TEXT NOT NULL
) WITHOUT ROWID;

-- What is under way; a volume, made or not, has at most one. operation: record.Operation as JSON.
CREATE TABLE operations (
    name TEXT PRIMARY KEY,
    operation TEXT NOT NULL,
    begun_at_ns INTEGER NOT NULL
) WITHOUT ROWID;

-- Who has a volume mounted. holder: record.Holder as JSON.
CREATE TABLE holders (
    name TEXT NOT NULL REFERENCES volumes (name) ON DELETE CASCADE,
    owner TEXT NOT NULL,
    holder TEXT NOT NULL,
    PRIMARY KEY (name, owner)
) WITHOUT ROWID;

-- Revisions already replied, by the id of the command: a redelivered one is answered from here.
CREATE TABLE inbox (
    message_id TEXT PRIMARY KEY,
    revision INTEGER NOT NULL,
    at_ns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX inbox_by_time ON inbox (at_ns);

-- What has happened, by revision: committed with the change, published by the relay.
CREATE TABLE outbox (
    revision INTEGER PRIMARY KEY,
    facts TEXT NOT NULL,
    at_ns INTEGER NOT NULL
);
