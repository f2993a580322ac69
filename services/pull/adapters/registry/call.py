"""One request and its answer, as the operations of the protocol word them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import httpx

#: Makes a body anew for each time it is sent.
Content = Callable[[], AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request as an operation words it."""

    method: str
    #: A path of the endpoint, or a whole address that it has given.
    url: str
    #: What is asked, for errors: ``manifest latest``.
    what: str
    headers: tuple[tuple[str, str], ...] = ()
    content: Content | bytes | None = None


@dataclass(slots=True)
class Attempts:
    """Which send of a request this is."""

    number: int = 1


@dataclass(slots=True)
class Contact:
    """Whether an endpoint has answered yet, anything at all."""

    was_made: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer."""

    status: int
    headers: httpx.Headers
    body: bytes = field(repr=False)
    #: Where it came from in the end.
    url: httpx.URL
