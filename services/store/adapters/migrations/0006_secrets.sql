-- Secrets of plugins, sealed to the executor's key: nobody else can open what lies here.
CREATE TABLE secrets (
    name TEXT PRIMARY KEY,
    -- shared.contracts.sealed.SealedSecret as JSON.
    secret TEXT NOT NULL,
    created_at_ns INTEGER NOT NULL,
    changed_at_ns INTEGER NOT NULL
) WITHOUT ROWID;
