"""A service of tests' nodes: crashing, which fails as soon as it starts."""

from __future__ import annotations

import os

from shared.node.config import NodeConfig
from tests.support.services import steady


def main() -> int:
    """Fail."""
    steady.note(NodeConfig.from_env(os.environ), "crashing started")
    raise RuntimeError("there is no such thing as a test service that works")
