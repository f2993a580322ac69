"""The event feed: what has happened on a node, in one order, kept and searchable.

Owns: event.db (the feed's events, and how far each epoch of its sources was taken in), and the
socket of the node's metrics, which it gives to plugins that collect them.
Consumes: store.plugin.changed and volume.volume.changed, each in order; event.feed.read;
store.handler.call.
Emits: event.feed.published, each event once; its stream id is the last event's number.
Never: drops an event silently, numbers one twice, changes one that was published.
"""
