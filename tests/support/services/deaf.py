"""A service of tests' nodes: deaf, which only SIGKILL ends."""

from __future__ import annotations

from tests.support.services import steady


def main() -> int:
    """Run for ever."""
    return steady.run("deaf", ends=False)
