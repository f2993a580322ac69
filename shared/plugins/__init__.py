"""What a service needs to work with plugins: to look them up, to be told of them, to hear of them.

`lookup` finds those of a capability, `registrar` has the service told of each start of one and
gives its container something, `events` follows what happens to all of them.
"""
