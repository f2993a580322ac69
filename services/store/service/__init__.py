"""The store's handlers, a module a concern."""
