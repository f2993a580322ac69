-- Who asked the API for what. body: shared.contracts.audit.RequestAudited as JSON, as it was
-- hashed; hash: SHA-256 over the hash before, seq and body. message_id: so that none is doubled.
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL,
    hash TEXT NOT NULL
);

-- One row: where the chain begins. What is deleted for its age moves it on.
CREATE TABLE audit_start (seq INTEGER NOT NULL, hash TEXT NOT NULL);
INSERT INTO audit_start (seq, hash) VALUES (0, lower(hex(randomblob(32))));
