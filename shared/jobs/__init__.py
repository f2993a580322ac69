"""Celery of one node: its queue, its settings, and the client that puts jobs into it."""
