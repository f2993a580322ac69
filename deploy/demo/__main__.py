"""Run the demo: `python -m deploy.demo`."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import NoReturn

from deploy.demo import leftovers, screen, steps
from deploy.demo.failure import DemoFailed
from deploy.demo.node import Node
from deploy.demo.otlp import Receiver


def main() -> int:
    """Show everything, clean up whatever happens, and return the exit status."""
    if os.geteuid() != 0:
        screen.failure("needs root, because runc does: try `sudo make demo`")
        return 1
    signal.signal(signal.SIGTERM, _interrupt)
    # Short: paths of unix sockets end at 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="wherry-", dir="/tmp"))
    with Receiver() as receiver:
        node = Node(folder=folder, name=f"demo-{os.getpid()}", traces_to=receiver.endpoint)
        return _play(node, receiver)


def _play(node: Node, receiver: Receiver) -> int:
    try:
        with leftovers.cleared(node.folder, node.cgroup):
            steps.play(node, receiver)
    except DemoFailed as error:
        screen.failure(str(error))
        return 1
    except KeyboardInterrupt:
        screen.failure("interrupted; everything was cleaned up")
        return 1
    screen.remark("That was Wherry. `make up` starts it for good; README.md says what next.")
    return 0


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
