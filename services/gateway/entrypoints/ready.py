"""Answers that lie ready: reads of what is in memory, served without an application's cycle.

The same bytes ask for the same answer. So each head that was understood once is remembered with
its answer, and the answer is good until what it was made of changes. All else is left to the
application: other routes, queries, headers that mean something, and every error.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Final
from weakref import WeakValueDictionary

import structlog

from services.gateway.domain import api_version
from services.gateway.entrypoints import metrics
from services.gateway.entrypoints.exchange import COMMON
from services.gateway.entrypoints.http import Response
from services.gateway.entrypoints.router import Route, Router
from shared import errdefs

#: A longer head is no plain read; so many heads of clients are remembered.
_HEAD_LIMIT: Final = 2_048
_KEPT: Final = 512
_START: Final = b"GET "
_VERSION: Final = b" HTTP/1.1"
_END: Final = b"\r\n\r\n"
#: What clients send with a plain read, and what the answer does not depend on.
_MEANINGLESS: Final = frozenset({b"host", b"user-agent", b"accept", b"accept-encoding"})
_KEEP_ALIVE: Final = b"connection: keep-alive"

log = structlog.get_logger()


@dataclass(slots=True, weakref_slot=True)
class Known:
    """A read that was understood, and its answer as of a mark; all heads that ask it share both."""

    path: str
    route: Route
    params: Mapping[str, str]
    mark: Hashable = None
    answer: bytes = b""

    def is_good(self, mark: Hashable) -> bool:
        """Make the answer anew where it is of another mark; return whether there is one."""
        if self.mark == mark:
            return True
        assert self.route.now is not None
        try:
            response = self.route.now(self.params)
        except errdefs.Error:
            return False
        self.mark, self.answer = mark, _on_wire(response)
        return True


class ReadyAnswers:
    """Answers heads of requests at once, or not at all; see Route.now.

    *mark* tells what all answers are made of: another mark, and they are made anew. Where reads
    are recorded as traces, nobody is answered here; who brings a trace never is.
    """

    def __init__(self, router: Router, mark: Callable[[], Hashable], *, is_recorded: bool) -> None:
        #: Whether reads are traces.
        self.is_recorded = is_recorded
        self.router = router
        self._mark = mark
        self.known: dict[bytes, Known] = {}
        self._by_path: WeakValueDictionary[str, Known] = WeakValueDictionary()

    def __call__(self, head: bytes) -> bytes | None:
        """Return all that follows the date in the answer; None where a cycle must serve it."""
        began = time.perf_counter()
        known = self.known.get(head) or self._learned(head)
        if known is None or self.is_recorded:
            return None
        if not known.is_good(self._mark()):
            del self.known[head]
            return None
        seconds = time.perf_counter() - began
        route = known.route
        metrics.observe(method=route.method, route=route.template, status=200, seconds=seconds)
        # A line for each would cost more than the answer.
        log.debug("request", method=route.method, route=route.template, path=known.path, status=200)
        return known.answer

    def _learned(self, head: bytes) -> Known | None:
        path = _path(head)
        known = None if path is None else self._by_path.get(path) or self._understood(path)
        if known is None:
            return None
        if len(self.known) >= _KEPT:
            self.known.clear()
        self.known[head] = self._by_path[known.path] = known
        return known

    def _understood(self, path: str) -> Known | None:
        version, bare = api_version.split(path)
        try:
            api_version.check(version)
        except errdefs.Error:
            return None
        match = self.router.find("GET", bare)
        if match is None or match.route.now is None:
            return None
        return Known(path, match.route, match.params)


def _path(head: bytes) -> str | None:
    """Return the path of a plain read; None for every other request."""
    if len(head) > _HEAD_LIMIT or not head.startswith(_START) or head.find(_END) != len(head) - 4:
        return None
    line, *headers = head[:-4].split(b"\r\n")
    path = line.removeprefix(_START).removesuffix(_VERSION)
    is_plain = line.endswith(_VERSION) and path.isascii() and not set(b" ?#%") & set(path)
    if not is_plain or not all(map(_is_meaningless, headers)):
        return None
    return path.decode()


def _is_meaningless(header: bytes) -> bool:
    name = header.partition(b":")[0].lower()
    return name in _MEANINGLESS or header.lower() == _KEEP_ALIVE


def _on_wire(response: Response) -> bytes:
    headers = [*COMMON, *response.headers, (b"content-type", response.content_type)]
    headers.append((b"content-length", str(len(response.body)).encode()))
    lines = (b"%b: %b\r\n" % header for header in headers)
    return b"".join((*lines, b"\r\n", response.body))
