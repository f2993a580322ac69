-- Root file systems whose plugins are committed, and which may not be on the disk yet.
CREATE TABLE unsynced (
    plugin_id TEXT PRIMARY KEY REFERENCES plugins (plugin_id) ON DELETE CASCADE,
    rootfs TEXT NOT NULL
) WITHOUT ROWID;
