"""The command `wherry`: brings a node up and down, says how it is, and runs jobs on plugins.

Owns: the log file of a node it starts, and what is left in the exec root after `down`.
Consumes: the gateway's /wherry/v1, lock files, the log, Docker's config.json.
Emits: words for a person, or JSON.
Never: speaks to Redis, touches a plugin's files, stops a plugin itself.
"""
