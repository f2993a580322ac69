"""Run the pull service: `python -m services.pull`."""

from __future__ import annotations

import sys

import uvloop

from services.pull.bootstrap import serve
from services.pull.config import PullConfig
from shared.node.run import run_service


def main() -> int:
    """Run until told to stop; return the exit status."""
    return run_service("pull", PullConfig.load, serve, uvloop.new_event_loop)


if __name__ == "__main__":
    sys.exit(main())
