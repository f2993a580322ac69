"""A node's parent for tests: quick to start services again, on a clock that may jump.

`python -m tests.support.storm.parent`; where the file `steps` lies in the exec root, services
count their steps and die where it says: see steps.
"""

from __future__ import annotations

import os
import sys

from services.parent.bootstrap import run
from services.parent.config import ParentConfig, Service
from services.parent.domain.backoff import Backoff
from shared.node.config import NodeConfig
from shared.telemetry import set_up_logs
from tests.support.storm.clock import JumpingClock

_BACKOFF = Backoff(first_s=0.05, cap_s=0.5)


def main() -> int:
    """Run until told to stop."""
    node = NodeConfig.from_env(os.environ)
    node.exec_root.mkdir(mode=0o711, parents=True, exist_ok=True)
    JumpingClock(node.exec_root / "clock").replace()
    set_up_logs("parent")
    config = ParentConfig.of(node)
    services = tuple(map(_stepping, config.services))
    run(ParentConfig(node=node, services=services, backoff=_BACKOFF))
    return 0


def _stepping(service: Service) -> Service:
    return Service(name=service.name, module=f"tests.support.storm.stepping.{service.name}")


if __name__ == "__main__":
    sys.exit(main())
