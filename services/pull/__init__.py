"""The pull service: the only one that speaks to registries.

Owns      The registry client (`adapters/registry`): connections, tokens, and what it has staged of
          content that is not yet the store's.
Consumes  Jobs for pull, push and upgrade; short questions about privileges,
          archives and logins.
Emits     Progress of its jobs, and the results that the store commits.
Never     Writes the inventory, unpacks into a plugin's folder that is in use, fetches a layer of
          what the trust or privilege policy refuses, keeps credentials longer than the job they
          came with, or sends them to a host they were not given for.
"""
