"""The executor's streams: what a request at its socket is answered with."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing

from services.executor.domain import layout
from services.executor.service.executor import Executor
from shared.contracts.executor import CreateExec, FollowLog, StartExec
from shared.contracts.message import StreamRequest
from shared.streams import Incoming, StreamHandler

#: Ends a log: one that is cut has no such line.
_END = b"\n"


def streams(executor: Executor) -> Mapping[type[StreamRequest], StreamHandler]:
    """Return the handler of each request."""

    async def follow_log(request: FollowLog, stream: Incoming) -> None:
        layout.check_log_name(request.log_name)
        await stream.accept()
        await stream.unless_gone(_send_log(executor, request, stream))

    async def create_exec(request: CreateExec, stream: Incoming) -> None:
        made = executor.execs.create(request)
        await stream.accept()
        await stream.write(made.model_dump_json().encode() + b"\n")

    async def start_exec(request: StartExec, stream: Incoming) -> None:
        async with executor.execs.started(request) as running:
            await stream.accept()
            if running is not None:
                await stream.unless_gone(running.attach(stream))

    return {FollowLog: follow_log, CreateExec: create_exec, StartExec: start_exec}


async def _send_log(executor: Executor, request: FollowLog, stream: Incoming) -> None:
    async with aclosing(executor.logs.follow(request)) as batches:
        async for batch in batches:
            lines = [entry.model_dump_json(exclude_none=True).encode() for entry in batch]
            await stream.write(b"\n".join([*lines, b""]))
    await stream.write(_END)
