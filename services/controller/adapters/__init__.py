"""The controller's doors to the world: its database, its lease, the other nodes."""
