-- One row, made with the file: a database that replaces another begins a new epoch.
CREATE TABLE epoch (epoch TEXT NOT NULL);
INSERT INTO epoch (epoch) VALUES (lower(hex(randomblob(8))));

-- All that the controller keeps, in one shape, so that those that stand by copy it as it is.
-- kind: services.controller.domain.row.Kind; body: the kind's model as JSON.
CREATE TABLE rows (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, key)
) WITHOUT ROWID;

-- Replies already given, by the id of the command: a redelivered one is answered from here.
CREATE TABLE inbox (
    message_id TEXT PRIMARY KEY,
    reply TEXT NOT NULL,
    at_ns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX inbox_by_time ON inbox (at_ns);

-- What has changed, by revision: committed with the change, published by the relay.
CREATE TABLE outbox (
    revision INTEGER PRIMARY KEY,
    rows TEXT NOT NULL,
    at_ns INTEGER NOT NULL
);
