"""Log lines, as a service's process writes them."""

from __future__ import annotations

import json
import subprocess
import sys

_PROGRAM = """
import threading
import structlog
from shared.telemetry.logs import set_up_logs
set_up_logs("pull")
structlog.get_logger().info("first")
thread = threading.Thread(target=structlog.get_logger().info, args=("second",))
thread.start()
thread.join()
structlog.get_logger().info("third", service="another")
"""


def test_every_line_names_its_service() -> None:
    """Lines of any thread name the service, unless they name another themselves."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True
    )

    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["event"], line["service"]) for line in lines] == [
        ("first", "pull"),
        ("second", "pull"),
        ("third", "another"),
    ]
