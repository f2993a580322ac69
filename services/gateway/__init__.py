"""The API gateway: Docker's Engine API and /wherry/v1 in, messages out.

Owns: the node's API sockets; bodies of requests while they are spooled below `<root>/staging`;
  a replica of the inventory in memory, which can be thrown away at any moment.
Consumes: store.plugin.changed, event.feed.published, and what jobs tell while they are followed.
Emits: commands to store, event, executor and pull, on behalf of the client that asked.
Never: decides, keeps state of its own, writes the inventory, runs containers, talks to registries.
"""
