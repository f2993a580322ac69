"""Nodes that can be disturbed: services that die on order, a small disk, a clock that jumps."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from tests.support.node import Node, eventually
from tests.support.small_disk import SmallDisk
from tests.support.storm.clock import JumpingClock
from tests.support.storm.steps import Order

_START_LIMIT_S: Final = 180.0
#: Room for what an hour of a storm leaves in the databases, 0.3 GB on a quick machine, and in Redis
#: and its broken copy; few enough inodes to be used up.
_DISK: Final = "size=1g,nr_inodes=20000"


class SteppingNode(Node):
    """A node whose services die where they are told to."""

    PARENT = "tests.support.storm.parent"

    def die(self, order: Order) -> None:
        """Have a service die where the order says, unless it comes not so far."""
        self._died.unlink(missing_ok=True)
        whole = self.exec_root / "die.new"
        whole.write_text(order.to_json())
        whole.rename(self.exec_root / "die")

    def live(self) -> None:
        """Take such an order back."""
        (self.exec_root / "die").unlink(missing_ok=True)

    @property
    def has_died(self) -> bool:
        """Tell whether a service has died by order."""
        return self._died.exists()

    @property
    def died_at(self) -> str:
        """Return the point at which one has died; empty where none has."""
        return self._died.read_text().strip() if self.has_died else ""

    @property
    def _died(self) -> Path:
        return self.exec_root / "died"


class DisturbedNode(SteppingNode):
    """A node whose data root is a small disk; *clock* is what its services go by."""

    def __init__(self, **settings: str) -> None:
        super().__init__(**settings)
        for folder in (self.root, self.exec_root):
            folder.mkdir()
        argv = ["mount", "-t", "tmpfs", "-o", _DISK, "wherry-test", str(self.root)]
        subprocess.run(argv, check=True)
        self.disk = SmallDisk(path=self.root)
        self.clock = JumpingClock(self.exec_root / "clock")

    def wait_healthy(self) -> None:
        """Wait until every service is well; beside clients that go on, a start takes its time."""
        what = f"{self.name} is healthy; look at {self.folder / 'log'}"
        eventually(self._is_healthy, what, limit_s=_START_LIMIT_S)

    def kill(self, *names: str) -> None:
        """Kill -9 those of PROCESSES that run at this moment, and wait for their end."""
        running = self.pids()
        super().kill(*(name for name in names if name in running))

    def feed(self) -> list[dict[str, Any]]:
        """Return all events there are, those too that are of a time to come: the clock jumps."""
        last_seq, feed = self._last_seq(), list[dict[str, Any]]()
        if last_seq:
            with self.http.stream("GET", "/wherry/v1/events", params={"after": "0"}) as stream:
                for line in stream.iter_lines():
                    feed.append(json.loads(line))
                    if feed[-1]["seq"] >= last_seq:
                        break
        assert [event["seq"] for event in feed] == list(range(1, len(feed) + 1))
        return feed

    def _last_seq(self) -> int:
        path = self.root / "event" / "event.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            return int(database.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0])

    def redis(self, *words: str) -> str:
        """Say something to the node's Redis; an error, or no Redis, is no failure."""
        argv = ["redis-cli", "-s", str(self.exec_root / "redis.sock"), *words]
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=20)
        return done.stdout

    def destroy(self) -> None:
        """Leave nothing of the node."""
        self.clock.close()
        super().destroy()
