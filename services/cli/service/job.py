"""Long work: begun, watched to its end, cancelled by Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from services.cli.domain.job import Job, Step
from services.cli.ports import Api, Display
from shared import errdefs

#: A gateway that is being restarted is waited for this long.
_PATIENCE_S = 30.0
_PAUSE_S = 0.5


@dataclass(slots=True, kw_only=True)
class JobRun:
    """Follows one job; it goes on wherever it runs while the gateway is restarted."""

    api: Api
    display: Display
    #: Puts Ctrl-C off until the end of a block; the second one is raised at once.
    held: Callable[[], AbstractContextManager[None]]
    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    #: What the job made, as a push tells it.
    made: Step | None = None
    _after: str = ""
    _is_cancelling: bool = False

    #: The one that is followed; None until it is begun.
    job: Job | None = None

    def run(self, begin: Callable[[], Job]) -> Job:
        """Begin a job and return it when it is over.

        The first Ctrl-C cancels it and waits on, the second raises KeyboardInterrupt. Raises
        what *begin* raises, and Unavailable when the gateway stays away.
        """
        try:
            job = self._begun(begin)
            while not job.is_over:
                job = self._turn(job)
        finally:
            self.display.close()
        return job

    def _begun(self, begin: Callable[[], Job]) -> Job:
        try:
            # Else nobody here would know what to cancel.
            with self.held():
                self.job = begin()
        except KeyboardInterrupt:
            if self.job is None:
                raise
            return self._cancelled(self.job)
        return self.job

    def _turn(self, job: Job) -> Job:
        try:
            return self._follow(job)
        except KeyboardInterrupt:
            if self._is_cancelling:
                raise
            return self._cancelled(job)

    def _cancelled(self, job: Job) -> Job:
        self._is_cancelling = True
        self.display.note(f"cancelling job {job.job_id}; Ctrl-C again leaves it to itself")
        return self._patiently(lambda: self.api.cancel(job.job_id))

    def _follow(self, job: Job) -> Job:
        try:
            for told in self.api.follow(job.job_id, self._after):
                if isinstance(told, Job):
                    return told
                self._show(told)
        except errdefs.Unavailable:
            self.display.note("the gateway is away, waiting for it; the job goes on")
        return self._patiently(lambda: self.api.job(job.job_id))

    def _show(self, step: Step) -> None:
        self._after = step.position
        if step.made:
            self.made = step
        self.display.show(step)

    def _patiently(self, ask: Callable[[], Job]) -> Job:
        deadline = self.clock() + _PATIENCE_S
        while True:
            try:
                return ask()
            except errdefs.Unavailable:
                if self.clock() > deadline:
                    raise
            self.pause(_PAUSE_S)
