"""Calls into a plugin's socket, of managed plugins and of Docker's legacy ones (v1).

`client` calls one plugin: a deadline per call, Docker's retries, a breaker, a cap on calls under
way. `endpoints` keeps one client a plugin. `lookup` finds plugins by name and capability, and
`legacy` those that run beside the engine. `scope` says where a path that a plugin names lies.
"""
