"""Run the event service: `python -m services.event`."""

from __future__ import annotations

import sys

from services.event.bootstrap import serve
from services.event.config import EventConfig
from shared.node.run import run_service


def main() -> int:
    """Run until told to stop; return the exit status."""
    return run_service("event", EventConfig.load, serve)


if __name__ == "__main__":
    sys.exit(main())
