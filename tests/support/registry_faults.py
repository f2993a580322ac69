"""Faults of a registry, each a value that prints as code: what goes wrong with one answer."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.support import faulty_registry as does
from tests.support.faulty_registry import Asked, head_of

#: What a client of this registry has to show.
TOKEN: Final = "token-of-nobody"
#: Leads to itself for ever.
LOOP: Final = "/loop"
#: A port of loopback that nobody listens on.
_NOBODY: Final = "127.0.0.1:9"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What is right to answer."""

    body: bytes = field(repr=False)
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Fault:
    """One answer that goes wrong; *kind* is one of KINDS.

    *at* says how far into the body, from 0 to 1; *status* and *header* are what the kind makes
    of them.
    """

    kind: str
    at: float = 0.5
    status: int = 503
    header: str = ""


_Act = Callable[[Fault, Resource, Asked, asyncio.StreamWriter], Awaitable[None]]


async def answer_well(resource: Resource, asked: Asked, writer: asyncio.StreamWriter) -> None:
    """Answer as a registry does that is well, from where Range says."""
    start = _start(asked)
    writer.write(_head(resource, start))
    if asked.method != "HEAD":
        writer.write(resource.body[start:])


async def answer_wrongly(
    fault: Fault, resource: Resource, asked: Asked, writer: asyncio.StreamWriter
) -> None:
    """Answer with the fault."""
    await KINDS[fault.kind](fault, resource, asked, writer)


async def _reset(
    _fault: Fault, _resource: Resource, asked: Asked, writer: asyncio.StreamWriter
) -> None:
    await does.reset()(asked, writer)


async def _reset_after(
    fault: Fault, resource: Resource, asked: Asked, writer: asyncio.StreamWriter
) -> None:
    _write_part(fault, resource, asked, writer)
    await writer.drain()
    await asyncio.sleep(0.003)  # a reset overtakes what was sent before it
    await does.reset()(asked, writer)


async def _truncated(
    fault: Fault, resource: Resource, asked: Asked, writer: asyncio.StreamWriter
) -> None:
    """End the connection, politely, in the middle of the body."""
    _write_part(fault, resource, asked, writer)
    await writer.drain()
    writer.close()


async def _short(
    fault: Fault, resource: Resource, asked: Asked, writer: asyncio.StreamWriter
) -> None:
    """End a body of chunks, by all rules, too early."""
    part = resource.body[: int(len(resource.body) * fault.at)]
    writer.write(head_of(200, {**resource.headers, "Transfer-Encoding": "chunked"}))
    if asked.method != "HEAD":
        writer.write((b"%x\r\n%s\r\n" % (len(part), part) if part else b"") + b"0\r\n\r\n")


async def _wrong_bytes(
    fault: Fault, resource: Resource, asked: Asked, writer: asyncio.StreamWriter
) -> None:
    body = bytearray(resource.body)
    body[min(len(body) - 1, int(len(body) * fault.at))] ^= 0x55
    await answer_well(Resource(body=bytes(body), headers=resource.headers), asked, writer)


async def _wrong_size(
    fault: Fault, resource: Resource, asked: Asked, writer: asyncio.StreamWriter
) -> None:
    """Send a byte too much, or too little."""
    body = resource.body + b"\n" if fault.at < 0.5 else resource.body[:-1]
    await answer_well(Resource(body=body, headers=resource.headers), asked, writer)


async def _huge(
    _fault: Fault, resource: Resource, asked: Asked, writer: asyncio.StreamWriter
) -> None:
    """Promise more than anybody holds, and begin to send it."""
    writer.write(head_of(200, {**resource.headers, "Content-Length": str(1 << 40)}))
    if asked.method != "HEAD":
        while True:
            writer.write(bytes(1 << 16))
            await writer.drain()


async def _endless(
    _fault: Fault, resource: Resource, asked: Asked, writer: asyncio.StreamWriter
) -> None:
    await does.endless(200, **_named(resource.headers))(asked, writer)


async def _endless_interim(
    _fault: Fault, _resource: Resource, _asked: Asked, writer: asyncio.StreamWriter
) -> None:
    """Announce, for ever, that the answer is to come."""
    while True:
        writer.write(b"HTTP/1.1 102 Processing\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.005)


async def _stall(
    _fault: Fault, _resource: Resource, _asked: Asked, _writer: asyncio.StreamWriter
) -> None:
    await asyncio.Event().wait()


async def _stall_after(
    fault: Fault, resource: Resource, asked: Asked, writer: asyncio.StreamWriter
) -> None:
    _write_part(fault, resource, asked, writer)
    await writer.drain()
    await asyncio.Event().wait()


async def _status(
    fault: Fault, _resource: Resource, asked: Asked, writer: asyncio.StreamWriter
) -> None:
    """Refuse; the header is that of Retry-After."""
    has_body = fault.status not in (204, 304)
    body = b'{"errors": [{"code": "UNKNOWN", "message": "not today"}]}' if has_body else b""
    waits = {"Retry_After": fault.header} if fault.header else {}
    await does.answer(fault.status, body, **waits)(asked, writer)


async def _challenge(
    fault: Fault, _resource: Resource, asked: Asked, writer: asyncio.StreamWriter
) -> None:
    """Ask for a login; the header is the challenge."""
    named = {"WWW_Authenticate": fault.header} if fault.header else {}
    await does.answer(401, b"", **named)(asked, writer)


async def _redirect(
    fault: Fault, _resource: Resource, asked: Asked, writer: asyncio.StreamWriter
) -> None:
    await does.redirect(fault.header or LOOP)(asked, writer)


async def _garbage(
    _fault: Fault, _resource: Resource, asked: Asked, writer: asyncio.StreamWriter
) -> None:
    await does.raw(b"\x00\xffSSH-2.0-registry\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n")(asked, writer)


async def _garbage_headers(
    fault: Fault, resource: Resource, asked: Asked, writer: asyncio.StreamWriter
) -> None:
    head = b"HTTP/1.1 200 OK\r\n" + fault.header.encode() + b"\r\n\r\n"
    await does.raw(head + resource.body)(asked, writer)


async def _long_head(
    _fault: Fault, _resource: Resource, asked: Asked, writer: asyncio.StreamWriter
) -> None:
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"x" * 1000) for number in range(200))
    await does.raw(b"HTTP/1.1 200 OK\r\n" + lines)(asked, writer)


async def _no_range(
    _fault: Fault, resource: Resource, asked: Asked, writer: asyncio.StreamWriter
) -> None:
    """Send all of it whatever was asked for."""
    writer.write(_head(resource, 0))
    if asked.method != "HEAD":
        writer.write(resource.body)


async def _wrong_range(
    _fault: Fault, resource: Resource, asked: Asked, writer: asyncio.StreamWriter
) -> None:
    """Send another part than was asked for."""
    start = min(len(resource.body) - 1, _start(asked) + 1)
    writer.write(_head(resource, start))
    if asked.method != "HEAD":
        writer.write(resource.body[start:])


async def _other_digest(
    _fault: Fault, resource: Resource, asked: Asked, writer: asyncio.StreamWriter
) -> None:
    """Say that it is something else."""
    digest = f"sha256:{hashlib.sha256(b'something else').hexdigest()}"
    headers = {**resource.headers, "Docker-Content-Digest": digest}
    await answer_well(Resource(body=resource.body, headers=headers), asked, writer)


async def _no_headers(
    _fault: Fault, resource: Resource, asked: Asked, writer: asyncio.StreamWriter
) -> None:
    """Say neither type nor digest."""
    await answer_well(Resource(body=resource.body, headers={}), asked, writer)


async def _other_type(
    _fault: Fault, _resource: Resource, asked: Asked, writer: asyncio.StreamWriter
) -> None:
    """Send a page for people, as the login of a hotel does."""
    await does.answer(200, b"<html>welcome</html>", Content_Type="text/html")(asked, writer)


_BREAKS: Final[Mapping[str, _Act]] = {
    "reset": _reset,
    "reset after": _reset_after,
    "truncated": _truncated,
    "short": _short,
    "stall": _stall,
    "stall after": _stall_after,
    "no range": _no_range,
}
_LIES: Final[Mapping[str, _Act]] = {
    "wrong bytes": _wrong_bytes,
    "wrong size": _wrong_size,
    "wrong range": _wrong_range,
    "other digest": _other_digest,
    "no headers": _no_headers,
    "other type": _other_type,
}
_OUTRAGES: Final[Mapping[str, _Act]] = {
    "huge": _huge,
    "endless": _endless,
    "endless interim": _endless_interim,
    "garbage": _garbage,
    "long head": _long_head,
}
KINDS: Final[Mapping[str, _Act]] = {
    **_BREAKS,
    **_LIES,
    **_OUTRAGES,
    "status": _status,
    "challenge": _challenge,
    "redirect": _redirect,
    "garbage headers": _garbage_headers,
}
#: Kinds that another try may mend; that give something else for what was asked; that give no
#: answer that anybody could take.
BREAKS, LIES, OUTRAGES = tuple(_BREAKS), tuple(_LIES), tuple(_OUTRAGES)
STATUSES: Final = (204, 206, 304, 400, 403, 404, 405, 408, 416, 429, 500, 502, 503, 504, 599)
WAITS: Final = ("", "0", "1", "86400", "soon", "Wed, 21 Oct 2015 07:28:00 GMT")
CHALLENGES: Final = (
    "",
    "Negotiate",
    'Basic realm="x"',
    "Bearer",
    'Bearer realm="not an address"',
    f'Bearer realm="http://{_NOBODY}/token"',
    'Bearer realm="http://registry.example/token"',
    '"=,',
)
LOCATIONS: Final = (LOOP, "http://[", "ftp://x/y", f"http://{_NOBODY}/", "//", "http://a:b@c/")
HEADERS: Final = (
    "Content-Length: -1",
    "Content-Length: 1\r\nContent-Length: 2",
    "Content-Length: much",
    "Content-Length: " + "9" * 400,
    "Transfer-Encoding: gzip, identity",
    "Transfer-Encoding: chunked\r\nContent-Length: 3",
    "Content-Range: bytes 0-0/0",
    ": nothing",
    "Content-Type\x00: a/b",
    "Docker-Content-Digest: sha256:" + "z" * 64,
)


def _start(asked: Asked) -> int:
    wanted = asked.header("range")
    return int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0


def _head(resource: Resource, start: int) -> bytes:
    size = len(resource.body)
    headers = {**resource.headers, "Content-Length": str(size - start)}
    if start:
        headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
    return head_of(206 if start else 200, headers)


def _write_part(
    fault: Fault, resource: Resource, asked: Asked, writer: asyncio.StreamWriter
) -> None:
    start = _start(asked)
    end = start + int((len(resource.body) - start) * fault.at)
    writer.write(_head(resource, start))
    if asked.method != "HEAD":
        writer.write(resource.body[start:end])


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("-", "_"): value for name, value in headers.items()}
