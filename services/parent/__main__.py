"""Run a node's processes in the foreground: `python -m services.parent`."""

from __future__ import annotations

import os
import sys

import setproctitle

from shared.node import lean  # noqa: F401 - before whatever else imports structlog

# isort: split
from services.parent.bootstrap import run
from services.parent.config import ParentConfig
from shared import errdefs
from shared.node.config import NodeConfig
from shared.telemetry import set_up_logs


def main() -> int:
    """Run until told to stop; return the exit status."""
    setproctitle.setproctitle("wherry-parent")
    set_up_logs("parent")
    try:
        is_guarded = bool(os.environ.get("WHERRY_AUTHORIZATION_PLUGINS"))
        run(ParentConfig.of(NodeConfig.from_env(os.environ), is_guarded=is_guarded))
    except errdefs.Error as error:
        print(f"wherry: {error.message}", file=sys.stderr)  # noqa: T201 - for a person
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
