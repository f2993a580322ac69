"""A worker of jobs as a process, whose jobs only say that they run and wait to be let go.

`python -m tests.support.celery_worker <redis url> <folder> <visibility seconds>`: a job appends
`began <id> <pid> <traceparent>` to `<folder>/log`, waits for `<folder>/<id>.go`, and appends
`ended <id> <pid>`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from services.pull.entrypoints.jobs import WorkerThread, add_task
from services.pull.service.running import JobRunner, StoppingError
from shared.jobs.app import make_app
from tests.support.wait import eventually

NODE = "n1"
_CONCURRENCY = 2
_LONGEST_S = 100.0


class WaitingRunner:
    """Runs jobs that wait."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(
        self, job_id: str, carrier: Mapping[str, str], *, queued_at_ns: int | None
    ) -> None:
        """Say so, and wait."""
        task = asyncio.create_task(self._wait(job_id, carrier))
        self._tasks.add(task)
        try:
            await task
        except asyncio.CancelledError as error:
            raise StoppingError from error

    def stop(self) -> None:
        """Cancel all."""
        for task in self._tasks:
            task.cancel()

    async def _wait(self, job_id: str, carrier: Mapping[str, str]) -> None:
        self._say(f"began {job_id} {os.getpid()} {carrier.get('traceparent', '-')}")
        await eventually((self._folder / f"{job_id}.go").exists, limit_s=_LONGEST_S)
        self._say(f"ended {job_id} {os.getpid()}")

    def _say(self, line: str) -> None:
        with (self._folder / "log").open("a") as log:
            log.write(line + "\n")


async def _main(redis_url: str, folder: Path, visibility_s: int) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    runner = WaitingRunner(folder)
    app = make_app(redis_url=redis_url, node=NODE, visibility_s=visibility_s)
    add_task(app, cast("JobRunner", runner), loop)
    worker = WorkerThread(app, name="worker", concurrency=_CONCURRENCY)
    worker.start()
    await stop.wait()
    runner.stop()
    await worker.stop()


class Workers:
    """Makes worker processes on one folder; a context manager that ends all it started."""

    def __init__(self, redis_url: str, visibility_s: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="wherry-workers-"))
        self._url = redis_url
        self._visibility_s = visibility_s
        self._made: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        """Do nothing."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill the workers and remove the folder."""
        for process in self._made:
            process.kill()
            process.wait()
        for path in self.folder.iterdir():
            path.unlink()
        self.folder.rmdir()

    def start(self) -> subprocess.Popen[bytes]:
        """Start one; it takes jobs in its own time."""
        argv = [sys.executable, "-m", "tests.support.celery_worker"]
        arguments = [self._url, str(self.folder), str(self._visibility_s)]
        self._made.append(subprocess.Popen([*argv, *arguments]))
        return self._made[-1]

    def let_go(self, job_id: str) -> None:
        """Let a job end."""
        (self.folder / f"{job_id}.go").touch()

    def said(self, word: str, job_id: str = "") -> list[list[str]]:
        """Return the lines about a job, or all jobs, that begin with *word*."""
        log = self.folder / "log"
        lines = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
        return [line for line in lines if line[0] == word and job_id in ("", line[1])]


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
