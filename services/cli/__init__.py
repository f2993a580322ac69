"""The command `wherry`: brings a node up and down, and says how it is.

Owns: the log file of a node it starts, and what is left in the exec root after `down`.
Consumes: the gateway's /wherry/v1, lock files, the log.
Emits: words for a person, or JSON.
Never: speaks to Redis, touches a plugin's files, stops a plugin itself.
"""
