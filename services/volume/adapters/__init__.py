"""The service's doors to the world: its database, the disk, the mount table, plugins."""
