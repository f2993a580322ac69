"""The side that opens a stream."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Final

from shared import errdefs
from shared.contracts.message import StreamRequest
from shared.streams.duplex import Duplex
from shared.telemetry import context

#: Bytes that are read ahead, and the longest line.
LINE_LIMIT: Final = 1024 * 1024


async def open_stream(path: Path, request: StreamRequest) -> Duplex:
    """Open a stream at a socket; raises what its owner answers, Unavailable without one."""
    try:
        reader, writer = await asyncio.open_unix_connection(str(path), limit=LINE_LIMIT)
    except OSError as error:
        raise errdefs.Unavailable(
            f"nobody answers on {path}: {error.strerror or error}; `wherry status` says more"
        ) from error
    stream = Duplex(reader, writer)
    try:
        await _agree(stream, request)
    except BaseException:
        await stream.close()
        raise
    return stream


async def _agree(stream: Duplex, request: StreamRequest) -> None:
    body = request.model_dump(mode="json")
    asked = {"type": request.TYPE, "body": body, "context": context.carrier()}
    try:
        await stream.write(json.dumps(asked).encode() + b"\n")
        answer = await stream.read_line()
    except ConnectionError:
        answer = b""
    if not answer.endswith(b"\n"):
        raise errdefs.Unavailable(f"{request.TYPE} got no answer: its owner ended; try again")
    said = json.loads(answer)
    if "error" in said:
        raise errdefs.from_wire(said["error"])
