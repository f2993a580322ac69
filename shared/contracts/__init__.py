"""The messages that pass over the bus, by owner: the service that handles or publishes them.

A field may be added with a default; anything else is a new version beside the old one.
"""
