"""Log lines, as a service's process writes them."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

from shared.telemetry.logs import LossyLogger

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


class _Disk(io.StringIO):
    """A file that has no room while it is full."""

    is_full = False

    def write(self, text: str, /) -> int:
        if self.is_full:
            raise OSError(28, "No space left on device")
        return super().write(text)


def test_a_full_disk_costs_the_line_alone() -> None:
    """What can't be written is lost; the next line that can says how many were."""
    disk = _Disk()
    logger = LossyLogger(disk)

    logger.info("before")
    disk.is_full = True
    logger.info("meanwhile")
    logger.warning("meanwhile, too")
    disk.is_full = False
    logger.info("after")
    logger.info("and on")

    before, told, *after = disk.getvalue().splitlines()
    assert (before, after) == ("before", ["after", "and on"])
    assert json.loads(told) == {"event": "log lines lost", "level": "warning", "lost": 2}


def test_a_process_goes_on_without_its_log() -> None:
    """A process whose log has no room does its work, in every thread."""
    program = _PROGRAM + "print('done')"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=full, text=True
        )

    assert done.stdout == "done\n"
