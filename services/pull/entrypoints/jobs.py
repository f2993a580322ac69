"""What Celery wakes this service for: a worker in a thread beside the event loop.

Celery's threads only wait: each hands its job to the loop as a coroutine. The thread that runs
the worker has no signal handlers; the service's own loop hears SIGTERM and stops it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import CancelledError
from typing import Any, Final

import structlog
from celery import Celery
from celery.concurrency import get_implementation
from celery.exceptions import Reject
from celery.worker import WorkController, state

from services.pull.service.running import JobRunner, StoppingError
from shared.contracts.job import RunJob
from shared.jobs import visibility

log = structlog.get_logger()

#: The consumer looks at least this often whether it is to stop.
_STOP_S: Final = 8.0


def add_task(app: Celery, runner: JobRunner, loop: asyncio.AbstractEventLoop) -> None:
    """Have *app* run jobs on *loop*."""

    @app.task(name=RunJob.TYPE, bind=True, shared=False)  # type: ignore[untyped-decorator]  # Celery has no types
    def run_job(task: Any, **payload: Any) -> None:
        message = RunJob.model_validate(payload)
        headers = task.request.headers or {}
        carrier: Mapping[str, str] = headers.get("trace") or {}
        # One that came back was in a worker's hands meanwhile, and not waiting.
        is_anew = (task.request.delivery_info or {}).get("redelivered")
        queued_at_ns = None if is_anew else headers.get("queued_at_ns")
        job = asyncio.run_coroutine_threadsafe(
            runner.run(message.job_id, carrier, queued_at_ns=queued_at_ns), loop
        )
        try:
            job.result()
        except (StoppingError, CancelledError) as error:
            raise Reject("the worker stops", requeue=True) from error


class WorkerThread:
    """A Celery worker for one queue, in a thread; one a process, for Celery keeps its state so."""

    def __init__(self, app: Celery, *, name: str, concurrency: int) -> None:
        self._app = app
        self._name = name
        self._concurrency = concurrency
        self._thread = threading.Thread(target=self._run, name="celery", daemon=True)
        self._loop = asyncio.get_running_loop()
        self._is_ready = threading.Event()
        #: Set when the worker ended, asked to or not.
        self.ended = asyncio.Event()

    @property
    def is_ready(self) -> bool:
        """Say whether the worker has been connected and still runs."""
        return self._is_ready.is_set() and self._thread.is_alive()

    def start(self) -> None:
        """Start the worker; it connects in its own time, for as long as it takes."""
        state.should_stop = state.should_terminate = None
        self._thread.start()

    async def stop(self) -> None:
        """Stop consuming and wait for the thread, which waits for its tasks."""
        # 0 is an exit status; None would mean: go on.
        state.should_stop = 0
        try:
            async with asyncio.timeout(_STOP_S):
                await self.ended.wait()
        except TimeoutError:
            log.warning(
                "the Celery worker did not end in time; its messages come back by themselves"
            )

    def _run(self) -> None:
        try:
            self._app.finalize()
            # Tasks look for it in the threads of the pool.
            self._app.set_default()
            visibility.add_to(self._app)
            worker = WorkController(
                app=self._app,
                hostname=self._name,
                pool_cls=get_implementation("threads"),
                concurrency=self._concurrency,
                without_mingle=True,
                without_gossip=True,
                without_heartbeat=True,
                ready_callback=lambda _consumer: self._is_ready.set(),
            )
            worker.start()
        except Exception:
            log.exception("the Celery worker failed")
        finally:
            self._loop.call_soon_threadsafe(self.ended.set)
