"""The store: the inventory of a node's plugins, and what is wished of them.

Owns: store.db (plugins, leases, operations, inbox, outbox), the content store, plugins' folders.
Consumes: store.plugin.*, store.reference.*, store.inventory.get, store.node.shutdown, the
    executor's facts.
Emits: store.plugin.changed, once per revision, in order.
Never: runs a container, speaks to a registry, trusts a path in an archive.
"""
