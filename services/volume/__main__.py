"""Run the volume service: `python -m services.volume`."""

from __future__ import annotations

import sys

from services.volume.bootstrap import serve
from services.volume.config import VolumeConfig
from shared.node.run import run_service


def main() -> int:
    """Run until told to stop; return the exit status."""
    return run_service("volume", VolumeConfig.load, serve)


if __name__ == "__main__":
    sys.exit(main())
