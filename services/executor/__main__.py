"""Run the executor: `python -m services.executor`."""

from __future__ import annotations

import sys

from services.executor.bootstrap import serve
from services.executor.config import ExecutorConfig
from shared.node.run import run_service


def main() -> int:
    """Run until told to stop; return the exit status."""
    return run_service("executor", ExecutorConfig.load, serve)


if __name__ == "__main__":
    sys.exit(main())
