"""The executor service, counting its steps."""

from __future__ import annotations

from tests.support.storm.steps import main_of


def main() -> int:
    """Run it."""
    return main_of("executor")
