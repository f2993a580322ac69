"""The head of an answer: status, headers, and how its body ends."""

from __future__ import annotations

from dataclasses import dataclass

import h11

_NO_BODY = frozenset({204, 304})


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What came before the body."""

    status: int
    reason: bytes
    headers: list[tuple[bytes, bytes]]
    #: Bytes of the body; None where chunks or the end of the connection tell.
    length: int | None
    keeps_alive: bool

    @classmethod
    def of(cls, event: h11.Response, method: str) -> Head:
        """Read what h11 has parsed and found sound (RFC 9112, section 6.3)."""
        headers = list(event.headers.raw_items())
        named = {name.lower(): value for name, value in headers}
        is_chunked = b"transfer-encoding" in named
        length = named.get(b"content-length")
        if method == "HEAD" or event.status_code in _NO_BODY:
            counted: int | None = 0
        else:
            counted = int(length) if length is not None and not is_chunked else None
        return cls(
            status=event.status_code,
            reason=bytes(event.reason),
            headers=headers,
            length=counted,
            keeps_alive=_keeps_alive(event, named, is_endless=counted is None and not is_chunked),
        )


def _keeps_alive(event: h11.Response, named: dict[bytes, bytes], *, is_endless: bool) -> bool:
    options = {option.strip() for option in named.get(b"connection", b"").lower().split(b",")}
    return event.http_version >= b"1.1" and b"close" not in options and not is_endless
