"""How a demo ends before its time."""

from __future__ import annotations


class DemoFailed(Exception):
    """A step did not go as it should; the message says which, why, and what to look at."""
