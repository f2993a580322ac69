"""Redis streams as a bus: commands with replies, changes with cursors, progress.

`ports` is what handlers see; `redis_bus` is the bus itself.
"""
