"""A job's progress in /wherry/v1, as lines of JSON or as server-sent events."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable

from services.gateway.entrypoints import wherry_models as models
from services.gateway.service.job_watch import End, Step
from services.gateway.service.jobs import Jobs
from shared import errdefs

Line = models.ProgressLine | models.JobLine | models.ProblemLine
#: Writes one line.
Format = Callable[[Line], str]


def json_line(line: Line) -> str:
    """Write a line of JSON."""
    return line.model_dump_json(exclude_none=True) + "\n"


def server_sent(line: Line) -> str:
    """Write a server-sent event; the id of one about progress is where a client reads on."""
    match line:
        case models.ProgressLine():
            head = f"id: {line.position}"
        case models.JobLine():
            head = "event: job"
        case models.ProblemLine():
            head = "event: problem"
    return f"{head}\ndata: {line.model_dump_json(exclude_none=True)}\n\n"


async def formatted(
    jobs: Jobs, job_id: str, told: AsyncGenerator[Step | End, None], write: Format
) -> AsyncGenerator[bytes, None]:
    """Yield what a job tells, and at the end the job itself."""
    async with contextlib.aclosing(told):
        async for item in told:
            line = _progress(item) if isinstance(item, Step) else await _last(jobs, job_id)
            yield write(line).encode()


def _progress(step: Step) -> models.ProgressLine:
    told = step.progress
    return models.ProgressLine(
        position=step.position,
        status=told.status or None,
        id=told.id or None,
        current=told.current,
        total=told.total,
        aux=told.aux,
    )


async def _last(jobs: Jobs, job_id: str) -> Line:
    try:
        return models.JobLine(job=await jobs.get(job_id))
    except errdefs.Error as error:
        problem = models.Problem(code=error.code, message=error.message, detail=error.detail)
        return models.ProblemLine(problem=problem)
