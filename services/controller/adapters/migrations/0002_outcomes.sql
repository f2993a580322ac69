-- What became of commands that answer to an Idempotency-Key, by the id that the key gives them.
CREATE TABLE outcomes (
    message_id TEXT PRIMARY KEY,
    -- Digest of the command: a key stands for one request.
    asked TEXT NOT NULL,
    -- JSON of the reply, or of the error; both empty while it is not known.
    reply TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '',
    at_ns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX outcomes_by_time ON outcomes (at_ns);
