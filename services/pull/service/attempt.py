"""One attempt at a job: what the worker that took it has in hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

from services.pull.ports import Workplace
from services.pull.service.lines import Lines
from services.pull.service.store import JobStore
from shared import errdefs
from shared.contracts.job import JobTaken


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A job in the hands of this worker."""

    taken: JobTaken
    store: JobStore
    workplace: Workplace
    lines: Lines
    #: Docker's AuthConfig, opened; shows itself to nobody.
    auth: dict[str, Any] = field(repr=False)

    @property
    def goes_on(self) -> bool:
        """Say whether the store goes on when this worker is done: the plugin is enabled."""
        return self.taken.plugin is not None and self.taken.plugin.enabled


async def together(*steps: Awaitable[None]) -> None:
    """Run steps side by side; the first error ends the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for step in steps:
                group.create_task(_as_coroutine(step))
    except BaseExceptionGroup as errors:
        failed = first_of(errors)
    else:
        return
    raise failed


async def _as_coroutine(step: Awaitable[None]) -> None:
    await step


def first_of(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error to tell: one of ours, meant for a person, before any other."""
    for error in errors.exceptions:
        if isinstance(error, errdefs.Error):
            return error
    return errors.exceptions[0]
