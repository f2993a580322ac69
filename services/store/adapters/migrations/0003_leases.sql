-- Who holds a plugin: once per owner, and no longer than the plugin is there.
CREATE TABLE leases (
    plugin_id TEXT NOT NULL REFERENCES plugins (plugin_id) ON DELETE CASCADE,
    owner TEXT NOT NULL,
    -- shared.contracts.reference.Reference as JSON.
    record TEXT NOT NULL,
    PRIMARY KEY (plugin_id, owner)
) WITHOUT ROWID;
