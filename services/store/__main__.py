"""Run the store: `python -m services.store`."""

from __future__ import annotations

import sys

from services.store.bootstrap import serve
from services.store.config import StoreConfig
from shared.node.run import run_service


def main() -> int:
    """Run until told to stop; return the exit status."""
    return run_service("store", StoreConfig.load, serve)


if __name__ == "__main__":
    sys.exit(main())
