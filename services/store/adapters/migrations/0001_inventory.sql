-- One row, made with the file: a database that replaces another begins a new epoch.
CREATE TABLE epoch (epoch TEXT NOT NULL);
INSERT INTO epoch (epoch) VALUES (lower(hex(randomblob(8))));

-- record: shared.contracts.plugin.Plugin as JSON; name is lifted out so that it is unique.
CREATE TABLE plugins (
    plugin_id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    record TEXT NOT NULL
) WITHOUT ROWID;

-- What is under way; a plugin has at most one. The token fences off whoever held it before.
CREATE TABLE operations (
    token INTEGER PRIMARY KEY AUTOINCREMENT,
    plugin_id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    message_id TEXT NOT NULL,
    container_id TEXT,
    begun_at_ns INTEGER NOT NULL
);

-- Replies already given, by the id of the command: a redelivered command is answered from here.
CREATE TABLE inbox (
    message_id TEXT PRIMARY KEY,
    reply TEXT NOT NULL,
    at_ns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX inbox_by_time ON inbox (at_ns);

-- What has changed, by revision: committed with the change, published by the relay.
CREATE TABLE outbox (
    revision INTEGER PRIMARY KEY,
    message TEXT NOT NULL,
    at_ns INTEGER NOT NULL
);
