"""The side that answers who opens a stream."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.trace import SpanKind

from shared import errdefs
from shared.contracts.message import StreamRequest
from shared.streams.client import LINE_LIMIT
from shared.streams.duplex import Duplex
from shared.telemetry import context
from shared.telemetry.spans import opened

log = structlog.get_logger()
_tracer = trace.get_tracer("wherry.streams")
_ACCEPTED = b'{"ok":true}\n'


class Incoming(Duplex):
    """A stream that its handler has yet to accept."""

    is_accepted = False

    async def accept(self) -> None:
        """Say that the request is fine: from here on the bytes are the stream's."""
        self.is_accepted = True
        await self.write(_ACCEPTED)


#: Serves one stream until its end. Raises errdefs before it accepts, to refuse.
StreamHandler = Callable[[Any, Incoming], Awaitable[None]]


class StreamServer:
    """Listens at a path, for root alone, and hands each stream to the handler of its request."""

    def __init__(self, path: Path, handlers: Mapping[type[StreamRequest], StreamHandler]) -> None:
        self._path = path
        self._handlers = {model.TYPE: (model, handle) for model, handle in handlers.items()}
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        """Listen; a socket that an earlier process left is replaced."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(
                self._serve, str(self._path), limit=LINE_LIMIT
            )
        finally:
            os.umask(before)

    async def close(self) -> None:
        """Listen no more, end all streams and remove the socket."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        stream = Incoming(reader, writer)
        try:
            await self._answer(stream)
        except ConnectionError:
            log.debug("stream cut by its reader")
        except asyncio.CancelledError:
            log.debug("stream ended with the service")
        except Exception:
            log.exception("stream failed")
        finally:
            self._serving.discard(task)
            await stream.close()

    async def _answer(self, stream: Incoming) -> None:
        try:
            asked = json.loads(await stream.read_line())
            model, handle = self._handlers[asked["type"]]
            request = model.model_validate(asked["body"])
        except (ValueError, LookupError, TypeError) as error:
            refusal = errdefs.InvalidArgument(f"what was sent asks for no stream: {error}")
            return await _refuse(stream, refusal)
        with opened(
            _tracer,
            f"stream {model.TYPE}",
            context=context.sent_in(asked.get("context") or {}),
            kind=SpanKind.SERVER,
        ):
            try:
                await handle(request, stream)
            except errdefs.Error as error:
                if stream.is_accepted:
                    raise
                await _refuse(stream, error)


async def _refuse(stream: Duplex, error: errdefs.Error) -> None:
    with contextlib.suppress(ConnectionError):
        await stream.write(json.dumps({"error": error.to_wire()}).encode() + b"\n")
