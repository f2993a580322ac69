"""Run the controller: `python -m services.controller`."""

from __future__ import annotations

import sys

from services.controller.bootstrap import serve
from services.controller.config import ControllerConfig
from shared.node.run import run_service


def main() -> int:
    """Run until told to stop; return the exit status."""
    return run_service("controller", ControllerConfig.load, serve)


if __name__ == "__main__":
    sys.exit(main())
