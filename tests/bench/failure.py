"""How the benchmark fails."""

from __future__ import annotations


class BenchFailed(Exception):
    """Something went wrong; the message says what, why, and what to do next."""
