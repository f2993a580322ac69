"""The handlers, a module a concern."""
