"""A service of tests' nodes: second."""

from __future__ import annotations

from tests.support.services import steady


def main() -> int:
    """Run until SIGTERM."""
    return steady.run("second")
