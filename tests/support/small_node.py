"""A node of test services for one test: short folders, its processes, and nothing left behind."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from shared.node.lock import read_holder
from tests.support.node import parent_of
from tests.support.services import late, steady

_LIMIT_S = 60.0


class SmallNode:
    """Parents of test services on temporary roots; a context manager that ends all it started."""

    def __init__(self) -> None:
        # A short path: AF_UNIX ends at 107 bytes, and pytest's tmp_path may be longer.
        self.folder = Path(tempfile.mkdtemp(prefix="wherry-node-"))
        self.root = self.folder / "root"
        self.exec_root = self.folder / "x"
        self.env = {key: value for key, value in os.environ.items() if "WHERRY" not in key} | {
            "WHERRY_ROOT": str(self.root),
            "WHERRY_EXEC_ROOT": str(self.exec_root),
            "WHERRY_NODE": "test",
        }
        self._parents: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        """Give the node, nothing of which runs yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill the parents, then all that holds a lock, and remove the folders."""
        for parent in self._parents:
            parent.kill()
            parent.wait(timeout=_LIMIT_S)
        until(self._are_ended)
        shutil.rmtree(self.folder)

    def _are_ended(self) -> bool:
        """Kill who holds a lock; one that was forked a moment ago may take its lock only now."""
        holders = [read_holder(lock) for lock in (self.exec_root / "locks").glob("*.lock")]
        for holder in filter(None, holders):
            with contextlib.suppress(ProcessLookupError):
                os.kill(holder.pid, signal.SIGKILL)
        return not any(holders)

    def start(self, *services: str) -> subprocess.Popen[bytes]:
        """Start a parent of these services, its log in the node's folder."""
        with self.log_path.open("ab") as log:
            parent = subprocess.Popen(
                [sys.executable, "-m", "tests.support.services.parent", *services],
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._parents.append(parent)
        return parent

    @contextlib.contextmanager
    def alone(self, service: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a service without a parent, as another supervisor does, in this block."""
        code = f"from tests.support.services import {service}; {service}.main()"
        argv = [sys.executable, "-c", code]
        self.root.mkdir(mode=0o700, exist_ok=True)
        with self.log_path.open("ab") as log:
            process = subprocess.Popen(argv, env=self.env, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait(timeout=_LIMIT_S)

    def waiting(self) -> list[int]:
        """Return the pids of the late services that wait, oldest first."""
        return [int(line.split()[1]) for line in self.journal() if line.endswith("waits")]

    def let_go_on(self, pid: int | None = None) -> None:
        """Let one of them take its lock, or all and those that come."""
        late.gate(self.root, pid).touch()

    def until_runs(self, *names: str) -> dict[str, int]:
        """Wait until these hold their locks and return their pids."""
        until(lambda: set(names) <= set(self.held()), self.explain)
        return {name: self.pid(name) for name in names}

    def held(self) -> list[str]:
        """Return the names of the locks that are held and described."""
        locks = sorted((self.exec_root / "locks").glob("*.lock"))
        return [lock.stem for lock in locks if read_holder(lock) is not None]

    def pid(self, name: str) -> int:
        """Return who holds a lock."""
        holder = read_holder(self.exec_root / "locks" / f"{name}.lock")
        assert holder is not None, f"nobody holds {name}"
        return holder.pid

    def is_child(self, name: str, parent: int) -> bool:
        """Tell whether who holds a lock is a child of *parent*."""
        holder = read_holder(self.exec_root / "locks" / f"{name}.lock")
        return holder is not None and parent_of(holder.pid) == parent

    @property
    def log_path(self) -> Path:
        """The parents' log."""
        return self.folder / "log"

    def log(self, event: str, **wanted: Any) -> list[dict[str, Any]]:
        """Return the log's lines of this event with these values."""
        lines = [line for line in self.log_path.read_text().splitlines() if line.startswith("{")]
        entries: list[dict[str, Any]] = [json.loads(line) for line in lines]
        return [entry for entry in entries if {**entry, **wanted, "event": event} == entry]

    def journal(self) -> list[str]:
        """Return what the services wrote, in order."""
        path = steady.journal(self.root)
        return path.read_text().splitlines() if path.exists() else []

    def explain(self) -> str:
        """Return what a failed wait should show."""
        return self.log_path.read_text()[-3000:]


def until(holds: Callable[[], bool], explain: Callable[[], str] = str) -> None:
    """Wait until something holds; fails the test when it takes too long."""
    deadline = time.monotonic() + _LIMIT_S
    while not holds():
        assert time.monotonic() < deadline, f"did not come to hold in time: {explain()}"
        time.sleep(0.01)
