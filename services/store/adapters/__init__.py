"""The store's doors to the world: its database and the disk."""
