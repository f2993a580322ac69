"""The volumes of a node: what exists by name, whichever driver keeps the data.

Owns: volume.db (volumes, operations under way, mounts, inbox, outbox), `<root>/volumes`, and the
    mounts below it.
Consumes: volume.*, and the store's changes, to hold plugins that it uses.
Emits: volume.volume.changed, once per revision, in order; leases on plugins, at the store.
Never: runs a container, writes the inventory, lets one driver hold up another.
"""
