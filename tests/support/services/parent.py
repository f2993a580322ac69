"""A parent of test services: `python -m tests.support.services.parent first deaf`."""

from __future__ import annotations

import os
import sys

from services.parent.bootstrap import run
from services.parent.config import ParentConfig, Service
from services.parent.domain.backoff import Backoff
from shared import errdefs
from shared.node.config import NodeConfig
from shared.telemetry import set_up_logs


def main(names: list[str]) -> int:
    """Run a parent of these services, with pauses that suit a test."""
    set_up_logs("parent")
    services = tuple(Service(name=name, module=f"tests.support.services.{name}") for name in names)
    node = NodeConfig.from_env(os.environ)
    backoff = Backoff(first_s=0.05, cap_s=0.4, lasting_s=60.0)
    try:
        run(ParentConfig(node=node, services=services, backoff=backoff, grace_s=1.0))
    except errdefs.Error as error:
        print(error.message, file=sys.stderr)  # noqa: T201 - as the real parent does
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
